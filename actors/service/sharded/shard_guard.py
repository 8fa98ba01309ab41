"""No shard runs what is another's, whatever way it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from actors.kernel.discovery.sharding import Sharding
    from actors.store.store import BoundHandler


def guarded(handler: BoundHandler, sharding: Sharding, place: str) -> BoundHandler:
    """Return the handler of a command or event, which crashes with the key of another shard.

    Such as the outcome of an effect that has another key than its effect.
    """
    function = handler.function

    def run(tx: Any, message: Any) -> Any:
        key = sharding.key_of(message)
        if key is not None and sharding.place(key) != place:
            error = (
                f"{type(message).__name__}({sharding.key}={key!r}) came to {place}, and its rows "
                f"are in {sharding.place(key)}: send it by tx.send({sharding.service!r}, ...)"
            )
            raise TypeError(error)
        return function(tx, message)

    return msgspec.structs.replace(handler, function=run)
