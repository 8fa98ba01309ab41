"""The published tutorials' addresses answer as their own programs do."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import aiohttp
import pytest

from actors.errors import MailboxFull
from actors.systems.hotel.messages import RegisterBooking, RegisterCustomer, RegisterRoom
from actors.systems.tweets.messages import ListTweets, StoreTweet
from tests.http_edge.serving import Served, is_problem, serving


async def test_each_front_page_says_the_tutorials_words() -> None:
    """Exactly these texts, as plain text."""
    async with serving() as served:
        hotel = await served.send("GET", "/", "hotel")
        tweets = await served.send("GET", "/", "tweets")
        assert hotel.body == b"Welcome to the Hotel Booking API"
        assert tweets.body == b"Our Simple RESTful Microservice!"
        assert hotel.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(("listener", "prefix"), [("hotel", ""), ("gateway", "/api")])
async def test_what_is_registered_comes_back_as_it_was_sent(listener: str, prefix: str) -> None:
    """201 and the same object with Go's keys; an empty ID gets one."""
    async with serving() as served:
        customer = {"ID": "c1", "Name": "Ada", "Email": "a@b"}
        reply = await served.send("POST", f"{prefix}/customer", listener, json=customer)
        assert (reply.status, reply.json) == (201, customer)
        room = {"ID": "", "Type": "double", "Status": "available"}
        reply = await served.send("POST", f"{prefix}/room", listener, json=room)
        assert reply.status == 201
        assert reply.json["ID"]
        assert list(reply.json) == ["ID", "Type", "Status"]
        booking = {
            "ID": "b1",
            "CustomerID": "c1",
            "RoomID": "r1",
            "CheckIn": "2031-05-01",
            "CheckOut": "2031-05-04",
        }
        reply = await served.send("POST", f"{prefix}/booking", listener, json=booking)
        assert (reply.status, list(reply.json.items())) == (201, list(booking.items()))
        assert "Location" not in reply.headers


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"id":"1","NAME":"n","eMail":"e"}', RegisterCustomer(id="1", name="n", email="e")),
        (b'{"Extra":[1e999,{}],"Name":"n"}', RegisterCustomer(name="n")),
        (b'{"ID":null,"Name": null ,"Email":"e"}', RegisterCustomer(email="e")),
        (b'{"name":"a","Name":"b"}', RegisterCustomer(name="b")),
        (b"{}", RegisterCustomer()),
        (b"null", RegisterCustomer()),
    ],
)
async def test_keys_are_read_as_go_reads_them(body: bytes, message: RegisterCustomer) -> None:
    """Without regard to case, unknown ones ignored, null the zero value, the last one wins."""
    async with serving() as served:
        # curl's -d sends a form's Content-Type, and the tutorial never minded.
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = await served.send("POST", "/customer", "hotel", data=body, headers=headers)
        assert reply.status == 201
        assert served.system.seen[-1].message == message


async def test_a_room_is_registered_as_a_room() -> None:
    """The other message of the hotel's tutorial."""
    async with serving() as served:
        await served.send("POST", "/room", "hotel", json={"type": "t", "STATUS": "s"})
        assert served.system.seen[-1].message == RegisterRoom(type="t", status="s")


async def test_a_booking_is_registered_as_a_booking() -> None:
    """Keys as Go reads them; a day that is missing, null or impossible is named, not guessed."""
    async with serving() as served:
        days = {"checkin": "2031-05-01", "CHECKOUT": "2031-05-04"}
        body = {"ID": None, "customerid": "c1", "roomID": "r1", **days, "Guests": 2}
        reply = await served.send("POST", "/booking", "hotel", json=body)
        assert (reply.status, reply.json["ID"]) == (201, "id-1")
        assert served.system.seen[-1].message == RegisterBooking(
            customer_id="c1",
            room_id="r1",
            check_in=dt.date(2031, 5, 1),
            check_out=dt.date(2031, 5, 4),
        )
        for value in (None, "", "2031-02-29", "2031-02-29T00:00:00Z", "2031-05-01T25:00:00Z"):
            wrong = {**body, "checkin": value}
            is_problem(await served.send("POST", "/booking", "hotel", json=wrong), 422, "CheckIn")
        wrong = {**body, "checkin": 20310501}
        is_problem(await served.send("POST", "/booking", "hotel", json=wrong), 400, "CheckIn")
        del wrong["checkin"]
        is_problem(await served.send("POST", "/booking", "hotel", json=wrong), 422, "CheckIn")


@pytest.mark.parametrize("time", ["00:00:00Z", "23:30:00+02:00", "23:30:00.5-11:00"])
@pytest.mark.parametrize(("listener", "prefix"), [("hotel", ""), ("gateway", "/api")])
async def test_of_a_time_the_day_is_taken(listener: str, prefix: str, time: str) -> None:
    """To the original a string is a string, and Go's clients send times: the day as it stands."""
    async with serving() as served:
        days = {"checkin": f"2050-01-01T{time}", "CheckOut": f"2050-01-03T{time}"}
        body = {"ID": "b", "CustomerID": "c", "RoomID": "r", **days}
        reply = await served.send("POST", f"{prefix}/booking?y=1", listener, json=body)
        assert (reply.status, reply.json["CheckIn"], reply.json["CheckOut"]) == (
            201,
            "2050-01-01",
            "2050-01-03",
        )


