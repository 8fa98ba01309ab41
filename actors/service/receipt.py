"""What a kept message has for a reply future: it tells its keeper whether it was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.errors import DeadLettered

if TYPE_CHECKING:
    from collections.abc import Callable


class Receipt:
    """Settled by the receiver's actor as an AsyncioFuture is; nobody awaits it."""

    __slots__ = ("_applied", "_failed", "keeper")

    def __init__(
        self,
        keeper: object,
        applied: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`applied` is called after the receiver's commit, `failed` where there was none.

        `keeper` is whoever sent the message.
        """
        self.keeper = keeper
        self._applied = applied
        self._failed = failed

    @property
    def ended(self) -> bool:
        """Always false: whoever keeps a message never gives it up."""
        return False

    def settle(self, value: Any) -> None:
        """Take the reply, which goes nowhere."""
        del value
        self._applied()

    def settle_error(self, error: BaseException) -> None:
        """Take what it ended with; a dead letter is the receiver's to keep from now on."""
        if isinstance(error, DeadLettered):
            self._applied()
        else:
            self._failed(error)
