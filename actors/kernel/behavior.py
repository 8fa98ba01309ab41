"""What an actor does with its messages: the hooks that its author overrides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from actors.kernel.envelope import Envelope
    from actors.kernel.ref import ActorRef


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a batch ended. `outcomes[i]` is the reply, Refusal or typed error of envelope i.

    Fewer outcomes than envelopes means that the incarnation must end with `crash`; the one at
    `culprit`, an index, is to blame if given. All that have no outcome go back to the queue.
    """

    outcomes: Sequence[Any]
    crash: BaseException | None = None
    culprit: int | None = None


class Behavior:
    """One incarnation: made by the actor's factory, used until it crashes or is stopped.

    All hooks run on the event loop. `on_start`, `on_receive` and `on_stop` may be plain functions
    or coroutines; while a coroutine runs, the actor takes no other message of that lane.
    """

    # Whether a message that was in hand when the incarnation ended may be run again. Only a
    # behavior that recognises the second delivery, as a store does, can say yes.
    redelivers: ClassVar[bool] = False

    actor_ref: ActorRef
    incarnation: int

    @property
    def start_steps(self) -> int:
        """How far a start that is under way has got; one that stands still has failed."""
        return 0

    def on_start(self) -> Awaitable[None] | None:
        """Before the first message, after every (re)start. Raising is a crash."""

    def on_receive(self, message: Any) -> Any:
        """Once a message; the return value is the reply. Raising is a crash."""
        error = f"{type(self).__name__} has no handler for {type(message).__name__}"
        raise TypeError(error)

    async def on_batch(self, lane: int, batch: Sequence[Envelope]) -> BatchResult:
        """Once a batch, instead of `on_receive`, where the actor was made to take batches."""
        raise NotImplementedError

    def on_stop(self) -> Awaitable[None] | None:
        """After the last message of an incarnation that ends in order. Not after a crash."""

    def fail(self, error: BaseException) -> None:
        """End this incarnation with `error`, from work of its own that no message asked for."""
        self.actor_ref.fail(self.incarnation, error)

    def on_failure(self, error: BaseException) -> Awaitable[None] | None:
        """After a crash, a kill, or an `on_stop` that was cut short.

        The next incarnation does not wait for what it awaits.
        """
