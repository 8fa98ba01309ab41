"""Everything wrong with the addresses is found when the edge is made, and named at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.errors import ConfigError
from actors.kernel.messages import Command, Query
from http_edge.address import Address
from http_edge.edge import Edge
from http_edge.endpoints.admin_endpoint import guarded
from http_edge.endpoints.parked import while_parked
from http_edge.endpoints.service_endpoint import service
from http_edge.endpoints.stream_endpoint import stream
from http_edge.endpoints.text_endpoint import text
from http_edge.listener import Listener
from tests.http_edge.fake_system import FakeSystem

if TYPE_CHECKING:
    from pathlib import Path


class GetThing(Query):
    thing_id: str


class Paint(Command):
    thing_id: str
    colour: str


class Name(Command):
    """Answered by something without an id."""


class ListNames(Query):
    pass


class Painted(msgspec.Struct, frozen=True):
    id: str


class Named(msgspec.Struct, frozen=True):
    name: str


def make(folder: Path, *listeners: Listener) -> Edge:
    system = FakeSystem()
    system.unhandled = {("room", Paint)}
    system.replies = {Name: Painted | Named, ListNames: Painted}
    return Edge(system, load_config().edge, listeners, data_dir=folder)


def gateway(*addresses: tuple[str, str, Any]) -> Listener:
    return Listener("gateway", "127.0.0.1", 0, [Address(*each) for each in addresses])


def test_all_that_is_wrong_is_named_in_one_error(tmp_path: Path) -> None:
    """Each fault with its listener, its method and its path."""
    hi, thing = text("hi"), service("room", GetThing)
    taken = "/admin/actors/{actor}/kill"
    wrong = gateway(
        ("GET", "/a/{thing_id}", thing),
        ("GET", "/a/{thing_id}", thing),
        ("GET", "/a/{other}/b", hi),
        ("GET", "/b/{thing}", thing),
        ("GET", "/c/{thing}", stream("room", GetThing, str)),
        ("POST", "/d", service("room", Paint)),
        ("POST", "/d", service("lobby", Paint)),
        ("POST", "/admin/e", guarded(service("lobby", Paint))),
        ("GET", "/f", while_parked(service("lobby", GetThing))),
        ("FETCH", "/g", hi),
        ("GET", "h", hi),
        ("GET", "/i/{rest*}/j", hi),
        ("GET", "/k{x}", hi),
        ("GET", "/l/{thing_id}/{thing_id}", thing),
        ("POST", "/m", service("booking", Name, 201, location="/m/")),
        ("POST", "/n", service("booking", Name, 201, location="/n/", reply=lambda _: (201, "n"))),
        ("GET", "/o", stream("booking", Paint, str)),
        ("GET", "/q", stream("booking", ListNames, str)),
        ("GET", "/healthz", hi),
        ("POST", taken, hi),
    )
    with pytest.raises(ConfigError) as raised:
        make(tmp_path, wrong)
    _, *faults = str(raised.value).split("\n  ")
    assert faults == [
        "gateway GET /a/{thing_id}: two rows are for one address: keep one",
        "gateway GET /a/{other}/b: another row calls the same segment {thing_id}, and not {other}",
        "gateway GET /b/{thing}: GetThing has no field thing, but thing_id",
        "gateway GET /c/{thing}: GetThing has no field thing, but thing_id",
        "gateway POST /d: room has no handler for Paint: write one, or name whose it is",
        "gateway POST /d: two rows are for one address: keep one",
        "gateway POST /d: no service is called 'lobby'",
        "gateway POST /admin/e: no service is called 'lobby'",
        "gateway GET /f: no service is called 'lobby'",
        "gateway FETCH /g: HTTP has no method FETCH",
        "gateway GET h: a path begins with a slash",
        "gateway GET /i/{rest*}/j: {rest*} is neither a text, nor {name}, nor {name*} at the end",
        "gateway GET /k{x}: k{x} is neither a text, nor {name}, nor {name*} at the end",
        "gateway GET /l/{thing_id}/{thing_id}: thing_id is the name of two segments",
        "gateway POST /m: the reply to Name, Named, has no id: give it that field",
        "gateway GET /o: Paint is a command: only a query has pages",
        "gateway GET /q: the reply to ListNames, Painted, has no items: give it that field",
        "gateway GET /q: the reply to ListNames, Painted, has no next: give it that field",
        "gateway GET /healthz: two rows are for one address: keep one",
        f"gateway POST {taken}: another row calls the same segment {{name}}, and not {{actor}}",
    ]
