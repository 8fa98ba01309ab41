"""What a message or a reply is in JSON: a type that has no form there is named with its place."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import inspect, json

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTEAD: Final = (
    "use str, int, float, bool, bytes, a date or a time, a Decimal, an Enum, a list, a dict, or a "
    "msgspec.Struct of these"
)


# Remembered: the handlers' types are looked at when their class is made, and again by the edge,
# of which a simulation makes one for each of its runs.
@cache
def type_info(kind: Any) -> inspect.Type:
    """Return what msgspec knows of a type. Raises NameError where one of its names is unknown."""
    return inspect.type_info(kind)


@cache
def decoder_of(kind: Any) -> json.Decoder[Any]:
    """Return what reads a type: every incarnation of a service, and every edge, has it again."""
    return json.Decoder(kind)


def without_form(kind: Any) -> Iterator[str]:
    """Yield, for each type within `kind` that JSON has no form for, its place and its name.

    Raises NameError as `type_info`.
    """
    for path, each in types_within(kind):
        if isinstance(each, inspect.CustomType):
            yield f"{path or 'it'} is a {each.cls.__name__}"


def types_within(kind: Any) -> Iterator[tuple[str, inspect.Type]]:
    """Yield every type within `kind`, itself and each struct once, with where it stands.

    Raises NameError as `type_info`.
    """
    yield from _types_within(type_info(kind), "", set())


def _types_within(
    kind: inspect.Type, path: str, seen: set[type]
) -> Iterator[tuple[str, inspect.Type]]:
    yield path, kind
    match kind:
        case (
            inspect.StructType()
            | inspect.DataclassType()
            | inspect.TypedDictType()
            | inspect.NamedTupleType()
        ):
            if kind.cls in seen:  # a tree's nodes hold nodes
                return
            seen.add(kind.cls)
            for field in kind.fields:
                place = f"{path or kind.cls.__name__}.{field.name}"
                yield from _types_within(field.type, place, seen)
        case inspect.UnionType():
            for each in kind.types:
                yield from _types_within(each, path, seen)
        case inspect.DictType():
            yield from _types_within(kind.key_type, path, seen)
            yield from _types_within(kind.value_type, path, seen)
        case inspect.TupleType():
            for each in kind.item_types:
                yield from _types_within(each, path, seen)
        case inspect.CollectionType():
            yield from _types_within(kind.item_type, path, seen)
