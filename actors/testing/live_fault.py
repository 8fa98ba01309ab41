"""A fault that a test puts into the system that it has booted, for as long as a block lasts."""

from __future__ import annotations

import asyncio
import threading
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, Self

from actors.testing.live_process import NotLive

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.testing.http_client import HttpReply

FAULTS: Final = "/admin/faults"
# The fault is gone this long after its test is, whatever has become of that.
LEASE_S: Final = 2.0
# As often as some renewals may be lost on a busy machine.
RENEW_S: Final = LEASE_S / 5
BEGUN, DONE = 201, 200


class LiveFault:
    """`with shop.fault("latency", service="till", latency_ms=200):`, or `async with`.

    It is on within the block. Its process dying ends it, and so does the test's, two seconds later.
    """

    def __init__(self, admin: Callable[..., HttpReply], order: dict[str, Any]) -> None:
        """`admin` asks the operator's addresses; nothing is asked before the block."""
        self._admin = admin
        self._order = order
        self._left = threading.Event()
        self._renewing: threading.Thread | None = None
        # As it was answered last: see docs/FAULTS.md.
        self.stats: dict[str, Any] = {}

    @property
    def hits(self) -> int:
        """How many were struck so far; after the block, by then."""
        if not self._left.is_set():
            self._look()
        hits: int = self.stats["hits"]
        return hits

    def __enter__(self) -> Self:
        """Put it in. Raises NotLive where it is refused, and says why."""
        __tracebackhide__ = True
        reply = self._admin("POST", FAULTS, json={**self._order, "lease_s": LEASE_S})
        if reply.status != BEGUN:
            raise NotLive(f"it takes no such fault: {reply.status} {reply.text}")
        self.stats = reply.json()
        self._left.clear()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take it out, if it is there still."""
        self._left.set()
        if self._renewing is not None:
            self._renewing.join()
        self._ask("DELETE", f"{FAULTS}/{self.stats['id']}")

    async def __aenter__(self) -> Self:
        """Put it in, while the test's loop goes on."""
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        """Take it out, likewise."""
        await asyncio.to_thread(self.__exit__)

    # --- Inside ------------------------------------------------------------------------------

    def _renew(self) -> None:
        while not self._left.wait(RENEW_S):
            self._ask("POST", f"{FAULTS}/{self.stats['id']}/renew")

    def _look(self) -> None:
        self._ask("POST", f"{FAULTS}/{self.stats['id']}/renew")

    def _ask(self, method: str, path: str) -> None:
        """Note what is answered of it; a process that is gone has no fault any more."""
        try:
            reply = self._admin(method, path)
        except (OSError, HTTPException, NotLive):
            return
        if reply.status == DONE:
            self.stats = reply.json()
