"""Mistakes in a table of addresses: each would make every request there fail."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.simulation.deploys.mistake import Broken, Mistake, Unheard
from http_edge.address import Address, parameters_of
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from http_edge.endpoints.stream_endpoint import StreamEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from actors.simulation.deploys.parts import Parts, Row

    Change = Callable[[Address], Any]


def _of_service(parts: Parts) -> Sequence[Row]:
    return [row for row in parts.rows if isinstance(row.address.endpoint, ServiceEndpoint)]


def _with_parameter(parts: Parts) -> Sequence[Row]:
    return [row for row in _of_service(parts) if parameters_of(row.address.path)]


def _creating(parts: Parts) -> Sequence[Row]:
    """Return those whose reply, as it is typed, has no id."""
    found = []
    for row in _of_service(parts):
        endpoint: Any = row.address.endpoint
        spec = parts.classes[endpoint.service].handlers[endpoint.message]
        fields = getattr(spec.reply, "__struct_fields__", None)
        if fields and "id" not in fields and endpoint.reply is None:
            found.append(row)
    return found


def _streams(parts: Parts) -> Sequence[Row]:
    return [row for row in parts.rows if isinstance(row.address.endpoint, StreamEndpoint)]


def _instead(parts: Parts, row: Row, *, change: Change, says: str) -> Broken:
    """Another row stands in its place."""
    changed = change(row.address)

    def put(rows: list[Any]) -> None:
        rows[row.number] = changed

    where = f"{row.listener} {changed[0]} {changed[1]}: " if isinstance(changed, Address) else ""
    return Broken(systems=lambda _: parts.with_rows(row, put), says=(where, says))


def _besides(parts: Parts, row: Row, *, change: Change, says: str) -> Broken:
    """Another row stands below all."""
    added = change(row.address)
    where = f"{row.listener} {added.method} {added.path}: "
    return Broken(
        systems=lambda _: parts.with_rows(row, lambda rows: rows.append(added)), says=(where, says)
    )


def _with_endpoint(address: Address, **changes: Any) -> Address:
    endpoint: Any = address.endpoint
    return address._replace(endpoint=replace(endpoint, **changes))


def _misspelt(address: Address) -> Address:
    name = parameters_of(address.path)[0]
    return address._replace(path=address.path.replace(f"{{{name}", "{nexts", 1))


def _elsewhere(parts: Parts, row: Row) -> Broken:
    system = parts.systems[row.system]

    def addresses(wiring: Any) -> Mapping[str, Sequence[Address]]:
        return {**system.addresses_in(wiring), "next_desk": [row.address]}

    return Broken(
        systems=lambda _: parts.with_system(row.system, addresses=addresses),
        says=(system.name, "it has addresses at next_desk, which no system declares"),
    )


NOT_THERE: Final = "no service is called 'nobody'"
# What is wrong -> where, whether in place of a row, the row, what is said.
TABLE: Final[Mapping[str, tuple[Any, Any, Change, str]]] = MappingProxyType(
    {
        "two rows for one address": (
            _of_service, _besides, lambda row: row, "two rows are for one address",
        ),
        "a parameter that its message lacks": (
            _with_parameter, _instead, _misspelt, "has no field nexts, but",
        ),
        "a parameter that is called otherwise in another row": (
            _with_parameter,
            _besides,
            lambda row: Address("DELETE", f"{_misspelt(row).path}/next", row.endpoint),
            "another row calls the same segment",
        ),
        "an address to nobody": (
            _of_service, _instead, lambda row: _with_endpoint(row, service="nobody"), NOT_THERE,
        ),
        "an address for what is not handled there": (
            _of_service,
            _instead,
            lambda row: _with_endpoint(row, message=Unheard),
            "has no handler for Unheard",
        ),
        "a stream from nobody": (
            _streams, _instead, lambda row: _with_endpoint(row, service="nobody"), NOT_THERE,
        ),
        "a stream of a command": (
            _streams,
            _instead,
            lambda row: _with_endpoint(row, message=Unheard),
            "Unheard is a command: only a query has pages",
        ),
        "a location without an id": (
            _creating,
            _instead,
            lambda row: _with_endpoint(row, location="/next/"),
            "has no id: give it that field",
        ),
        "a status that there is not": (
            _of_service,
            _instead,
            lambda row: _with_endpoint(row, status=299),
            "HTTP has no status 299",
        ),
        "a method that there is not": (
            _of_service, _besides, lambda row: row._replace(method="FETCH"), "has no method FETCH",
        ),
        "a path without a slash": (
            _of_service, _besides, lambda row: row._replace(path="next"), "begins with a slash",
        ),
        "a path with a brace too many": (
            _of_service,
            _besides,
            lambda row: row._replace(path="/next/{id}s"),
            "{id}s is neither a text, nor {name}",
        ),
        "two parameters of one name": (
            _of_service,
            _besides,
            lambda row: row._replace(path="/next/{id}/{id}"),
            "id is the name of two segments",
        ),
        "a row that is none": (
            _of_service, _instead, tuple, "is no Address with an endpoint",
        ),
    }
)  # fmt: skip
ADDRESS_MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(places=places, make=partial(how, change=change, says=says))
            for name, (places, how, change, says) in TABLE.items()
        },
        "addresses where nobody listens": Mistake(places=_of_service, make=_elsewhere),
    }
)
