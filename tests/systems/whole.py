"""A whole system as it runs: every service under its supervisor, in this process, on small times.

What a test does to it is what happens to a system: services are killed, suspended and resumed, the
clock is set forward, the process dies and another one opens the files. Loop time is real, so every
wait inside is some milliseconds; the services' clock moves when told to, and a little in `settle`.
"""

from __future__ import annotations

import asyncio
import functools
import shutil
from typing import TYPE_CHECKING, Any

import msgspec

from actors.app import App
from actors.config import load_config
from actors.kernel import lifecycle
from actors.kernel.clock import ManualClock
from actors.kernel.rng import Rng
from actors.service.common_invariants import all_at_rest
from actors.service.stateless.inline_runner import InlineRunner
from actors.store.inline_store import InlineStore
from actors.systems import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.service.assembly import StoreType
    from actors.service.stateless.runner import RunnerType
    from actors.system import System
    from tests.systems.fate import Fate

# Every wait of the runtime's that a test would sit through is short; and a key is remembered for
# longer than a test sets the clock forward.
TIMES: dict[str, dict[str, Any]] = {
    "channel": {"retry_s": 0.002},
    "timer": {"poll_s_max": 0.002, "retry_s": 0.002},
    "effect": {"effect_s_max": 0.5, "backoff_s_min": 0.0005, "backoff_s_max": 0.002},
    "breaker": {"open_s": 0.02, "probe_s_max": 0.5},
    "store": {"client_keys_kept_s": 1e8},
    "supervisor": {"backoff_s_min": 0.0, "backoff_s_max": 0.002, "park_retry_s": 0.01},
}
# Beyond every timer of what nobody touches any more.
LONG_S = 1000.0
ASK_S_MAX = 100.0
SETTLE_S_MAX = 60.0
POLL_S = 0.001
# How far the services' clock moves a poll: a breaker opens by it.
TICK_S = 0.002


@functools.cache
def shipped() -> Config:
    """Return the shipped configuration, read once: a storm boots thousands of systems."""
    return load_config(systems=SYSTEMS)


def config_of_tests(**sections: dict[str, Any]) -> Any:
    """Return the shipped configuration with short times; `sections` replace more of it."""
    config = shipped()
    for changes in (TIMES, sections):
        for name, values in changes.items():
            section = msgspec.structs.replace(getattr(config, name), **values)
            config = msgspec.structs.replace(config, **{name: section})
    return config