@pytest.mark.parametrize(
    ("path", "author", "text"),
    [
        ("/insert/bob/hello", "bob", "hello"),
        ("/insert/bob/a/b//c", "bob", "a/b//c"),
        ("/insert/bob/a%2Fb", "bob", "a/b"),
        ("/insert/a%2Fb/c", "a/b", "c"),
        ("/insert/bob/1+1%3D2", "bob", "1+1=2"),
        ("/insert/bob/100%25", "bob", "100%"),
        ("/insert/bob/%2525", "bob", "%25"),
        ("/insert/bob/what%3F%23x%26y", "bob", "what?#x&y"),
        ("/insert/bob/..%2F../x", "bob", "../../x"),
        ("/insert/bob/%F0%9F%98%80%0A", "bob", "\N{GRINNING FACE}\n"),
        ("/insert/bob/%C3%A9", "bob", "é"),
        ("/insert/bob/trailing/", "bob", "trailing"),
        ("/insert/bob/trailing%2F", "bob", "trailing/"),
        ("/insert/bob/a/../b", "bob", "a/../b"),
        ("/insert/bob/why?because+y=1%21", "bob", "why?because+y=1!"),
        ("/insert/bob/why?", "bob", "why?"),
        ("/insert/bob/x/?a/b?", "bob", "x?a/b?"),
        ("/insert/insert/all", "insert", "all"),
    ],
)
async def test_a_tweet_is_stored_as_it_was_meant(path: str, author: str, text: str) -> None:
    """Any character, slashes and question marks raw or escaped; all decoded once; + stays +.

    A raw slash at the end is another spelling of the address.
    """
    async with serving() as served:
        reply = await raw_get(served, path)
        assert reply.endswith(b"\r\n\r\nInserted one into the Database")
        assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
        assert served.system.seen[-1].message == StoreTweet(author=author, text=text)


async def raw_get(served: Served, path: str) -> bytes:
    """GET without a client library that would tidy the path up."""
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    return await served.raw(head.encode(), "tweets")


async def test_what_would_be_lost_is_refused() -> None:
    """A raw # would cut the tweet short, and half an escape says nothing: 400s that say how."""
    async with serving() as served:
        assert b" 400 " in await raw_get(served, "/insert/bob/a#b")
        assert b" 400 " in await raw_get(served, "/insert/bob/a?#b")
        is_problem(await served.send("GET", "/insert/bob/50%ab", "tweets"), 400, "text")
        is_problem(await served.send("GET", "/insert/bob/?x/y", "tweets"), 404)
        is_problem(await served.send("GET", "/insert/bob/", "tweets"), 404)
        is_problem(await served.send("GET", "/insert//x", "tweets"), 422, "author")
        is_problem(await served.send("GET", "/insert/bob", "tweets"), 404)
        assert served.system.seen == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/insert/ada/hi", "/insert/ada/hi/", "/all", "/all/", "/"])
async def test_mux_minds_no_method_and_no_slash(method: str, path: str) -> None:
    """Nor a body, nor a query where it cannot be a tweet's: each is the address's own answer."""
    async with serving() as served:
        reply = await served.send(
            method, path, "tweets", data=b"unread" if method != "GET" else b""
        )
        assert reply.status == 200
        if path.startswith("/insert"):
            assert served.system.seen[-1].message == StoreTweet(author="ada", text="hi")
        else:
            query = await served.send(method, f"{path}?x=1&x=%zz", "tweets")
            assert (query.status, query.body) == (200, reply.body)


HI, X = StoreTweet(author="ada", text="hi"), StoreTweet(author="ada", text="x")
NIGHT = '"CheckIn":"2050-01-01T00:00:00Z","CheckOut":"2050-01-02T00:00:00Z"'
BOOKING = f'{{"CustomerID":"c","RoomID":"r",{NIGHT}}}'
# Where the originals are tolerant, or were careless: what is asked, and what comes of it here.
TOLERANCES: list[tuple[str, str, str, str, int, Any]] = [
    ("tweets", "GET", "/all/", "", 200, ListTweets),
    ("tweets", "GET", "/all?x=1", "", 200, ListTweets),
    ("tweets", "POST", "/all", "", 200, ListTweets),
    ("tweets", "GET", "/insert/ada/hi/", "", 200, HI),
    ("tweets", "POST", "/insert/ada/hi", "", 200, HI),
    ("tweets", "HEAD", "/insert/ada/x", "", 200, X),
    ("tweets", "GET", "/insert/ada/x?y=1", "", 200, StoreTweet(author="ada", text="x?y=1")),
    ("tweets", "GET", "/insert/ada/a/b", "", 200, StoreTweet(author="ada", text="a/b")),
    ("tweets", "GET", "/insert/ada/a/../b", "", 200, StoreTweet(author="ada", text="a/../b")),
    ("tweets", "GET", "/insert/ada/50%ab", "", 400, None),
    ("hotel", "POST", "/customer/", '{"ID":"a"}', 404, None),
    ("hotel", "POST", "/booking", f"{BOOKING} {{}}", 400, None),
    ("hotel", "POST", "/booking", BOOKING, 201, RegisterBooking),
    ("hotel", "GET", "/booking", "", 405, None),
    (
        *("hotel", "POST", "/room?x=1", '{"id":"7","TYPE":"x","status":"available"}'),
        *(201, RegisterRoom(id="7", type="x", status="available")),
    ),
    ("hotel", "GET", "/?x=1", "", 200, None),
    ("gateway", "GET", "/api/booking", "", 405, None),
]


