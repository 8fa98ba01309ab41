"""What the deadline came before: 202, with what there is so far and where to see how it ends."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from actors.config import load_config
from actors.kernel.messages import Accepted, Command, Refusal
from actors.systems.hotel.messages import Booking
from actors.systems.tweets.messages import Tweet, TweetStored
from http_edge.answer import HttpDate
from http_edge.edge_context import EdgeContext
from http_edge.endpoints.service_endpoint import ServiceEndpoint
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import is_problem, serving

if TYPE_CHECKING:
    from http_edge.address import Endpoint
    from http_edge.answer import Answer

SO_FAR = Booking(
    id="b/1",
    customer_id="c1",
    room_id="r1",
    check_in=dt.date(2031, 5, 1),
    check_out=dt.date(2031, 5, 4),
    status="pending",
)
CREATE = {
    "customer_id": "c1",
    "room_id": "r1",
    "check_in": "2031-05-01",
    "check_out": "2031-05-04",
}
REGISTER = {
    "CustomerID": "c1",
    "RoomID": "r1",
    "CheckIn": "2031-05-01",
    "CheckOut": "2031-05-04",
}
TWEET = Tweet(id="t/1", author="bob", text="hello", external_id=None)


async def test_an_answer_that_was_put_off_is_202_with_a_location() -> None:
    """The booking so far, the address where it will be found, and a hint when to look there."""
    async with serving() as served:
        served.system.on_ask = lambda _: Accepted(value=SO_FAR)
        reply = await served.send("POST", "/api/v1/bookings", json=CREATE)
        assert (reply.status, reply.json) == (202, msgspec.to_builtins(SO_FAR))
        assert reply.json["status"] == "pending"
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["Location"] == "/api/v1/bookings/b%2F1"
        assert reply.headers["Retry-After"] == "1"
        assert reply.headers["X-Request-ID"]
        served.system.on_ask = None
        # It leads to the booking, whatever characters its id has.
        served.system.items["booking"].append(SO_FAR)
        found = await served.send("GET", reply.headers["Location"])
        assert (found.status, found.json) == (200, reply.json)


async def test_a_cancellation_that_was_put_off_is_found_at_its_own_address() -> None:
    """DELETE makes nothing new: what was deleted says how far it is."""
    async with serving() as served:
        cancelling = msgspec.structs.replace(SO_FAR, status="cancelling")
        served.system.on_ask = lambda _: Accepted(value=cancelling)
        reply = await served.send("DELETE", "/api/v1/bookings/b%2f1")
        assert (reply.status, reply.json["status"]) == (202, "cancelling")
        assert reply.headers["Location"] == "/api/v1/bookings/b%2F1"
        assert reply.headers["Retry-After"] == "1"


async def test_a_key_gets_the_same_answer_until_there_is_a_better_one() -> None:
    """The edge keeps nothing: what a retry is told is the service's to say."""
    async with serving() as served:
        headers = {"Idempotency-Key": "k"}
        served.system.on_ask = lambda _: Accepted(value=SO_FAR)
        for _ in range(2):
            reply = await served.send("POST", "/api/v1/bookings", json=CREATE, headers=headers)
            assert reply.status == 202
        done = msgspec.structs.replace(SO_FAR, status="confirmed")
        served.system.on_ask = lambda _: done
        reply = await served.send("POST", "/api/v1/bookings", json=CREATE, headers=headers)
        assert (reply.status, reply.json["status"]) == (201, "confirmed")
        assert [seen.key for seen in served.system.seen] == ["k"] * 3


async def test_a_refusal_that_was_put_off_is_told_as_any_other() -> None:
    """In time or late within the deadline, a no is a no."""
    async with serving() as served:
        served.system.on_ask = lambda _: Refusal.conflict("the room is taken")
        is_problem(await served.send("POST", "/api/v1/bookings", json=CREATE), 409)


