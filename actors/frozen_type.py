"""What makes a struct frozen and keyword-only, without its author having to say so."""

from __future__ import annotations

from typing import Any

import msgspec


class FrozenType(msgspec.StructMeta):
    """The type of such structs: msgspec hands on `frozen` to subclasses, and `kw_only` not."""

    def __new__(mcls, *args: Any, frozen: bool = True, kw_only: bool = True, **options: Any) -> Any:
        """Take what a Struct takes, but for `frozen=False`. Raises TypeError."""
        if not frozen:
            error = f"{args[0]}: it never changes: leave out frozen=False"
            raise TypeError(error)
        return super().__new__(mcls, *args, frozen=frozen, kw_only=kw_only, **options)
