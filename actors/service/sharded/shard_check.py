"""What of a service does not fit its shards is named before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import inspect

from actors.errors import ConfigError
from actors.kernel.messages import type_name
from actors.service.json_types import type_info
from actors.service.service import Service
from actors.store.files.schema_check import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.service.handler_spec import HandlerSpec
    from actors.service.sharded.sharded import Sharded

# What a key may be: what is written in one way alone.
KEYS: Final = (inspect.StrType, inspect.IntType, inspect.UUIDType)


def check_shards(name: str, sharded: Sharded, made: Service) -> None:
    """Raise ConfigError where this service cannot be kept so; its schema is well."""
    for fault in _faults(sharded, made):
        error = f"service {name!r}: {type(made).__name__} cannot be sharded: {fault}"
        raise ConfigError(error)


def _faults(sharded: Sharded, made: Service) -> Iterator[str]:
    kind, key = type(made), sharded.key
    if kind.run is not Service.run:
        yield (
            f"{kind.__name__} has a `run`, which each shard would run: have a service that is not "
            f"sharded run it, and send what it finds"
        )
    for spec in kind.handlers.values():
        yield from _handler_faults(spec, sharded)
    for message in (*sharded.creates, *sharded.merge):
        wanted = "command" if message in sharded.creates else "query"
        handler = kind.handlers.get(message)
        if handler is None or handler.kind != wanted:
            said = "creates" if wanted == "command" else "merge"
            name = getattr(message, "__name__", message)
            yield f"`{said}` names {name}, and {kind.__name__} has no @{wanted} for it"
    for table, columns in columns_of(made.schema).items():
        column = sharded.columns.get(table, key)
        if column not in columns:
            yield (
                f"its table {table} has no column {column!r}, by which its rows could be moved to "
                f"another shard: add it, or say which one it is, columns={{{table!r}: ...}}"
            )


def _handler_faults(spec: HandlerSpec, sharded: Sharded) -> Iterator[str]:
    message, key = spec.message, sharded.key
    # Refused, Expired and GaveUp come back to the shard that sent; an effect runs where it was
    # asked for.
    if spec.kind in {"effect", "outcome"} or not isinstance(message, type):
        return
    name = type_name(message)
    types = _types_of(message, key)
    if wrong := [each for each in types if not isinstance(each, (*KEYS, inspect.NoneType))]:
        kinds = " or ".join(type(each).__name__.removesuffix("Type").lower() for each in wrong)
        yield f"{name}.{key} is a {kinds}: a key is a str, an int or a UUID"
        return
    if any(each.name == key != each.encode_name for each in _fields(message)):
        yield f"{name}.{key} has another name in JSON: a key is called {key!r} there, too"
    has_key = bool(types) and not any(isinstance(each, inspect.NoneType) for each in types)
    lacks = f"has no {key!r}" if not types else f"may have no {key!r}"
    named = sharded.merge if spec.kind == "query" else sharded.creates
    if message in named and (has_key or (types and spec.kind == "command")):
        said = "merge" if spec.kind == "query" else "creates"
        yield f"`{said}` names {name}, which has {key!r} and goes to one shard: leave it out"
    elif spec.kind == "query" and not has_key:
        yield from _query_faults(spec, name, lacks, sharded)
    elif spec.kind == "event" and not has_key:
        yield (
            f"it hears {name}, which {lacks}, so that no shard is meant: publish it with that "
            f"field, or have a service that is not sharded hear it and send what follows"
        )
    elif not has_key and message not in sharded.creates:
        yield (
            f"{name} {lacks}, so that no shard is meant: give it that field, without a default; "
            f"or, where its handler makes the {key} by tx.new_id(), name it in creates=(...)"
        )


def _query_faults(spec: HandlerSpec, name: str, lacks: str, sharded: Sharded) -> Iterator[str]:
    merge = sharded.merge.get(spec.message)
    if merge is None:
        yield (
            f"{name} {lacks}, so that all shards are asked, and nothing says how their answers "
            f"become one: name in merge={{{name}: ...}} the field that a list is sorted by, or a "
            f"function of the answers, such as `found`; or give it that field"
        )
        return
    if callable(merge):
        return
    items = items_of(spec.reply)
    if items is None:
        yield (
            f"`merge` sorts {name} by {merge!r}, and its reply is neither a list nor a struct of "
            f"`items` and `next` alone: merge it by a function"
        )
        return
    field = merge.removeprefix("-")
    sorted_by = {each.name: each.type for each in getattr(items, "fields", ())}.get(field)
    if sorted_by is None:
        yield f"`merge` sorts {name} by {merge!r}, and what it lists has no such field"
    elif any(isinstance(each, inspect.NoneType) for each in getattr(sorted_by, "types", ())):
        yield f"`merge` sorts {name} by {merge!r}, which may be None: that has no place in it"
    if isinstance(type_info(spec.reply), inspect.StructType):
        after = {each.name: each for each in _fields(spec.message)}.get("after")
        if after is None or not isinstance(after.type, inspect.StrType) or after.default != "0":
            yield (
                f"the pages of {name} end at a place in each shard, for which its `after` has no "
                f'room: write `after: Cursor = "0"`'
            )


def items_of(reply: Any) -> inspect.Type | None:
    """Return the type of what a reply lists, as a list or as a page; None where it does neither."""
    info = type_info(reply)
    if isinstance(info, inspect.StructType):
        fields = {each.name: each.type for each in info.fields}
        if fields.keys() != {"items", "next"}:
            return None
        info = fields["items"]
    return info.item_type if isinstance(info, inspect.ListType) else None


def _types_of(message: Any, key: str) -> tuple[inspect.Type, ...]:
    """Return the types that the field may have; none where there is no such field."""
    for field in _fields(message):
        if field.name == key:
            kind = field.type
            types = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
            if field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT:
                return types
            return (*types, inspect.NoneType())  # who forgets it means no key
    return ()


def _fields(message: Any) -> tuple[inspect.Field, ...]:
    info = type_info(message)
    return info.fields if isinstance(info, inspect.StructType) else ()
