"""What a query's author says of keeping its answers, read when the class is made."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Final

import msgspec
from msgspec import inspect

from actors.kernel.messages import Event, type_name
from actors.service.json_types import type_info

KeptFor = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
# What answers can be sorted by, and compared with what an event says: it has a hash, and one value
# has one form.
PLAIN: Final = (
    *(inspect.StrType, inspect.IntType, inspect.BoolType, inspect.BytesType, inspect.LiteralType),
    *(inspect.DateType, inspect.DateTimeType, inspect.UUIDType, inspect.DecimalType),
    inspect.EnumType,
)


class CacheOptions(msgspec.Struct, frozen=True, kw_only=True):
    """As declared by `query`; `cache_s` is None where nothing is kept."""

    cache_s: Any = None
    by: Any = None
    forget: Any = ()

    def check(self, handler: str, message: type) -> None:
        """Raise TypeError, naming the handler, where something of it cannot be."""
        if self.cache_s is None:
            error = f"{handler}: @query(by=…, forget=…) are of what is kept: say cache_s=…, too"
            raise TypeError(error)
        try:
            msgspec.convert(self.cache_s, KeptFor)
        except msgspec.ValidationError as wrong:
            error = f"{handler}: @query(cache_s=…) is {self.cache_s!r}: {wrong}"
            raise TypeError(error) from wrong
        if not isinstance(self.forget, list | tuple) or not all(map(_is_event, self.forget)):
            error = f"{handler}: @query(forget=…) is a list of events, as in forget=[RoomHeld]"
            raise TypeError(error)
        if self.by is not None:
            self._check_by(handler, message)

    def group_of(self, message: Any) -> Any:
        """Return what the answer to this question is forgotten with, or None: with anything."""
        return None if self.by is None else getattr(message, self.by)

    def _check_by(self, handler: str, message: type) -> None:
        by = self.by
        if not self.forget:
            error = (
                f"{handler}: @query(by={by!r}) says which answers an event is about: say which "
                f"events, by forget=[SomeEvent]"
            )
            raise TypeError(error)
        fields = _types(message)
        if by not in fields:
            known = ", ".join(fields) or "none"
            error = (
                f"{handler}: @query(by={by!r}): {type_name(message)} has no such field, but {known}"
            )
            raise TypeError(error)
        if not _is_plain(fields[by]):
            error = (
                f"{handler}: @query(by={by!r}): answers are sorted by a text, a whole number, a "
                f"date or an id, and {type_name(message)}.{by} is another thing"
            )
            raise TypeError(error)
        for event in self.forget:
            its = _types(event).get(by)
            if its is not None and _kinds(its) != _kinds(fields[by]):
                error = (
                    f"{handler}: @query(by={by!r}): {type_name(event)}.{by} is of another type "
                    f"than {type_name(message)}.{by}, and would never be the same"
                )
                raise TypeError(error)


def _is_event(given: Any) -> bool:
    kind = typing.get_origin(given) or given
    return isinstance(kind, type) and issubclass(kind, Event)


def _types(message: Any) -> dict[str, inspect.Type]:
    info = type_info(message)
    assert isinstance(info, inspect.StructType), "messages are structs"
    return {field.name: field.type for field in info.fields}


def _members(kind: inspect.Type) -> list[inspect.Type]:
    each = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    bare = [one.type if isinstance(one, inspect.Metadata) else one for one in each]
    return [one for one in bare if not isinstance(one, inspect.NoneType)]


def _is_plain(kind: inspect.Type) -> bool:
    return all(isinstance(each, PLAIN) for each in _members(kind))


def _kinds(kind: inspect.Type) -> set[Any]:
    """Return what the values are, whatever their bounds, and whether or not there is one."""
    found: set[Any] = set()
    for each in _members(kind):
        if isinstance(each, inspect.LiteralType):
            found |= {
                inspect.StrType if isinstance(value, str) else inspect.IntType
                for value in each.values
            }
        else:
            found.add(each.cls if isinstance(each, inspect.EnumType) else type(each))
    return found
