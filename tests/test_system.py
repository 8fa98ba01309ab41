"""A system's declaration: what it may be written as, and what it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.errors import ConfigError
from actors.kernel.messages import Query
from actors.service.remote.remote import Remote
from actors.service.service import StatelessService, query
from actors.system import ListenerSpec, System, listeners_of, played, services_of, unbooted
from http_edge.address import Address
from http_edge.endpoints.service_endpoint import service

if TYPE_CHECKING:
    from pathlib import Path


class CountCups(Query):
    pass


class Counter(StatelessService):
    @query
    def count(self, question: CountCups) -> int:
        return 1


CUPS = Address("GET", "/cups", service("counter", CountCups))


@pytest.mark.parametrize("services", [{"counter": Counter}, lambda _: {"counter": Counter}])
@pytest.mark.parametrize(
    "addresses",
    [[CUPS], (CUPS,), {"gateway": [CUPS]}, lambda _: [CUPS], lambda _: {"gateway": (CUPS,)}],
)
def test_what_depends_on_nothing_needs_no_function(
    tmp_path: Path, services: Any, addresses: Any
) -> None:
    """A mapping of services, a sequence of the gateway's addresses; or a function that makes it."""
    system = System(name="tea", services=services, addresses=addresses)
    wiring = unbooted([system], load_config(systems=[system]), tmp_path)
    assert services_of([system], wiring) == {"counter": Counter}
    (gateway,) = listeners_of([system], wiring)
    assert gateway.addresses == (CUPS,)


def test_a_simulation_plays_what_stands_in_for_a_remote_service(tmp_path: Path) -> None:
    """Where nothing does it is refused (docs/MISTAKES.md)."""
    cups = Remote("http://127.0.0.1:8080", {CountCups: ("GET /cups", int)}, stand_in=Counter)
    system = System(name="tea", services={"counter": cups}, addresses=[CUPS])
    wiring = unbooted([system], load_config(systems=[system]), tmp_path)
    assert services_of([system], wiring) == {"counter": cups}
    assert services_of([played(system)], wiring) == {"counter": Counter}


def test_addresses_at_another_listener_are_by_its_name(tmp_path: Path) -> None:
    """A system's own listener beside the gateway."""
    system = System(
        name="tea",
        services={"counter": Counter},
        addresses={"stall": [CUPS]},
        listeners=(ListenerSpec("stall", 7000),),
    )
    wiring = unbooted([system], load_config(systems=[system]), tmp_path)
    gateway, stall = listeners_of([system], wiring)
    assert (gateway.addresses, stall.addresses) == ((), (CUPS,))


@pytest.mark.parametrize("name", ["", "Tea", "tea house", "../tea", "9tea", "tea\n", None])
def test_a_system_without_a_proper_name_cannot_be_declared(name: Any) -> None:
    """Its name is a folder's, a command's and a section's: found where it is written."""
    with pytest.raises(ConfigError, match="can be no system: call it with a-z"):
        System(name=name, services={})
