"""A whole number has 64 bits, as the store's have: a larger one is the client's to mend.

JSON and Python know larger ones, and a handler that hands one to its SQL would crash of it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.service.json_types import types_within
from http_edge.problems import Kind, ProblemError

if TYPE_CHECKING:
    from actors.kernel.messages import Message

INT64: Final = range(-(2**63), 2**63)
# The shortest that may not fit.
_LONG: Final = re.compile(rb"[0-9]{19}")


@cache
def may_be_large(message_type: type[Message]) -> bool:
    """Whether a legal message may hold a number that the types of its fields do not limit."""
    return any(_is_open(each) for _, each in types_within(message_type))


def _is_open(kind: msgspec.inspect.Type) -> bool:
    if not isinstance(kind, msgspec.inspect.IntType):
        return isinstance(kind, msgspec.inspect.AnyType)
    low = kind.gt if kind.ge is None else kind.ge
    high = kind.lt if kind.le is None else kind.le
    return low is None or high is None or low < INT64.start or high > INT64.stop


def refuse_large(body: bytes, message: Message) -> None:
    """Refuse numbers of more than 64 bits, naming the field."""
    if _LONG.search(body) is None:  # most bodies are done here
        return
    found = _find(msgspec.to_builtins(message), "")
    if found is not None:
        detail = f"{found} is not a whole number of 64 bits"
        raise ProblemError(Kind.INVALID, detail, field=found)


def _find(value: Any, path: str) -> str | None:
    """Return the path of the first number that is too large."""
    if isinstance(value, int):
        return None if value in INT64 else path
    if isinstance(value, dict):
        pairs = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        pairs += [(path, key) for key in value if isinstance(key, int)]
    elif isinstance(value, list | tuple):
        pairs = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    else:
        return None
    return next((hit for name, item in pairs if (hit := _find(item, name)) is not None), None)
