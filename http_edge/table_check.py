"""Everything that is wrong with the addresses is found before any is served, and named at once."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPMethod
from typing import TYPE_CHECKING, Any, Final, cast

from actors.errors import ConfigError
from http_edge.address_table import AddressTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from http_edge.listener import Listener
    from http_edge.served_system import Handling

_METHODS: Final = frozenset(HTTPMethod) - {HTTPMethod.CONNECT}


def joined(listeners: Iterable[Listener]) -> list[Listener]:
    """Return each listener once, with the addresses that everybody has for it.

    Raises ConfigError where two want one listener to speak different dialects, or be elsewhere.
    """
    found: dict[str, Listener] = {}
    faults = []
    for listener in listeners:
        known = found.get(listener.name)
        if known is None:
            found[listener.name] = listener
            continue
        if known != replace(listener, addresses=known.addresses):
            faults.append(
                f"listener {listener.name}: one has {_said(known)}, another {_said(listener)}"
            )
        found[listener.name] = known.also(listener.addresses)
    _refuse(faults)
    return list(found.values())


def check(listeners: Iterable[Listener], system: Handling) -> None:
    """Raise ConfigError that names every address at fault, and why."""
    _refuse(fault for listener in listeners for fault in _faults(listener, system))


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


def _said(listener: Listener) -> str:
    return f"{listener.gateway.__name__} at {listener.host}:{listener.port}"


def _refuse(faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        raise ConfigError("\n  ".join(["these addresses cannot be served:", *found]))
