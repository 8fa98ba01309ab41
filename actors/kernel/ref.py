"""The stable address of an actor: the same object before and after any number of restarts."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pykka

from actors.errors import ActorError, AskCycle, BlockingCall, DeadlineExceeded
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture

if TYPE_CHECKING:
    from typing import Protocol

    from actors.kernel.context import KernelContext
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.stats import ActorStats

    class Addressee(Protocol):
        """What an actor is to its ref, beside what pykka takes from it."""

        name: str
        context: KernelContext

        def fail(self, number: int, error: BaseException) -> None: ...

        def degrade(self, number: int, error: str | None) -> None: ...

        def stats(self) -> ActorStats: ...


# For the loop to end a blocking ask with DeadlineExceeded, before the thread gives up on the loop.
DEADLINE_HEAD_START_S = 1.0

# Names of the actors that wait for what this context does, outermost first.
waiting_path: ContextVar[tuple[str, ...]] = ContextVar("waiting_path", default=())


class ActorRef(pykka.ActorRef[Any]):
    """What others hold of an actor. All but `send` may be called from any thread."""

    __slots__ = (
        "_actor", "_actor_weakref", "_clock", "_deadlines", "_loop", "actor_class", "actor_inbox",
        "actor_stopped", "actor_urn", "name",
    )  # fmt: skip

    actor_inbox: Mailbox  # type: ignore[assignment]  # pykka asks for a blocking get(); ours never waits

    def __init__(self, actor: Addressee) -> None:
        """Made by the actor itself, once."""
        super().__init__(actor)
        self.name = actor.name
        self._actor = actor
        self._loop = actor.context.loop
        self._clock = actor.context.clock
        self._deadlines = actor.context.deadlines

    def __str__(self) -> str:
        """Name the actor as logs do."""
        return self.name

    def tell(self, message: Any, *, timeout: float | None = None, key: str | None = None) -> None:
        """Send without waiting for a reply; not run if `timeout` seconds pass first.

        Raises MailboxFull or ActorStopped where the message is not accepted. Under the overflow
        policy "wait" use `send`, which waits for room.
        """
        self.actor_inbox.put(Envelope(message, None, self._deadline(timeout), key))

    async def send(self, message: Any, *, timeout: float | None = None) -> None:
        """Send, waiting for room where the mailbox is full and its policy is "wait".

        On the actor's own loop only; from another thread, `tell`.
        """
        if asyncio.get_running_loop() is not self._loop:
            error = "send() waits on the actor's own event loop; from another one, tell()"
            raise ActorError(error)
        admitted = self.actor_inbox.offer(Envelope(message, None, self._deadline(timeout)))
        if admitted is None:
            return
        try:
            async with asyncio.timeout(timeout):
                await admitted
        except TimeoutError:
            error = f"the mailbox of {self.name} had no room within {timeout} s"
            raise DeadlineExceeded(error) from None

    def ask(
        self,
        message: Any,
        *,
        block: bool = True,
        timeout: float | None = None,
        key: str | None = None,
        trace: str | None = None,
    ) -> Any:
        """Send and expect a reply, within `timeout` seconds if given.

        On the loop: `await ref.ask(message, block=False)`. The awaited value is the reply or a
        Refusal. Raises (or the future ends with) MailboxFull, DeadlineExceeded, ActorStopped,
        ActorCrashed, DeadLettered; AskCycle where the actor already waits for the asker.
        """
        if block and _on_loop():
            error = "ask() would block the event loop; write `await ref.ask(message, block=False)`"
            raise BlockingCall(error)
        path = waiting_path.get()
        if path and self.name in path:
            raise AskCycle((*path[path.index(self.name) :], self.name))
        future: AsyncioFuture[Any] = AsyncioFuture(self._loop)
        if timeout is None:
            envelope = Envelope(message, future, None, key, trace, path)
        else:
            deadline = self._clock.monotonic() + timeout
            envelope = Envelope(message, future, deadline, key, trace, path)
            self._deadlines.add(future, deadline, timeout, self.name)
        try:
            self.actor_inbox.put(envelope)
        except ActorError as error:
            future.settle_error(error)
        if not block:
            return future
        # The deadline's own error is the better one, so it gets a head start.
        return future.get(timeout=None if timeout is None else timeout + DEADLINE_HEAD_START_S)

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """End the incarnation in order, after the messages it has in hand.

        A supervised actor's supervisor then does what its restart type says; any other is gone for
        good. The value is False where it was gone already. With `block` False, returns a future.
        """
        if block and _on_loop():
            error = "stop() would block the event loop; write `await ref.stop(block=False)`"
            raise BlockingCall(error)
        future: AsyncioFuture[bool] = AsyncioFuture(self._loop)
        if self.is_alive():
            self.actor_inbox.signal("stop", future)
        else:
            self._loop.call_soon_threadsafe(future.settle, False)  # noqa: FBT003 - a pykka value
        return future.get(timeout=timeout) if block else future

    def kill(self, reason: str = "killed") -> None:
        """End the incarnation at once, whatever it is doing; what it had in hand is not lost."""
        self.actor_inbox.signal("kill", reason)

    def fail(self, incarnation: int, error: BaseException) -> None:
        """Crash that incarnation, unless it is over; on the actor's own loop only."""
        self._actor.fail(incarnation, error)

    def degrade(self, incarnation: int, error: str | None) -> None:
        """Note that it can only read, and why; or (None) write again; on the actor's own loop."""
        self._actor.degrade(incarnation, error)

    def restart(self) -> None:
        """End the incarnation in order and start the next. Revives a parked actor."""
        self.actor_inbox.signal("restart")

    def suspend(self, for_s: float | None = None) -> None:
        """Accept messages and handle none, until `resume` or for so many seconds."""
        self.actor_inbox.signal("suspend", for_s)

    def resume(self) -> None:
        """Handle messages again."""
        self.actor_inbox.signal("resume")

    def stats(self) -> ActorStats:
        """Return a frozen snapshot of the actor's state and counters."""
        return self._actor.stats()

    def proxy(self) -> Any:
        """Raise: a proxy would call methods past the mailbox's messages."""
        error = "proxies are not supported; send a message: `await ref.ask(message, block=False)`"
        raise TypeError(error)

    def _deadline(self, timeout: float | None) -> float | None:
        return None if timeout is None else self._clock.monotonic() + timeout


def _on_loop() -> bool:
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - get_running_loop() raises instead
