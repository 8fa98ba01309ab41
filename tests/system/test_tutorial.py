"""The published tutorials' own requests, as curl sends them, work on the real process."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.serving import is_problem
from tests.system.client import Client, connected
from tests.system.guests import at_rest, check_books

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

# What `curl -d` sends unless told otherwise.
FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}

# The tutorial's program died of its leaked connections after some 150 inserts by 64 clients.
INSERTS, CLIENTS = 600, 64


async def post(client: Client, path: str, body: str, listener: str) -> Reply:
    return await client.send("POST", path, listener, data=body.encode(), headers=FORM)


async def test_front_pages(standing: LiveSystem) -> None:
    """Each tutorial's greeting, word for word."""
    async with connected(standing) as client:
        hotel = await client.send("GET", "/", "hotel")
        assert (hotel.status, hotel.body) == (200, b"Welcome to the Hotel Booking API")
        tweets = await client.send("GET", "/", "tweets")
        assert (tweets.status, tweets.body) == (200, b"Our Simple RESTful Microservice!")


PLACES = (("hotel", ""), ("gateway", "/api"))


async def test_customers_and_rooms_come_back_as_sent(hotels: Processes) -> None:
    """201 and the same object; an empty ID gets one; malformed is 400; and all of it is kept."""
    process = hotels.boot()
    async with connected(process) as client:
        for number, (listener, prefix) in enumerate(PLACES):
            await send_customers_and_rooms(client, listener, prefix, number)
    assert await asyncio.to_thread(process.stop) == 0
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        for number in range(len(PLACES)):
            found = await client.send("GET", f"/api/v1/customers/{number}")
            named = {"name": "Elliot", "email": "elliot@example.com"}
            assert found.json == {"id": str(number), **named}
            found = await client.send("GET", f"/api/v1/rooms/10{number}")
            assert (found.json["type"], found.json["status"]) == ("Deluxe", "available")
        assert len(await client.list_all("/api/v1/customers")) == 2 * len(PLACES)
        assert len(await client.list_all("/api/v1/rooms")) == 2 * len(PLACES)


async def send_customers_and_rooms(client: Client, listener: str, prefix: str, number: int) -> None:
    """Send two of each, of which one has an id by that number."""
    customer = {"ID": f"{number}", "Name": "Elliot", "Email": "elliot@example.com"}
    room = {"ID": f"10{number}", "Type": "Deluxe", "Status": "available"}
    for path, sent in ((f"{prefix}/customer", customer), (f"{prefix}/room", room)):
        reply = await post(client, path, json.dumps(sent), listener)
        assert (reply.status, reply.json) == (201, sent)
        assert list(reply.json) == list(sent)
        again = await post(client, path, json.dumps(sent), listener)
        assert (again.status, again.json) == (201, sent)
        nameless = {key.lower(): value for key, value in sent.items()} | {"id": ""}
        reply = await post(client, path, json.dumps(nameless), listener)
        assert reply.status == 201
        assert reply.json == sent | {"ID": reply.json["ID"]}
        assert reply.json["ID"] not in ("", sent["ID"])
        for malformed in ("", "{", "ID=1&Name=Elliot"):
            is_problem(await post(client, path, malformed, listener), 400)
        is_problem(await post(client, path, '{"ID":1}', listener), 400, "ID")
        is_problem(await client.send("DELETE", path, listener), 405)