@pytest.mark.parametrize(("listener", "method", "path", "body", "status", "asked"), TOLERANCES)
async def test_what_is_odd_is_taken_as_the_original_takes_it_or_refused_with_a_reason(
    listener: str, method: str, path: str, body: str, status: int, asked: Any
) -> None:
    """Whatever the Content-Type; what is refused asks nothing of anybody."""
    async with serving() as served:
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        reply = await served.raw((head + body).encode(), listener)
        assert int(reply.split()[1]) == status, reply
        messages = [seen.message for seen in served.system.seen]
        assert [type(each) if isinstance(asked, type) else each for each in messages] == (
            [] if asked is None else [asked]
        )
        if status >= 400:
            assert json.loads(reply.partition(b"\r\n\r\n")[2])["detail"]
        assert (b"\r\nAllow: POST\r\n" in reply) == (status == 405)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
async def test_no_page_from_elsewhere_inserts_by_any_method(method: str) -> None:
    """Whatever the method is that the address does not mind."""
    async with serving() as served:
        headers = {"Origin": "https://evil.example"}
        reply = await served.send(method, "/insert/ada/hi/?", "tweets", headers=headers)
        assert reply.status == 403
        assert served.system.seen == []


async def test_an_insert_takes_a_key() -> None:
    """Though it is a GET, it writes: a retry with its key must be harmless."""
    async with serving() as served:
        await served.send("GET", "/insert/a/b", "tweets", headers={"Idempotency-Key": "k"})
        assert served.system.seen[-1].key == "k"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
async def test_all_lists_every_tweet_over_all_pages(count: int) -> None:
    """One JSON array of the three strings, in order, whatever the number of pages."""
    async with serving(page_items_max=3) as served:
        for number in range(count):
            await served.send("GET", f"/insert/n{number}/t%22{number}", "tweets")
        reply = await served.send("GET", "/all", "tweets")
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["X-Request-ID"]
        assert reply.json == [
            {"id": f"id-{number + 1}", "NAME": f"n{number}", "TWEET": f't"{number}'}
            for number in range(count)
        ]


async def test_all_is_never_valid_but_short() -> None:
    """A failure after the first page breaks the connection off; the client sees that."""
    async with serving(page_items_max=2) as served:
        for number in range(5):
            await served.send("GET", f"/insert/n/t{number}", "tweets")
        served.system.seen.clear()
        served.system.on_ask = lambda _: _full() if len(served.system.seen) > 2 else None
        with pytest.raises(aiohttp.ClientPayloadError):
            await served.send("GET", "/all", "tweets")
        served.system.seen.clear()
        got = await served.raw(b"GET /all HTTP/1.0\r\n\r\n", "tweets")
        assert b" 200 OK" in got
        assert b"t3" in got
        assert b"]" not in got
        # A reply that is no page is a bug of ours, found when the status is out.
        served.system.on_ask = lambda _: served.system.items
        with pytest.raises(aiohttp.ClientPayloadError):
            await served.send("GET", "/all", "tweets")
        assert b" 500 " not in await served.raw(b"GET /all HTTP/1.1\r\nHost: x\r\n\r\n", "tweets")


async def test_all_is_an_ordinary_refusal_when_the_first_page_fails() -> None:
    """Nothing has been sent yet, so there is nothing to break off."""
    async with serving() as served:
        served.system.on_ask = lambda _: _full()
        is_problem_with_retry = await served.send("GET", "/all", "tweets")
        assert is_problem_with_retry.status == 503
        assert is_problem_with_retry.headers["Retry-After"] == "2"


async def test_all_for_a_client_of_http_1_0_ends_with_the_connection() -> None:
    """No chunks for who does not know them."""
    async with serving(page_items_max=2) as served:
        for number in range(3):
            await served.send("GET", f"/insert/n/t{number}", "tweets")
        reply = await served.raw(b"GET /all HTTP/1.0\r\n\r\n", "tweets")
        head, _, body = reply.partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert len(json.loads(body)) == 3


def _full() -> None:
    message = "tweets has 1024 messages waiting"
    raise MailboxFull(message, retry_after_s=1.5)
