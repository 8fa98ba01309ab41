"""How deep a body may go: what is taken here must be stored, answered and shown elsewhere.

Each of these goes as deep as the body does, from wherever it is called: a service that cannot even
write down its dead letter would crash of it for ever.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.service.json_types import types_within

if TYPE_CHECKING:
    from actors.kernel.messages import Message

# Of the 1,000 calls that Python allows, two or three a level, and the rest for who calls them.
LEVELS_MAX: Final = 200


@cache
def may_be_deep(message_type: type[Message]) -> bool:
    """Whether the types of its fields do not say how deep it is: one holds itself, or anything."""
    seen: set[type] = set()
    for _, kind in types_within(message_type):
        cls = getattr(kind, "cls", None)
        if isinstance(kind, msgspec.inspect.AnyType) or cls in seen:
            return True
        if cls is not None:
            seen.add(cls)
    return False


def refuse_deep(body: bytes) -> None:
    """Raise RecursionError, as the decoder does of what is deeper still."""
    if body.count(b"[") + body.count(b"{") <= LEVELS_MAX:  # most bodies are done here
        return
    level: list[Any] = [msgspec.json.decode(body)]  # an object: it was a message
    for _ in range(LEVELS_MAX):
        inside = (each.values() if isinstance(each, dict) else each for each in level)
        level = [value for each in inside for value in each if isinstance(value, dict | list)]
        if not level:
            return
    raise RecursionError
