"""Everything that is wrong with the addresses is found before any is served, and named at once."""

from __future__ import annotations

from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Final, cast

from actors.errors import ConfigError
from http_edge.address import parameters_of
from http_edge.address_table import AddressTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from http_edge.listener import Listener
    from http_edge.served_system import Handling

_METHODS: Final = frozenset(HTTPMethod) - {HTTPMethod.CONNECT}


def check(listeners: Iterable[Listener], system: Handling) -> None:
    """Raise ConfigError that names every address at fault, and why."""
    faults = [fault for listener in listeners for fault in _faults(listener, system)]
    if faults:
        raise ConfigError("\n  ".join(["these addresses cannot be served:", *faults]))


def _faults(listener: Listener, system: Handling) -> Iterator[str]:
    table = AddressTable(heads=listener.gateway.serves_heads)
    for method, path, endpoint in listener.addresses:
        here = [*_spelling(method, path)]
        if not here:
            try:
                table.add(method, path, cast("Any", endpoint))
            except ValueError as error:
                here.append(str(error))
        here += endpoint.faults(path, system)
        yield from (f"{listener.name} {method} {path}: {fault}" for fault in here)


def _spelling(method: str, path: str) -> Iterator[str]:
    if method not in _METHODS:
        yield f"HTTP has no method {method}"
    if not path.startswith("/"):
        yield "a path begins with a slash"
    names = parameters_of(path)
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{name} is the name of two segments"
    *others, last = path.split("/")
    for segment in (*others, last):
        inner = segment.removeprefix("{").removesuffix("}")
        if inner == segment:
            is_well = "{" not in segment and "}" not in segment
        else:
            name = inner.removesuffix("*")
            is_well = segment == f"{{{inner}}}" and name.isidentifier()
            is_well = is_well and (name == inner or segment is last)
        if not is_well:
            yield f"{segment} is neither a text, nor {{name}}, nor {{name*}} at the end"
