"""Dead letters over HTTP: kept over restarts, listed, run again, forgotten."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.http_edge.serving import is_problem
from tests.system.client import connected
from tests.system.guests import (
    BOOKINGS,
    at_rest,
    check_books,
    ended,
    new_customers,
    new_rooms,
    stay,
)
from tests.system.resources import CUSTOMER, RESOURCES, ROOM, TWEET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.client import Client
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time


async def test_a_message_that_crashes_its_service_is_a_dead_letter(processes: Processes) -> None:
    """Tried attempts_max times, then kept with its reason, over restarts; the rest serves on."""
    process = processes.boot()
    async with connected(process) as client:
        # A handler's bug, made from outside: its table is not what it takes it for.
        rename(process.data_dir, "tweets", "tweet", "hidden")
        reply = await client.send(
            "POST", "/api/v1/tweets", json=TWEET, headers={"X-Request-ID": "poison"}
        )
        is_problem(reply, 503)
        assert reply.json["type"] == "/problems/dead-lettered"
        await client.create("/api/v1/customers", CUSTOMER)
        rename(process.data_dir, "tweets", "hidden", "tweet")
        await client.create("/api/v1/tweets", TWEET)
        actor = await client.actor("tweets")
        assert (actor["state"], actor["restarts"], actor["dead_lettered"]) == ("running", 3, 1)
        letters = (await client.admin("GET", "/admin/dead-letters")).json["items"]
    await asyncio.to_thread(process.stop)
    (letter,) = letters
    assert (letter["actor"], letter["message_type"], letter["attempts"], letter["durable"]) == (
        "tweets", "StoreTweet", 3, True,
    )  # fmt: skip
    assert "no such table" in letter["reason"]
    assert TWEET["text"] in letter["message"]
    crashes = process.events("crashed", actor="tweets", request_id="poison")
    assert [line["message_type"] for line in crashes] == ["StoreTweet"] * 3
    assert len(process.events("dead lettered", actor="tweets", request_id="poison")) == 1
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        reply = await client.admin("GET", "/admin/dead-letters")
        assert reply.json["items"] == letters


async def test_dead_letters_are_listed_newest_first_up_to_the_limit(hotels: Processes) -> None:
    """Those of all services together, those that no store keeps included."""
    process = hotels.boot("mailbox.capacity=1", "mailbox.overflow=drop_oldest")
    async with connected(process) as client:
        for name in ("customer", "room"):
            await client.order(name, "suspend")
            await client.actor_where(name, lambda actor: actor["state"] == "suspended")
        posts = []
        for dropped in range(4):
            for path, body in RESOURCES[:2]:
                posts.append(asyncio.create_task(client.send("POST", path, json=body)))
                name = path.rpartition("/")[2].removesuffix("s")
                # One stays in the mailbox and drives the one before it out.
                await client.actor_where(name, partial(has_dead_lettered, dropped))
        reply = await client.admin("GET", "/admin/dead-letters")
        letters = reply.json["items"]
        assert [letter["actor"] for letter in letters] == ["room", "customer"] * 3
        assert [letter["durable"] for letter in letters] == [False] * 6
        assert all("mailbox" in letter["reason"] for letter in letters)
        limited = await client.admin("GET", "/admin/dead-letters?limit=2")
        assert limited.json["items"] == letters[:2]
        for name in ("customer", "room"):
            await client.order(name, "resume")
        replies = await asyncio.gather(*posts)
        assert [reply.status for reply in replies] == [503] * 6 + [201] * 2


async def test_a_letter_runs_again_as_the_request_it_was(hotels: Processes) -> None:
    """Once its cause is mended; then it is gone, and its client's retry gets what came of it."""
    process = hotels.boot()
    key = {"Idempotency-Key": "customer-1"}
    async with connected(process) as client:
        rename(process.data_dir, "customer", "customer", "hidden")
        reply = await client.send("POST", "/api/v1/customers", json=CUSTOMER, headers=key)
        is_problem(reply, 503)
        letter_id = (await only_letter(client))["id"]
        # Not mended yet: it stays what it is, with the attempts of both rounds.
        is_problem(await client.admin("POST", f"/admin/dead-letters/{letter_id}/replay"), 503)
        letter = await only_letter(client)
        assert (letter["id"], letter["attempts"]) == (letter_id, 6)
        rename(process.data_dir, "customer", "hidden", "customer")
        reply = await client.admin("POST", f"/admin/dead-letters/{letter_id}/replay")
        assert (reply.status, reply.json) == (
            200,
            {"letter_id": letter_id, "actor": "customer", "outcome": "handled", "detail": None},
        )
        for method, path in (("POST", f"{letter_id}/replay"), ("DELETE", letter_id)):
            gone = await client.admin(method, f"/admin/dead-letters/{path}")
            is_problem(gone, 404, "id")
        (stored,) = await client.list_all("/api/v1/customers")
        again = await client.send("POST", "/api/v1/customers", json=CUSTOMER, headers=key)
        assert (again.status, again.json["id"]) == (201, stored["id"])
        assert len(await client.list_all("/api/v1/customers")) == 1


