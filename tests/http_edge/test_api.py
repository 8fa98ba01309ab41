"""The gateway's own API, as reference-systems.md section 3 has it."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import pytest

from actors.systems.hotel.messages import (
    CreateRoom,
    Customer,
    ListBookings,
    ListCustomers,
    ListMails,
    ListRooms,
)
from actors.systems.tweets.messages import ListTweets
from tests.http_edge.serving import is_problem, serving

ROOM = {"type": "double", "rate": {"amount": 12_000, "currency": "EUR"}, "number": "12a"}
CUSTOMER = {"name": "Ada Lovelace", "email": "ada@example.com"}
BOOKING = {
    "customer_id": "c1",
    "room_id": "r1",
    "check_in": "2031-05-01",
    "check_out": "2031-05-04",
}
TWEET = {"author": "bob", "text": "tutorialedge rocks", "external_id": "x-1"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/customers", CUSTOMER),
        ("/api/v1/rooms", ROOM),
        ("/api/v1/bookings", BOOKING),
        ("/api/v1/tweets", TWEET),
    ],
)
async def test_what_is_created_is_found_at_its_location(path: str, body: dict[str, object]) -> None:
    """201 with the thing and its Location; there, and in the list, is the same thing."""
    async with serving() as served:
        created = await served.send("POST", path, json=body)
        assert created.status == 201
        assert body.items() <= created.json.items()
        location = created.headers["Location"]
        assert location == f"{path}/{created.json['id']}"
        found = await served.send("GET", location)
        assert (found.status, found.json) == (200, created.json)
        listed = await served.send("GET", path)
        assert listed.json == {"items": [created.json], "next": None}
        is_problem(await served.send("GET", f"{path}/nobody"), 404)


async def test_a_known_external_id_is_200_with_the_tweet_as_it_stands() -> None:
    """The second tweet with an external id changes nothing, and is not called created."""
    async with serving() as served:
        first = await served.send("POST", "/api/v1/tweets", json=TWEET)
        again = await served.send("POST", "/api/v1/tweets", json={**TWEET, "text": "other"})
        assert (first.status, again.status) == (201, 200)
        assert again.json == first.json
        assert "Location" not in again.headers


async def test_a_booking_is_cancelled_at_its_own_address() -> None:
    """200 with the booking as it is then; what there is not cannot be cancelled."""
    async with serving() as served:
        created = await served.send("POST", "/api/v1/bookings", json=BOOKING)
        location = created.headers["Location"]
        key = {"Idempotency-Key": "k"}
        cancelled = await served.send("DELETE", location, headers=key)
        assert (cancelled.status, cancelled.json["status"]) == (200, "cancelled")
        assert "Location" not in cancelled.headers
        assert served.system.seen[-1].key == "k"
        assert (await served.send("GET", location)).json == cancelled.json
        is_problem(await served.send("DELETE", "/api/v1/bookings/nothing"), 404)


async def test_free_rooms_and_ones_own_bookings_and_mails_are_asked_for_by_query() -> None:
    """Dates and ids reach the service as such, and are None where they are left out."""
    async with serving() as served:
        for path in (
            "/api/v1/rooms?check_in=2032-02-29&check_out=2032-03-01&type=double&limit=3",
            "/api/v1/rooms?type=null",
            "/api/v1/bookings?customer_id=c1&after=7",
            "/api/v1/bookings?room_id=r%2F1",
            "/api/v1/mails?customer_id=c1",
        ):
            reply = await served.send("GET", path)
            assert (reply.status, reply.json) == (200, {"items": [], "next": None})
        leap, after = dt.date(2032, 2, 29), dt.date(2032, 3, 1)
        assert [seen.message for seen in served.system.seen] == [
            ListRooms(limit=3, type="double", check_in=leap, check_out=after),
            ListRooms(limit=50, type="null"),
            ListBookings(limit=50, after=7, customer_id="c1"),
            ListBookings(limit=50, room_id="r/1"),
            ListMails(limit=50, customer_id="c1"),
        ]


async def test_pages_follow_each_other_by_their_cursor() -> None:
    """Passing each page's `next` as `after` lists everything once, in order, then says null."""
    async with serving() as served:
        for number in range(5):
            body = {"author": "a", "text": f"t{number}"}
            await served.send("POST", "/api/v1/tweets", json=body)
        pages = []
        query = "limit=2"
        for _ in range(3):
            pages.append((await served.send("GET", f"/api/v1/tweets?{query}")).json)
            query = f"limit=2&after={pages[-1]['next']}"
        texts = [[item["text"] for item in page["items"]] for page in pages]
        assert texts == [["t0", "t1"], ["t2", "t3"], ["t4"]]
        assert pages[-1]["next"] is None


