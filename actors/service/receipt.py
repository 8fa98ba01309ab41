"""What a kept message has for a reply future: it tells its keeper whether it was applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import DeadLettered, MessageExpired

if TYPE_CHECKING:
    from typing import Protocol

    class Keeper(Protocol):
        """Whoever has sent messages that it keeps until they are applied."""

        def applied(self, receipt: Receipt) -> None:
            """Hear of the receiver's commit; several may come of one."""
            ...

        def failed(self, receipt: Receipt, error: BaseException) -> None:
            """Hear that there was none."""
            ...


class Receipt(msgspec.Struct, eq=False):
    """Settled by the receiver's actor as an AsyncioFuture is; nobody awaits it.

    `keeper` has sent its message of that `number`, and knows what it is `about`. One is made for
    each message: a struct, and no closures.
    """

    keeper: Keeper
    number: int
    about: Any

    @property
    def ended(self) -> bool:
        """Always false: whoever keeps a message never gives it up."""
        return False

    def settle(self, value: Any) -> None:
        """Take the reply, which goes nowhere."""
        del value
        self.keeper.applied(self)

    def settle_error(self, error: BaseException) -> None:
        """Take what it ended with; a dead letter is the receiver's to keep from now on."""
        if isinstance(error, DeadLettered | MessageExpired):
            self.keeper.applied(self)
        else:
            self.keeper.failed(self, error)
