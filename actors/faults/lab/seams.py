"""Where faults get at a service's own work: around its batches, its handlers and its effects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from actors.kernel.messages import type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from actors.faults.lab.active_fault import ActiveFault
    from actors.kernel.envelope import Envelope

    # What happens to one message, and for how long; None: for good.
    _Strike = tuple[ActiveFault, float | None]

H = TypeVar("H")


class InjectedFault(Exception):
    """A handler, or the outside world, fails on purpose."""


class ServiceSeam:
    """One service's, in all its lives: None where no fault is, which is all that is looked at."""

    __slots__ = ("batches", "effects")

    def __init__(self) -> None:
        """Nothing is wrong with it."""
        self.batches: BatchFaults | None = None
        self.effects: EffectFaults | None = None


class BatchFaults:
    """What is wrong with a service's commits and handlers."""

    def __init__(
        self, faults: Sequence[ActiveFault], kill: Callable[[ActiveFault, str], None]
    ) -> None:
        """`kill` has one who commits killed: of shards each does."""
        self._commits = [each for each in faults if each.part == "commits"]
        self._handlers = [each for each in faults if each.part == "handlers"]
        self._kill = kill

    async def before_commit(self, batch: Sequence[Envelope], who: str) -> None:
        """Wait as long as the disk of `who` takes more, or for the kill."""
        await self._pass(batch, who, after=False)
        for fault in self._of(batch, "latency", who):
            if fault.strikes():
                await fault.lasts(fault.wait_s())

    async def after_commit(self, batch: Sequence[Envelope], who: str) -> None:
        """Wait for the kill, where one is due: nobody is told of the commit."""
        await self._pass(batch, who, after=True)

    def around(
        self, batch: Sequence[Envelope], handlers: Mapping[Any, H], *, own: Container[Any], who: str
    ) -> Mapping[Any, H]:
        """Return the handlers, those of the author's `own` that are to raise or wait doing so.

        `who` is the replica that runs them. Whom it strikes, and for how long, is decided here, on
        the loop; only the doing is left to a thread.
        """
        struck: dict[int, _Strike] = {}
        kinds = set()
        for envelope in batch:
            message = envelope.message
            kind = type_of(message)
            if kind not in own or kind not in handlers:
                continue
            for fault in self._handlers:
                is_there = fault.order.replica in {None, who}
                if is_there and fault.takes(message) and fault.strikes():
                    wait_s = fault.wait_s() if fault.order.kind == "latency" else None
                    struck[id(message)] = fault, wait_s
                    kinds.add(kind)
                    break
        if not struck:
            return handlers
        return {
            kind: _struck(handler, struck) if kind in kinds else handler
            for kind, handler in handlers.items()
        }

    # --- Inside ------------------------------------------------------------------------------

    async def _pass(self, batch: Sequence[Envelope], who: str, *, after: bool) -> None:
        for fault in self._of(batch, "kill", who):
            if (fault.order.when == "after") is after and fault.strikes():
                self._kill(fault, who)
                await asyncio.get_running_loop().create_future()  # cancelled by the kill

    def _of(self, batch: Sequence[Envelope], kind: str, who: str) -> list[ActiveFault]:
        return [
            fault
            for fault in self._commits
            if fault.order.kind == kind
            and fault.order.replica in {None, who}
            and any(fault.takes(each.message) for each in batch)
        ]


class EffectFaults:
    """What is wrong with the outside world of a service's effects."""

    def __init__(self, faults: Sequence[ActiveFault]) -> None:
        """Each attempt is one that comes by, of a list the whole list."""
        self._faults = faults

    async def strike(self, messages: Sequence[Any], who: str, *, after: bool) -> None:
        """Wait, raise InjectedFault or never return, before the outside is asked or `after`."""
        for fault in self._faults:
            order = fault.order
            if (order.when == "after") is not after or order.replica not in {None, who}:
                continue
            if not any(fault.takes(each) for each in messages) or not fault.strikes():
                continue
            if order.kind == "error":
                raise InjectedFault(f"fault {fault.id}: {order}")
            await fault.lasts(fault.wait_s() if order.kind == "latency" else None)


def _struck(handler: Any, struck: Mapping[int, _Strike]) -> Any:
    """Return a handler, bound to a store's or plain, to which it happens at these messages."""
    function = getattr(handler, "function", handler)

    def run(*given: Any) -> Any:
        strike = struck.get(id(given[-1]))
        if strike is None:
            return function(*given)
        if strike[0].order.when != "after":
            _happen(*strike)
            return function(*given)
        reply = function(*given)
        _happen(*strike)
        return reply

    if isinstance(handler, msgspec.Struct):
        return msgspec.structs.replace(handler, function=run)
    return run


def _happen(fault: ActiveFault, wait_s: float | None) -> None:
    """Raise, or hold the handler's thread up: for so long, or until its budget is spent."""
    if fault.order.kind == "error":
        raise InjectedFault(f"fault {fault.id}: {fault.order}")
    fault.holds_up(wait_s)