class Whole:
    """The system of one folder, through any number of processes: `boot` and `die` are a process's.

    `crashes` are the crashes that were nobody's wish.
    """

    def systems(self) -> Sequence[System]:
        """Return what a process boots."""
        raise NotImplementedError

    def violations(self, **known: Any) -> list[str]:
        """Return what is wrong with the files; `known` is what a test meant to be there."""
        raise NotImplementedError

    def __init__(
        self,
        folder: Path,
        *,
        store: StoreType = InlineStore,
        runner: RunnerType = InlineRunner,
        fate: Fate | None = None,
        seed: int = 1,
        **sections: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.config = config_of_tests(**sections)
        self.clock = ManualClock()
        self.crashes: list[lifecycle.Crashed] = []
        self._store = store
        self._runner = runner
        self._fate = fate
        self._rng = Rng(seed)

    # --- A process ---------------------------------------------------------------------------

    async def boot(self) -> None:
        """Start a process on the folder's files."""
        # Of its own, as the time that has passed would make it: the clock here may stand still.
        rng = self._rng.fork("process")
        self._app = App(
            self.systems(),
            self.config,
            data_dir=self.folder,
            clock=self.clock,
            rng=rng,
            store=self._store,
            runner=self._runner,
            simulated=True,
            heard=self._note,
        )
        self.system = self._app.tree
        if self._fate is not None:
            self._fate.system = self.system
        await self.system.start()

    async def die(self) -> None:
        """End the process at once: nothing is drained, nothing is said, nothing more commits."""
        actors = self.system.registry.actors()
        for actor in actors:  # the root first: nobody restarts anybody
            actor.terminate()
        for actor in actors:
            await actor.settled()
        if self._fate is not None:
            self._fate.revive()

    async def stop(self) -> None:
        """End the process in order."""
        await self.system.stop()

    async def ask(
        self, service: str, message: Any, *, key: str | None = None, timeout_s: float = ASK_S_MAX
    ) -> Any:
        """Ask as the edge does."""
        return await self.system.ask(service, message, timeout_s=timeout_s, key=key)

    # --- Quiet -------------------------------------------------------------------------------

    async def settle(self, *, but: str | None = None) -> None:
        """Wait until nothing moves that could, `but` a service that is suspended.

        Raises AssertionError, saying what still moves.
        """
        busy: list[str] = []
        handled = -1
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                while True:
                    busy = await self._busy(but)
                    before, handled = handled, sum(each.handled for each in self.system.actors())
                    # Twice, with nothing between: one look at many services is not one instant.
                    if not busy and handled == before:
                        return
                    if busy:
                        self.clock.advance(TICK_S)
                        await asyncio.sleep(POLL_S)
                    else:
                        await turns(2)
        except TimeoutError:
            error = f"the system does not settle: {'; '.join(busy)}"
            raise AssertionError(error) from None

    async def run_out(self) -> None:
        """Let time pass until no timer is left."""
        await self.settle()
        for _ in range(10):
            if not any(each.pending for each in await self.system.timers()):
                return
            self.clock.advance(LONG_S)
            await self.settle()
        error = f"timers without end: {await self.system.timers()}"
        raise AssertionError(error)

    def check(self, **known: Any) -> None:
        """The books agree, and nobody crashed unasked. See `violations` for `known`."""
        with all_at_rest():  # to open each file once takes a third of the time
            found = self.violations(**known)
        assert not found, "\n".join(found)
        assert not self.crashes, self.crashes

    # --- Inside ------------------------------------------------------------------------------

    def _note(self, event: lifecycle.LifecycleEvent) -> None:
        wished = ("Died", "the process is dead")  # by a fate, see there
        if (
            isinstance(event, lifecycle.Crashed)
            and not event.killed
            and not any(each in event.error for each in wished)
        ):
            self.crashes.append(event)

    async def _busy(self, but: str | None) -> list[str]:
        # What costs least is asked first: it is the files that the others are read from.
        busy = [
            f"{each.name} is {each.state} with {each.mailbox_depth} messages"
            for each in self.system.actors()
            if each.name != but and (each.state != "running" or each.mailbox_depth)
        ]
        busy = busy or [
            f"{each.depth} messages from {each.sender} to {each.receiver} ({each.state})"
            for each in await self.system.channels()
            if each.receiver != but and each.depth
        ]
        return busy or [
            f"{each.service}: {each.due} timers due, {each.effects_running} effects"
            for each in await self.system.timers()
            if each.due or each.effects_running
        ]


async def turns(count: int) -> None:
    """Let the loop turn so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def outlive(system: Whole, fate: Fate, act: Callable[[], Awaitable[Any]]) -> Any:
    """Return what comes of it; where the process dies, the next one begins it again."""
    while True:
        acting = asyncio.ensure_future(act())
        over = asyncio.ensure_future(fate.over.wait())
        await asyncio.wait([acting, over], return_when=asyncio.FIRST_COMPLETED)
        if not fate.over.is_set():
            over.cancel()
            return await acting
        acting.cancel()
        await asyncio.wait([acting])
        acting.cancelled() or acting.exception()  # it failed because the process died
        await system.die()
        await system.boot()


def copy_files(source: Path, target: Path) -> None:
    """Copy the files of a system that was stopped: cheaper than to make them."""
    assert not list(source.glob("*-wal")), "all is in the files themselves"
    for path in source.glob("*.db"):
        shutil.copy(path, target / path.name)