async def test_a_message_between_services_runs_again(hotels: Processes) -> None:
    """It blocks nothing behind it; run again, after a restart too, it does what it was to do."""
    process = hotels.boot()
    async with connected(process) as client:
        (room_id,), (customer_id,) = await new_rooms(client, 1), await new_customers(client, 1)
        rename(process.data_dir, "notification", "mail", "hidden")
        first = await client.create(BOOKINGS, stay(customer_id, room_id, 1))
        letter = await only_letter(client)
        assert (letter["actor"], letter["message_type"], letter["attempts"]) == (
            "notification",
            "BookingConfirmed",
            3,
        )
        assert first["id"] in letter["message"]
        rename(process.data_dir, "notification", "hidden", "mail")
        second = await client.create(BOOKINGS, stay(customer_id, room_id, 2))
        await at_rest(client)
        assert [mail["booking_id"] for mail in await client.list_all("/api/v1/mails")] == [
            second["id"]
        ]
    await asyncio.to_thread(process.kill_process)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        reply = await client.admin("POST", f"/admin/dead-letters/{letter['id']}/replay")
        assert (reply.status, reply.json["outcome"]) == (200, "handled")
        mails = await client.list_all("/api/v1/mails")
        assert [mail["booking_id"] for mail in mails] == [second["id"], first["id"]]
        await at_rest(client)
        check_books(process.data_dir)


async def test_a_letter_that_comes_too_late_is_refused(hotels: Processes) -> None:
    """A hold that was lost and is replayed after its booking was given up takes no nights."""
    process = hotels.boot("hotel.booking_s_max=0.5", "hotel.hold_s=60")
    async with connected(process) as client:
        (room_id,), (customer_id,) = await new_rooms(client, 1), await new_customers(client, 1)
        rename(process.data_dir, "room", "hold", "hidden")
        post = asyncio.create_task(client.send("POST", BOOKINGS, json=stay(customer_id, room_id)))
        letter = await letter_of(client, "HoldRoom")
        rename(process.data_dir, "room", "hidden", "hold")
        is_problem(await post, 409)
        (booking,) = await client.list_all(BOOKINGS)
        assert (await ended(client, f"{BOOKINGS}/{booking['id']}"))["status"] == "rejected"
        await at_rest(client)
        reply = await client.admin("POST", f"/admin/dead-letters/{letter['id']}/replay")
        assert (reply.status, reply.json["outcome"]) == (200, "refused")
        assert "over" in reply.json["detail"]
        await at_rest(client)
        check_books(process.data_dir)
        # The room is free.
        assert (await client.create(BOOKINGS, stay(customer_id, room_id)))["status"] == "confirmed"


async def test_a_letter_is_forgotten(hotels: Processes) -> None:
    """Kept in a file or in memory only; what is in memory only cannot be run again."""
    process = hotels.boot("mailbox.capacity=1", "mailbox.overflow=drop_oldest")
    async with connected(process) as client:
        rename(process.data_dir, "room", "room", "hidden")
        is_problem(await client.send("POST", "/api/v1/rooms", json=ROOM), 503)
        kept = await only_letter(client)
        await client.order("customer", "suspend")
        await client.actor_where("customer", lambda actor: actor["state"] == "suspended")
        posts = []
        for dropped in range(2):
            post = client.send("POST", "/api/v1/customers", json=CUSTOMER)
            posts.append(asyncio.create_task(post))
            await client.actor_where("customer", partial(has_dead_lettered, dropped))
        (lost, _) = (await client.admin("GET", "/admin/dead-letters")).json["items"]
        assert (kept["durable"], lost["durable"]) == (True, False)
        replay = f"/admin/dead-letters/{lost['id']}/replay"
        is_problem(await client.admin("POST", replay), 409, "id")
        for letter in (kept, lost):
            path = f"/admin/dead-letters/{letter['id']}"
            reply = await client.admin("DELETE", path)
            assert (reply.status, reply.json["action"]) == (200, "discard")
            is_problem(await client.admin("DELETE", path), 404, "id")
        assert (await client.admin("GET", "/admin/dead-letters")).json["items"] == []
        await client.order("customer", "resume")
        assert sorted(reply.status for reply in await asyncio.gather(*posts)) == [201, 503]


# --- Inside ----------------------------------------------------------------------------------


def has_dead_lettered(count: int, actor: dict[str, Any]) -> bool:
    """Whether the actor has taken one message more than it gave up."""
    taken: bool = actor["accepted"] == count + 1
    return taken and bool(actor["dead_lettered"] == count)


def rename(data_dir: Path, service: str, old: str, new: str) -> None:
    """Rename a table under its service's feet: its handlers' SQL is wrong until it is back."""
    with closing(sqlite3.connect(data_dir / f"{service}.db", timeout=100)) as connection:
        # Else what refers to the table would follow it.
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE {old} RENAME TO {new}")


async def only_letter(client: Client) -> dict[str, Any]:
    """Wait for the one dead letter there is."""
    return await letter_of(client, "")


async def letter_of(client: Client, message_type: str) -> dict[str, Any]:
    """Wait for the one dead letter of this type, or of any for none."""
    async with asyncio.timeout(100):
        while True:
            letters = (await client.admin("GET", "/admin/dead-letters")).json["items"]
            found = [each for each in letters if message_type in {"", each["message_type"]}]
            if found:
                (letter,) = found
                return dict(letter)
            await asyncio.sleep(0.02)