@pytest.mark.parametrize(("listener", "prefix"), PLACES)
async def test_bookings_come_back_as_sent_and_are_kept(
    hotels: Processes, listener: str, prefix: str
) -> None:
    """201 and the same object, once; what the tutorial let pass, two for a night, is a 409."""
    process = hotels.boot()
    booking = {
        "ID": "1",
        "CustomerID": "1",
        "RoomID": "101",
        "CheckIn": "2100-01-01",
        "CheckOut": "2100-01-03",
    }
    path = f"{prefix}/booking"
    async with connected(process) as client:
        customer = '{"ID":"1","Name":"Elliot","Email":"elliot@example.com"}'
        is_problem(await post(client, path, json.dumps(booking), listener), 404)
        assert (await post(client, f"{prefix}/customer", customer, listener)).status == 201
        nameless = booking | {"ID": ""}
        is_problem(await post(client, path, json.dumps(nameless), listener), 404)
        room = '{"ID":"101","Type":"Deluxe","Status":"available"}'
        assert (await post(client, f"{prefix}/room", room, listener)).status == 201
        reply = await post(client, path, json.dumps(nameless), listener)
        assert (reply.status, reply.json) == (201, booking | {"ID": reply.json["ID"]})
        assert list(reply.json) == list(booking)
        # The first was refused before there was a room: its id is free, and the nights are not.
        is_problem(await post(client, path, json.dumps(booking), listener), 409)
        later = booking | {"ID": "2", "CheckIn": "2100-01-03", "CheckOut": "2100-01-04"}
        lower = {key.lower(): value for key, value in later.items()}
        for sent in (later, lower, later):
            reply = await post(client, path, json.dumps(sent), listener)
            assert (reply.status, reply.json) == (201, later)
        for wrong in (
            later | {"ID": "3"},
            later | {"CheckOut": "2100-01-05"},
            booking | {"ID": "", "CheckOut": "2100-01-02"},
        ):
            is_problem(await post(client, path, json.dumps(wrong), listener), 409)
        for malformed in ("", "{", "ID=1&CustomerID=1"):
            is_problem(await post(client, path, malformed, listener), 400)
        is_problem(
            await post(client, path, json.dumps(later | {"CheckIn": 1}), listener), 400, "CheckIn"
        )
        backwards = later | {"ID": "", "CheckOut": "2100-01-02"}
        is_problem(await post(client, path, json.dumps(backwards), listener), 422, "CheckOut")
        bookings = await client.list_all("/api/v1/bookings")
        confirmed = [each for each in bookings if each["status"] == "confirmed"]
        assert [each["check_in"] for each in confirmed] == ["2100-01-01", "2100-01-03"]
        # The tutorial names no price: the room's rate is the configured one.
        assert [each["price"]["amount"] for each in confirmed] == [20_000, 10_000]
        await at_rest(client)
        check_books(process.data_dir)


async def test_tweets_are_inserted_and_listed(processes: Processes) -> None:
    """Whatever the text holds; /all says NAME and TWEET, and everything is a string."""
    process = processes.boot()
    tweets = {
        "/insert/elliot/hello": ("elliot", "hello"),
        "/insert/elliot/tutorialedge%20rocks%21": ("elliot", "tutorialedge rocks!"),
        "/insert/bob/a/b?c": ("bob", "a/b?c"),
        "/insert/bob/1%2F2%3F%23%26%25": ("bob", "1/2?#&%"),
        "/insert/%C3%A9va/%F0%9F%98%80%0A%22%5C": ("éva", '\N{GRINNING FACE}\n"\\'),
    }
    async with connected(process) as client:
        assert (await client.send("GET", "/all", "tweets")).json == []
        for path in tweets:
            reply = await client.send("GET", path, "tweets")
            assert (reply.status, reply.body) == (200, b"Inserted one into the Database")
        listed = (await client.send("GET", "/all", "tweets")).json
        assert [list(item) for item in listed] == [["id", "NAME", "TWEET"]] * len(tweets)
        assert [(item["NAME"], item["TWEET"]) for item in listed] == list(tweets.values())
        assert all(isinstance(value, str) for item in listed for value in item.values())
        is_problem(await client.send("GET", "/insert/elliot", "tweets"), 404)
        # The same tweets at the gateway's own address.
        stored = await client.list_all("/api/v1/tweets")
        assert [item["id"] for item in stored] == [item["id"] for item in listed]


async def test_inserts_do_not_wear_the_system_out(standing: LiveSystem) -> None:
    """64 clients at once, four times what the tutorial's program survived; each is there once."""
    async with connected(standing) as client:

        async def insert(first: int) -> None:
            for number in range(first, INSERTS, CLIENTS):
                reply = await client.send("GET", f"/insert/load/t{number}", "tweets")
                assert reply.body == b"Inserted one into the Database"

        await asyncio.gather(*(insert(first) for first in range(CLIENTS)))
        listed: list[dict[str, Any]] = (await client.send("GET", "/all", "tweets")).json
    assert sorted(item["TWEET"] for item in listed) == sorted(f"t{n}" for n in range(INSERTS))