async def test_a_list_without_parameters_has_the_default_limit_and_no_filter() -> None:
    """`limit` is page_items_default unless named, and may be page_items_max."""
    async with serving() as served:
        await served.send("GET", "/api/v1/customers")
        await served.send("GET", "/api/v1/customers?limit=200&after=9223372036854775807")
        await served.send("GET", "/api/v1/tweets?author=a%26b+c%2B&&limit=1")
        assert [seen.message for seen in served.system.seen] == [
            ListCustomers(limit=50),
            ListCustomers(limit=200, after=2**63 - 1),
            ListTweets(limit=1, author="a&b c+"),
        ]


async def test_a_message_reaches_its_service_with_deadline_and_key() -> None:
    """The body is the message; the Idempotency-Key goes with writes, the deadline with all."""
    async with serving() as served:
        headers = {"Idempotency-Key": "k" * 255}
        await served.send("POST", "/api/v1/rooms", json=ROOM, headers=headers)
        await served.send("GET", "/api/v1/rooms", headers=headers)
        write, read = served.system.seen
        assert isinstance(write.message, CreateRoom)
        assert (write.service, write.key) == ("room", "k" * 255)
        # What is left of it, and the request has hardly waited.
        assert 4.0 < write.timeout_s <= 5.0
        assert read.key is None


async def test_any_content_type_but_a_forms_is_json() -> None:
    """No Content-Type, JSON's with a charset, or an unknown one: the body decides."""
    async with serving() as served:
        for media_type in ("application/json; charset=UTF-8", "text/plain", "nonsense"):
            headers = {"Content-Type": media_type}
            reply = await served.send("POST", "/api/v1/customers", json=CUSTOMER, headers=headers)
            assert reply.status == 201, media_type
        body = b'{"name":"a","name":"b","email":"a@b"}'
        none = ["Content-Type"]
        reply = await served.send("POST", "/api/v1/customers", data=body, skip_auto_headers=none)
        assert (reply.status, reply.json["name"]) == (201, "b")


async def test_ids_are_decoded_once() -> None:
    """A percent-escape in an id is read once; what looks like one afterwards stays."""
    async with serving() as served:
        for given, wanted in [("a%2Fb", "a/b"), ("%2541", "%41"), ("a+b", "a+b"), ("%C3%A9", "é")]:
            await served.send("GET", f"/api/v1/rooms/{given}")
            message = served.system.seen[-1].message
            assert getattr(message, "room_id") == wanted  # noqa: B009 - Message has no such field


async def test_a_location_is_one_path_segment_whatever_the_id() -> None:
    """An id of any visible characters comes back as an address that leads to it."""
    async with serving() as served:
        odd = "a/b?c#d%41\r"
        served.system.on_ask = lambda _: Customer(id=odd, name="n", email="e@f")
        reply = await served.send("POST", "/api/v1/customers", json=CUSTOMER)
        assert reply.headers["Location"] == f"/api/v1/customers/{quote(odd, safe='')}"


async def test_an_unknown_address_is_a_404() -> None:
    """No address but those of the tables answers; a trailing slash is another address."""
    async with serving() as served:
        for path in ("/api", "/api/v1", "/api/v1/customers/a/b", "//", "/healthz/", "/all", "/%00"):
            is_problem(await served.send("GET", path), 404)
