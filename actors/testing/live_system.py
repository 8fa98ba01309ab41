"""A system in a process of its own, and what a test does to it."""

from __future__ import annotations

from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, Self

from actors.testing.http_client import HttpClient
from actors.testing.live_fault import LiveFault
from actors.testing.live_process import LiveProcess, NotLive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.system import System
    from actors.testing.http_client import HttpReply

# How long a service may take to do as it is told, or a system to come to rest.
SETTLE_S_MAX: Final = 100.0
# A message may be in no table between one look and the next.
CALM_LOOKS: Final = 2


class LiveSystem(LiveProcess):
    """`live(...)` returns it, up and ready. `client` asks the gateway; `data_dir` is its folder."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        data_dir: Path,
        systems: Sequence[System],
        config: Config,
    ) -> None:
        """Nothing is started yet. The systems and the configuration are what the command boots."""
        super().__init__(command)
        self.data_dir = data_dir
        self.client = HttpClient(lambda: self.url)
        self._systems = tuple(systems)
        self._config = config

    def __str__(self) -> str:
        return ", ".join(each.name for each in self._systems)

    # --- Where it is -------------------------------------------------------------------------

    @property
    def listeners(self) -> dict[str, str]:
        """Every listener's URL in the present life: each has a free port."""
        found: dict[str, str] = self.wait_for("listening")["listeners"]
        return found

    @property
    def url(self) -> str:
        """The gateway's URL."""
        return self.listeners["gateway"]

    @property
    def token(self) -> str:
        """The operator's, as the process wrote it into its folder."""
        return (self.data_dir / "admin.token").read_text(encoding="utf-8").strip()

    # --- What is done to it ------------------------------------------------------------------

    def restart(self) -> Self:
        """End the process in order if it runs, start it, and wait until it is ready."""
        __tracebackhide__ = True
        if self.running:
            self.stop()
        return self.start()

    def kill(self, service: str) -> None:
        """Crash a service; returns when that incarnation is gone: the next is on its way, or up."""
        __tracebackhide__ = True
        before = self.actor(service)["incarnation"]
        self._order(service, "kill")
        self._until(service, lambda actor: actor["incarnation"] > before or _is_down(actor))

    def suspend(self, service: str) -> None:
        """Stop a service, which takes messages and handles none; returns when it is stopped."""
        __tracebackhide__ = True
        self._order(service, "suspend")
        self._until(service, lambda actor: actor["state"] == "suspended")

    def resume(self, service: str) -> None:
        """Let it go on; returns when it does."""
        __tracebackhide__ = True
        self._order(service, "resume")
        self._until(service, lambda actor: actor["state"] != "suspended")

    def fault(self, kind: str, **said: Any) -> LiveFault:
        """Return what puts a fault into the system for a block: `with`, or `async with`.

        `said` are the fields of docs/FAULTS.md: `shop.fault("latency", service="till", latency_ms=
        200, percent=20)`. It raises NotLive where the system refuses it.
        """
        return LiveFault(self.admin, {"kind": kind, **said})

    def audit(self) -> list[str]:
        """Return what the systems' audits find wrong with the files; empty where all holds.

        Files are judged at rest: it starts a process that has ended, waits until nothing is under
        way, ends it in order, and leaves it ended. Raises NotLive where it does not come to rest.
        """
        __tracebackhide__ = True
        audits = [each.audit() for each in self._systems if each.audit is not None]
        if not audits:
            raise NotLive(f"{self} has no audit: give it one, System(audit=...)")
        if not self.running:
            self.start()
        self.rest()
        if self.stop():
            raise NotLive(f"it did not end in order\n{self.last_words}")
        now_us = self._clock.now_us()
        return [each for audit in audits for each in audit(self.data_dir, self._config, now_us)]

    def rest(self) -> None:
        """Wait until no message, timer or effect is under way. Raises NotLive."""
        __tracebackhide__ = True
        deadline_s = self._clock.monotonic() + SETTLE_S_MAX
        calm = 0
        while calm < CALM_LOOKS:
            busy = self._busy()
            calm = 0 if busy else calm + 1
            if self._clock.monotonic() > deadline_s:
                raise NotLive(f"after {SETTLE_S_MAX:g} s {self} is busy: {'; '.join(busy)}")
            self._pause()

    # --- As its operator ---------------------------------------------------------------------

    def admin(self, method: str, path: str, **options: Any) -> HttpReply:
        """Ask one of the operator's addresses, below /admin; the options are the client's."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.client.request(method, path, headers=headers, **options)

    def actor(self, name: str) -> dict[str, Any]:
        """Return what /admin/actors says of a service. Raises NotLive without it, or a process."""
        __tracebackhide__ = True
        actors = {each["name"]: each for each in self._items("actors")}
        if name not in actors:
            raise NotLive(f"there is no service {name!r} in {self}, but: {', '.join(actors)}")
        found: dict[str, Any] = actors[name]
        return found

    # --- Inside ------------------------------------------------------------------------------

    def _ask(self, method: str, path: str) -> HttpReply:
        __tracebackhide__ = True
        try:
            return self.admin(method, path)
        except (OSError, HTTPException) as error:
            raise NotLive(f"{self} does not answer ({error}): {self.last_words}") from None

    def _order(self, service: str, action: str) -> None:
        __tracebackhide__ = True
        self.actor(service)
        reply = self._ask("POST", f"/admin/actors/{service}/{action}")
        if reply.status != 202:  # noqa: PLR2004 - accepted
            raise NotLive(f"it refuses to {action} {service}: {reply.status} {reply.text}")

    def _until(self, service: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        __tracebackhide__ = True
        deadline_s = self._clock.monotonic() + SETTLE_S_MAX
        while not holds(actor := self.actor(service)):
            if self._clock.monotonic() > deadline_s:
                raise NotLive(f"after {SETTLE_S_MAX:g} s {service} is {actor['state']}: {actor}")
            self._pause()

    def _busy(self) -> list[str]:
        found = [
            f"{each['name']} is {each['state']} with {each['mailbox_depth']} messages"
            for each in self._items("actors")
            if each["state"] != "running" or each["mailbox_depth"]
        ]
        found += [
            f"{each['depth']} messages from {each['sender']} to {each['receiver']}"
            for each in self._items("channels")
            if each["depth"]
        ]
        return found + [
            f"{each['service']}: {each['due']} timers due, {each['effects_running']} effects"
            for each in self._items("timers")
            if each["due"] or each["effects_running"]
        ]

    def _items(self, what: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._ask("GET", f"/admin/{what}").json()["items"]
        return items


def _is_down(actor: dict[str, Any]) -> bool:
    return actor["state"] not in {"running", "suspended", "degraded"}
