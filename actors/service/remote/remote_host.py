"""The behavior that hosts a remote service: an HTTP client where others have a store."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from actors.errors import ActorCrashed, DressRehearsalError
from actors.kernel.behavior import BatchResult, Behavior
from actors.kernel.messages import Command
from actors.kernel.supervision.child_spec import ChildSpec
from actors.service.remote.remote_client import RemoteClient
from actors.service.remote.remote_line import RemoteLine
from actors.service.service_host import lane_of
from actors.store.messaging.origin import ChannelOrigin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.kernel.envelope import Envelope
    from actors.service.remote.remote_service import RemoteService


def remote_child(remote: RemoteService) -> ChildSpec:
    """Return the service as a supervisor's child."""
    return ChildSpec(
        name=remote.name,
        factory=partial(RemoteHost, remote),
        kind="service",
        service=remote.name,
        lanes=2,
        lane_of=lane_of,
        batch_messages_max=1,
    )


class RemoteHost(Behavior):
    """One incarnation: takes messages over from the mailbox, and answers each when it is answered.

    What is asked runs at once, `remote.running_max` at a time; others wait in the mailbox. What
    other services have sent goes besides, one after the other for each of them.
    """

    # What is in hand waits for a place: nothing was sent of it.
    redelivers: ClassVar[bool] = True

    def __init__(self, remote: RemoteService) -> None:
        """Nothing is asked yet."""
        self._remote = remote
        self._transport = remote.connect()
        self._client = RemoteClient(remote, self._transport)
        self._places = asyncio.Semaphore(remote.config.remote.running_max)
        self._asks: set[asyncio.Task[None]] = set()
        self._lines: dict[tuple[str, str], RemoteLine] = {}

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:  # noqa: ARG002 - lanes wait apart, and are served alike
        """Take one message over; its answer comes later, and is no longer the kernel's to give."""
        (envelope,) = batch
        reply_to = envelope.reply_to
        if reply_to is not None:
            if envelope.origin.__class__ is ChannelOrigin:
                self._line_of(envelope.origin).put(envelope, reply_to)
            else:
                await self._places.acquire()
                self._start(envelope, reply_to)
            envelope.reply_to = None
        return BatchResult(outcomes=(None,))

    async def on_stop(self) -> None:
        """Let what was asked have its answer, and close every connection."""
        try:
            await self._close_lines()
            if self._asks:
                await asyncio.wait(self._asks)
        finally:
            await self._transport.close()

    async def on_failure(self, error: BaseException) -> None:
        """Give up what was asked, and close every connection."""
        del error
        for ask in self._asks:
            ask.cancel()
        await self._close_lines()
        if self._asks:
            await asyncio.wait(self._asks)
        await self._transport.close()

    # --- Inside ------------------------------------------------------------------------------

    async def _close_lines(self) -> None:
        await asyncio.gather(*(line.close() for line in self._lines.values()))

    def _line_of(self, origin: ChannelOrigin) -> RemoteLine:
        file = (origin.sender, origin.store)
        line = self._lines.get(file)
        if line is None:
            line = self._lines[file] = RemoteLine(
                self._remote,
                self._client,
                sender=origin.sender,
                store=origin.store,
                expired=self._count_expired,
                failed=self.fail,
            )
        return line

    def _count_expired(self) -> None:
        self.actor_ref.actor_inbox.expired["channel"] += 1

    def _start(self, envelope: Envelope, reply_to: Any) -> None:
        ask = asyncio.get_running_loop().create_task(self._ask(envelope, reply_to))
        self._asks.add(ask)
        ask.add_done_callback(partial(self._ended, reply_to))

    async def _ask(self, envelope: Envelope, reply_to: Any) -> None:
        if reply_to.ended:  # the asker has left before there was a place
            return
        key = envelope.key
        if key is None and isinstance(envelope.message, Command):
            key = self._remote.rng.new_id(self._remote.clock.now_us())  # for the retries
        try:
            reply = await self._client.ask(envelope, key)
        except DressRehearsalError as error:
            reply_to.settle_error(error)
        else:
            reply_to.settle(reply)

    def _ended(self, reply_to: Any, ask: asyncio.Task[None]) -> None:
        self._asks.discard(ask)
        self._places.release()
        error = None if ask.cancelled() else ask.exception()
        if error is not None:
            self.fail(error)
        if ask.cancelled() or error is not None:
            name = self._remote.name
            reply_to.settle_error(
                ActorCrashed(f"{name} ended while it was asked this, and may have done it")
            )