async def test_a_routes_own_form_of_the_reply_holds_for_what_there_is_so_far() -> None:
    """Only its status does not: 201 or 200 would say that it is done."""
    async with serving() as served:
        stored = TweetStored(tweet=TWEET, created=False)
        served.system.on_ask = lambda _: Accepted(value=stored)
        body = {"author": "bob", "text": "hello"}
        reply = await served.send("POST", "/api/v1/tweets", json=body)
        assert (reply.status, reply.json) == (202, msgspec.to_builtins(TWEET))
        assert reply.headers["Location"] == "/api/v1/tweets/t%2F1"


@pytest.mark.parametrize(("listener", "path"), [("hotel", "/booking"), ("gateway", "/api/booking")])
async def test_a_tutorials_address_answers_202_with_the_same_object(
    listener: str, path: str
) -> None:
    """Go's keys as ever; the tutorial has no address to look at, so none is named."""
    async with serving() as served:
        served.system.on_ask = lambda _: Accepted(value=SO_FAR)
        reply = await served.send("POST", path, listener, json=REGISTER)
        assert (reply.status, reply.json) == (202, {"ID": "b/1", **REGISTER})
        assert "Location" not in reply.headers
        assert reply.headers["Retry-After"] == "1"


async def test_a_text_stays_text() -> None:
    """The tutorial's insert says its words, and 202 that they are not yet true."""
    async with serving() as served:
        served.system.on_ask = lambda _: Accepted(value=TweetStored(tweet=TWEET, created=True))
        reply = await served.send("GET", "/insert/bob/hello", "tweets")
        assert (reply.status, reply.body) == (202, b"Inserted one into the Database")
        assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "Location" not in reply.headers


# --- Rows that no table has ------------------------------------------------------------------


class Change(Command):
    thing_id: str
    part: str = ""


async def answer(method: str, path: str, endpoint: Endpoint, **params: str) -> Answer:
    """What `endpoint` answers, when its service puts the answer off."""
    system = FakeSystem()
    system.on_ask = lambda _: Accepted(value=SO_FAR)
    config = load_config().edge
    date = HttpDate(system.clock)
    context = EdgeContext(system=system, config=config, date=date, admin_token="")
    content = SimpleNamespace(is_eof=lambda: True, read_nowait=lambda: b"{}")
    headers = CIMultiDictProxy(CIMultiDict[str]())
    request: Any = SimpleNamespace(
        headers=headers, content=content, left_s=5.0, come_in=lambda: None
    )
    reply: Any = await endpoint.bind(method, path, context)(request, params, "")
    return reply  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("method", "path", "location", "wanted"),
    [
        ("DELETE", "/things/{thing_id}", None, "/things/a%2Fb%3F%C3%A9"),
        ("PATCH", "/things/{thing_id}", None, "/things/a%2Fb%3F%C3%A9"),
        ("PUT", "/things/{thing_id}", None, "/things/a%2Fb%3F%C3%A9"),
        ("DELETE", "/things/{thing_id}/parts/{part}", None, "/things/a%2Fb%3F%C3%A9/parts/p%0D"),
        ("DELETE", "/things/{thing_id}", "/elsewhere/", "/elsewhere/b%2F1"),
        ("POST", "/things/{thing_id}", None, None),
    ],
)
async def test_what_changes_in_place_is_found_where_it_is(
    method: str, path: str, location: str | None, wanted: str | None
) -> None:
    """A thing's own address is its Location unless its route has another; a POST's is not one."""
    params = {"thing_id": "a/b?é", "part": "p\r"}
    params = {name: text for name, text in params.items() if f"{{{name}}}" in path}
    endpoint = ServiceEndpoint("booking", Change, 200, location=location)
    accepted = await answer(method, path, endpoint, **params)
    assert accepted.status == 202
    lines = accepted._head.split("\r\n")
    assert [line for line in lines if line.startswith("Location")] == (
        [] if wanted is None else [f"Location: {wanted}"]
    )
    assert msgspec.json.decode(accepted._bytes)["id"] == "b/1"
