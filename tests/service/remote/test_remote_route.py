"""How a message becomes an address and a body."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from actors.errors import ConfigError
from actors.kernel.messages import Command, Query
from actors.service.remote.remote import Remote
from actors.service.remote.remote_route import RemoteRoute


class Book(Command):
    room: str
    day: date
    guests: tuple[str, ...] = ()
    late: bool = False


class Free(Query):
    day: date
    kind: str | None = None
    smoking: bool = False


BOOK = Book(room="a/1?", day=date(2026, 3, 1), guests=("ö",), late=True)


@pytest.mark.parametrize(
    ("route", "message", "address"),
    [
        ("POST /rooms/{room}/{day}", BOOK, "/rooms/a%2F1%3F/2026-03-01"),
        (("GET /free", int), Free(day=BOOK.day), "/free?day=2026-03-01&smoking=false"),
        (("GET /free.{day}", int), Free(day=BOOK.day, kind="a b&c"),
         "/free.2026-03-01?kind=a%20b%26c&smoking=false"),
    ],
)  # fmt: skip
def test_fields_are_in_the_path_the_query_or_the_body(
    route: Any, message: Any, address: str
) -> None:
    """Escaped; what is not there is left out of the query."""
    found = RemoteRoute(type(message), route).address_of(message)
    assert isinstance(found, tuple)
    target, body = found
    assert target == address
    if isinstance(message, Book):
        assert msgspec.json.decode(body or b"") == {"guests": ["ö"], "late": True}
    else:
        assert body is None


@pytest.mark.parametrize(
    ("url", "messages", "said"),
    [
        ("http://a.example?x=1", {Free: ("GET /free", int)}, "ends with its path"),
        ("http://me:secret@a.example", {Free: ("GET /free", int)}, "ends with its path"),
        ("ftp://a.example", {Free: ("GET /free", int)}, "is no url"),
        ("http://a.example:port", {Free: ("GET /free", int)}, "ort"),
        ("http://a.example", {Free: ("GET /free", 7)}, "cannot be read"),
        ("http://a.example", {Book: "DELETE /rooms/{room}"}, "Book.guests would be in the query"),
        ("http://a.example", {Book: "POST /rooms/{guests}"}, "Book.guests would be in the path"),
        ("http://a.example", {Book: None}, "write a method and a path"),
        ("http://a.example", {Book: "POST /rooms?late=1"}, "write a method and a path"),
        ("http://a.example", {int: "POST /rooms"}, "int is no Command and no Query"),
        (
            "http://a.example",
            {Free: ("GET /free", int), type("Free", (Query,), {}): ("GET /all", int)},
            "two of its messages are stored as Free",
        ),
    ],
)
def test_what_is_declared_wrong_is_named(url: str, messages: Any, said: str) -> None:
    """With the service's name. What authors get wrong most is in docs/MISTAKES.md."""
    with pytest.raises(ConfigError, match=r"^service 'rooms': ") as error:
        Remote(url, messages).routes("rooms")
    assert said in str(error.value)
