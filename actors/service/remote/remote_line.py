"""What one sender has for a remote service: told one after the other, each until it is heard."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import (
    ActorCrashed,
    DressRehearsalError,
    MessageExpired,
    MessageUnreadable,
    NotAnswering,
    OutOfOrder,
)
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Expired, Refusal, Refused, type_name, type_of
from actors.service.receipt import Receipt
from actors.store.messaging.origin import UNKNOWN, ChannelOrigin
from actors.store.messaging.unheard import unheard_name
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.service.remote.remote_client import RemoteClient
    from actors.service.remote.remote_service import RemoteService

US: Final = 1_000_000

_encode = msgspec.json.Encoder().encode


class RemoteLine:
    """One incarnation's, of one sender's file: the other end of its channel.

    A message is acknowledged when the remote service has answered it, or its time is up. A refusal
    goes back before that, as an event that the sender's transaction applies once, by the number of
    what was refused. What fails is acknowledged as failed, with all that is behind it: its channel
    sends it again. The order is the inbox's: after one number comes the next, or the lowest that
    its sender has not had acknowledged.
    """

    def __init__(
        self,
        remote: RemoteService,
        client: RemoteClient,
        *,
        sender: str,
        store: str,
        expired: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`expired` counts what was too late; `failed` ends the incarnation, for a bug."""
        self._remote = remote
        self._client = client
        self._sender = sender
        self._file = (sender, store)
        self._expired = expired
        self._fail = failed
        self._waiting: deque[tuple[Envelope, Receipt]] = deque()
        self._work: asyncio.Task[None] | None = None

    def put(self, envelope: Envelope, receipt: Receipt) -> None:
        """Take a message; the receipt hears what becomes of it."""
        self._waiting.append((envelope, receipt))
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._tell_all())
            self._work.add_done_callback(self._done)

    async def close(self) -> None:
        """Tell no more; what was not heard is its sender's to send again."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])

    # --- As the keeper of what goes back ------------------------------------------------------

    def applied(self, receipt: Receipt) -> None:
        """Hear that the sender has applied a refusal, or that it is a dead letter there."""
        if not receipt.about.done():
            receipt.about.set_result(None)

    def failed(self, receipt: Receipt, error: BaseException) -> None:
        """Hear that it could not be: it comes again, with what was refused."""
        if not receipt.about.done():
            receipt.about.set_exception(error)

    # --- Inside ------------------------------------------------------------------------------

    async def _tell_all(self) -> None:
        while self._waiting:
            envelope, receipt = self._waiting[0]
            number, known = receipt.number, self._remote.acknowledged.get(self._file, 0)
            try:
                if number > known:
                    self._check_order(envelope, known)
                    await self._tell(envelope)
                    self._remote.acknowledged[self._file] = number
            except MessageExpired as late:
                self._remote.acknowledged[self._file] = number
                self._waiting.popleft()
                receipt.settle_error(late)
                continue
            except DressRehearsalError as error:
                self._give_back(error)
                return
            self._waiting.popleft()
            receipt.settle(None)

    def _check_order(self, envelope: Envelope, known: int) -> None:
        origin = envelope.origin
        if origin.number not in {known + 1, origin.base}:
            error = f"{self._sender}: message {origin.number} came after {known}"
            raise OutOfOrder(error)

    async def _tell(self, envelope: Envelope) -> None:
        """Return when it was answered. Raises what it ends in else."""
        remote, message, origin = self._remote, envelope.message, envelope.origin
        if isinstance(message, Unreadable):
            raise MessageUnreadable(message.reason)
        limit_s = remote.config.remote.command_s_max
        if envelope.by_us is not None:
            left_s = (envelope.by_us - remote.clock.now_us()) / US
            if left_s <= 0.0:
                await self._expire(envelope)
            limit_s = min(limit_s, left_s)
        if remote.rests_s:
            error = f"{remote.name} asked to be left alone"
            raise NotAnswering(error, retry_after_s=remote.rests_s)
        key = f"{origin.store}.{remote.name}.{origin.number}"
        reply = await self._client.request(envelope, key, limit_s=limit_s, reads=False)
        if isinstance(reply, Refusal):
            await self._send_back(envelope, Refused(command=message, refusal=reply))

    async def _expire(self, envelope: Envelope) -> None:
        """Tell the sender, if it wants to know. Raises MessageExpired."""
        remote, name = self._remote, type_name(type_of(envelope.message))
        told = Expired(command=envelope.message)
        error = MessageExpired(
            f"{name} was not to be sent so late to {remote.name}", place="channel"
        )
        error.is_told = self._hears(told)
        if error.is_told:
            await self._send_back(envelope, told)
        else:
            remote.directory.warn_expired(self._sender, name)
        self._expired()
        raise error

    def _hears(self, told: Any) -> bool:
        handled = self._remote.directory.catalog.handled[self._sender]
        return type_name(type_of(told)) in handled

    async def _send_back(self, envelope: Envelope, told: Any) -> None:
        """Return when the sender has applied it. Raises DressRehearsalError where it has not."""
        remote, origin = self._remote, envelope.origin
        message = told
        if not self._hears(told):  # a dead letter there, as another service's would be
            name = unheard_name(type_name(type_of(told)))
            message = remote.directory.decode(self._sender, name, _encode(told))
        heard = asyncio.get_running_loop().create_future()
        back = Envelope(
            message,
            Receipt(self, origin.number, heard),
            trace=envelope.trace,
            urgent=envelope.urgent,
            # Numbers of what was refused have gaps, and each is the lowest that can come.
            origin=ChannelOrigin(
                remote.name, origin.store, origin.number, origin.number, UNKNOWN, origin.number
            ),
        )
        remote.directory.deliver(self._sender, [back])
        await heard

    def _give_back(self, error: BaseException) -> None:
        """Have all sent again: those behind it must not come before it."""
        waiting = [receipt for _, receipt in self._waiting]
        self._waiting.clear()
        for receipt in waiting:
            receipt.settle_error(error)

    def _done(self, work: asyncio.Task[None]) -> None:
        error = None if work.cancelled() else work.exception()
        if error is not None:
            self._fail(error)
        elif not work.cancelled():
            return
        if self._work is work:
            self._give_back(ActorCrashed(f"{self._remote.name} ended while it was told this"))
        elif self._work is not None:
            self._work.cancel()
