"""A body and an address together, and what the decoder says about what does not fit."""

from __future__ import annotations

import datetime as dt
import json
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from actors.kernel.messages import Command, Query
from actors.systems.hotel.messages import Money  # noqa: TC001 - msgspec reads it at run time
from http_edge.decoding.go_body import GoBody
from http_edge.decoding.json_body import JsonBody
from http_edge.decoding.url_decoder import UrlDecoder
from http_edge.problems import ProblemError
from tests.http_edge.bad_values import CONTROLS, NO_DATES


class Resolve(Command):
    flag_id: str
    number: int
    state: str
    rates: tuple[Money, ...] = ()


def test_a_message_takes_its_fields_from_path_and_body() -> None:
    """Numbers of the path are numbers, whatever text the rest of it is."""
    decoder = JsonBody(Resolve)
    message = decoder.decode(b'{"state":"open"}', {"flag_id": '7"', "number": "12"})
    assert message == Resolve(flag_id='7"', number=12, state="open")


@pytest.mark.parametrize(
    ("body", "params", "field"),
    [
        (b'{"state":"open","flag_id":"8"}', {"flag_id": "7", "number": "1"}, "flag_id"),
        (b'{"state":"open"}', {"flag_id": "7", "number": "x"}, "number"),
        (b"", {"flag_id": "7", "number": "1"}, "state"),
        (
            b'{"state":"o","rates":[{"amount":1,"currency":"EUR"},{"amount":-1,"currency":"EUR"}]}',
            {"flag_id": "7", "number": "1"},
            "rates[1].amount",
        ),
        (b'{"state":"a\\u0000"}', {"flag_id": "7", "number": "1"}, "state"),
        (b'{"state":"a\\udc00"}', {"flag_id": "7", "number": "1"}, "state"),
    ],
)
def test_the_field_at_fault_is_named(
    body: bytes, params: dict[str, str], field: str | None
) -> None:
    """Wherever it stands."""
    with pytest.raises(ProblemError) as caught:
        JsonBody(Resolve).decode(body, params)
    assert caught.value.problem.field == field
    assert caught.value.problem.status == 422


# --- Numbers -------------------------------------------------------------------------------------


class Count(Command, frozen=True, kw_only=True):
    """Whole numbers wherever they can stand, without limits of their own."""

    number: int = 0
    numbers: tuple[int, ...] = ()
    by_name: dict[str, int | None] | None = None
    any: Any = None
    text: str = ""
    ratio: float = 0.0


class CountWhere(Query, frozen=True, kw_only=True):
    number: int | None = None


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**25])
@pytest.mark.parametrize("field", ["number", "numbers[1]", "by_name.a", "any.b[0]"])
def test_a_whole_number_that_no_store_holds_is_refused(number: int, field: str) -> None:
    """A handler's SQL would crash of it, and the client would be told of a crash."""
    body = {
        "number": f'{{"number":{number}}}',
        "numbers[1]": f'{{"numbers":[0,{number}]}}',
        "by_name.a": f'{{"by_name":{{"a":{number}}}}}',
        "any.b[0]": f'{{"any":{{"b":[{number}]}}}}',
    }[field]
    for decoder in (JsonBody(Count), GoBody(Count)):
        with pytest.raises(ProblemError) as caught:
            decoder.decode(body.encode(), {})
        problem = caught.value.problem
        assert (problem.status, problem.field) == (422, field)
        assert problem.detail == f"{field} is not a whole number of 64 bits"


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**25])
def test_nor_is_one_in_an_address(number: int) -> None:
    """As a parameter of its path, beside a body or without, or of its query."""
    decoder = UrlDecoder(CountWhere, items_default=1, items_max=1)
    params = {"number": str(number)}
    for decode in (
        partial(decoder.decode, params, ""),
        partial(decoder.decode, {}, f"number={number}"),
        partial(JsonBody(Count).decode, b"", params),
    ):
        with pytest.raises(ProblemError) as caught:
            decode()
        problem = caught.value.problem
        assert (problem.status, problem.field) == (422, "number")
        assert problem.detail == "number is not a whole number of 64 bits"


def test_the_largest_that_a_store_holds_is_taken() -> None:
    """And what only looks like a large one: digits of a text, and a fraction's."""
    most, least = 2**63 - 1, -(2**63)
    text = f'{{"number":{most},"numbers":[{least}],"text":"{10**25}","ratio":{10**25}}}'
    assert JsonBody(Count).decode(text.encode(), {}) == Count(
        number=most, numbers=(least,), text=str(10**25), ratio=1e25
    )
    decoder = UrlDecoder(CountWhere, items_default=1, items_max=1)
    assert decoder.decode({}, f"number={most}") == CountWhere(number=most)


# --- Characters ----------------------------------------------------------------------------------


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """The text backslash, u, 0000 is harmless and stays."""
    message = JsonBody(Resolve).decode(rb'{"state":"\\u0000"}', {"flag_id": "7", "number": "1"})
    assert message == Resolve(flag_id="7", number=1, state=r"\u0000")


# --- What there is to choose from -----------------------------------------------------------------


class Sort(Command):
    order: Literal["up", "down"] = "up"
    only: Literal["new"] | None = None
    columns: tuple[Literal[1, 2], ...] = ()
    shade: Literal[tuple(f"shade number {number}" for number in range(100))] = "shade number 1"  # type: ignore[valid-type]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"order":"left"}', 'order: Invalid enum value \'left\'; one of "down", "up"'),
        (b'{"only":"old"}', "only: Invalid enum value 'old'; only \"new\""),
        (b'{"columns":[1,3]}', "columns[1]: Invalid enum value 3; one of 1, 2"),
    ],
)
def test_what_is_none_of_the_values_there_are_is_told_them(body: bytes, said: str) -> None:
    """By the field, wherever it stands."""
    with pytest.raises(ProblemError) as caught:
        JsonBody(Sort).decode(body, {})
    assert caught.value.problem.detail == said


def test_values_are_named_in_an_address_too_and_not_without_end() -> None:
    """As many as fit into a sentence."""
    decoder = UrlDecoder(Sort, items_default=1, items_max=1)
    with pytest.raises(ProblemError) as caught:
        decoder.decode({}, "shade=none")
    detail = caught.value.problem.detail
    assert detail is not None
    assert 'one of "shade number 0", ' in detail
    assert detail.endswith(", ...")
    assert len(detail) < 400


def test_no_body_is_an_empty_one_where_nothing_has_to_be_said() -> None:
    """And where something has to, it is a 400."""
    assert JsonBody(Sort).decode(b"", {}) == Sort()
    with pytest.raises(ProblemError) as caught:
        JsonBody(Resolve).decode(b"", {})
    assert caught.value.problem.status == 400


# --- Null, and nothing --------------------------------------------------------------------------


class Repaint(Command):
    wall_id: str
    color: Annotated[str, Meta(max_length=20)] | UnsetType | None = UNSET
    coats: int | UnsetType = UNSET


def repaint(body: bytes) -> Any:
    return JsonBody(Repaint).decode(body, {"wall_id": "1"})


def test_null_is_told_from_what_is_not_there() -> None:
    """RFC 7396: null clears, what is absent stays; and null clears nothing that cannot be clear."""
    assert repaint(b"") == repaint(b"{}") == Repaint(wall_id="1")
    assert repaint(b'{"color":null}') == Repaint(wall_id="1", color=None)
    assert repaint(b'{"color":"red","coats":2}') == Repaint(wall_id="1", color="red", coats=2)
    assert refused(repaint, b'{"coats":null}') == (422, "coats")


# --- Characters ---------------------------------------------------------------------------------


class Hang(Command):
    name: Annotated[str, Meta(max_length=254)]
    text: Annotated[str, Meta(max_length=255)] = ""


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("label", CONTROLS)
def test_a_line_holds_no_control_character_and_a_text_may(label: str, *, escaped: bool) -> None:
    """However it is spelt, in a body or an address; what may be longer than a name is a text."""
    wrong = f"a{CONTROLS[label]}b"
    for decoder in (JsonBody(Hang), GoBody(Hang)):
        body = json.dumps({"name": wrong}, ensure_ascii=escaped).encode()
        assert refused(decoder.decode, body, {}) == (422, "name")
        body = json.dumps({"name": "a", "text": wrong}, ensure_ascii=escaped).encode()
        assert decoder.decode(body, {}) == Hang(name="a", text=wrong)
    url = UrlDecoder(Hang, items_default=50, items_max=200)
    assert refused(url.decode, {"name": wrong, "text": "x"}, "") == (422, "name")
    assert url.decode({"name": "a", "text": wrong}, "") == Hang(name="a", text=wrong)


@pytest.mark.parametrize(
    "name", ["Zoë", "Ἀδά", "עדה", "李", "a\u200fb", "👩\u200d🔬", 'a"b\\c', "a\u00a0b"]
)
def test_every_other_character_may_stand_in_a_name(name: str) -> None:
    """Marks that a script needs, joiners, quotes."""
    for escaped in (False, True):
        body = json.dumps({"name": name}, ensure_ascii=escaped).encode()
        assert JsonBody(Hang).decode(body, {}) == Hang(name=name)


# --- How deep, and how many --------------------------------------------------------------------


class Node(Struct):
    number: int = 0
    children: list[Node] = []


class Plant(Command):
    root: Node


class Keep(Command):
    root: Any


@pytest.mark.parametrize("kind", [JsonBody, GoBody])
@pytest.mark.parametrize("message", [Plant, Keep])
@pytest.mark.parametrize("leaf", ['{"number":9223372036854775808}', '"\\u0000"', "{}"])
def test_a_body_goes_no_deeper_than_a_service_can(kind: Any, message: Any, leaf: str) -> None:
    """It must be stored, answered and shown; what is deeper is refused, whatever it holds."""
    decode = kind(message).decode
    for depth in range(10, 1000, 10):
        body = '{"root":' + '{"children":[' * depth + leaf + "]}" * depth + "}"
        if leaf != "{}" or depth > 99:  # with what is around and within, 200 levels
            status, field = refused(decode, body.encode(), {})
            assert (status, field) == (400, None) if depth > 99 else field is not None
        else:
            assert repr(decode(body.encode(), {})).count("children") >= depth


class ListNotes(Query):
    after: int = 0
    limit: int


@pytest.mark.parametrize("limit", [0, -1, -2, -(2**63), 201])
def test_a_page_holds_one_item_or_more(limit: int) -> None:
    """Whatever the message itself allows: SQL takes -1 for all."""
    decoder = UrlDecoder(ListNotes, items_default=50, items_max=200)
    assert refused(decoder.decode, {}, f"limit={limit}") == (422, "limit")
    assert refused(decoder.decode, {"limit": str(limit)}, "") == (422, "limit")
    for good in (1, 200):
        assert decoder.decode({}, f"limit={good}") == ListNotes(limit=good)
    assert decoder.decode({}, "") == ListNotes(limit=50)


# --- Dates and what may be left out ----------------------------------------------------------


class Free(Query):
    day: dt.date
    until: dt.date | None = None
    beds: int | None = None
    view: Literal["sea", "yard"] | None = None
    name: str | None = None


class Arrive(Command, rename={"day": "CheckIn", "note": "Note"}):
    day: dt.date
    note: str = ""


def from_url(params: dict[str, str], query: str) -> Any:
    return UrlDecoder(Free, items_default=50, items_max=200).decode(params, query)


def refused(decode: Any, *arguments: object) -> tuple[int, str | None]:
    with pytest.raises(ProblemError) as caught:
        decode(*arguments)
    return caught.value.problem.status, caught.value.problem.field


def test_parameters_may_be_dates_and_may_be_left_out() -> None:
    """In the path or the query; what is not there is None."""
    day = dt.date(2032, 2, 29)
    assert from_url({"day": "2032-02-29"}, "") == Free(day=day)
    assert from_url({}, "day=2032-02-29&until=2032-03%2D01&beds=2&view=sea&name=null") == Free(
        day=day, until=dt.date(2032, 3, 1), beds=2, view="sea", name="null"
    )


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_named(text: str) -> None:
    """Optional or not, in an address or in a body."""
    raw = quote(text)
    assert refused(from_url, {"day": text}, "") == (422, "day")
    assert refused(from_url, {"day": "2031-05-01"}, f"until={raw}") == (422, "until")
    body = f'{{"CheckIn":"{text}"}}'.encode()
    assert refused(JsonBody(Arrive).decode, body, {}) == (422, "CheckIn")
    assert refused(GoBody(Arrive).decode, body, {}) == (422, "CheckIn")


def test_of_a_time_only_go_takes_the_day() -> None:
    """Its own clients write one; everywhere else a time is not a date."""
    time = "2031-05-01T23:00:00-11:00"
    body = f'{{"CheckIn": "{time}" }}'.encode()
    assert GoBody(Arrive).decode(body, {}) == Arrive(day=dt.date(2031, 5, 1))
    assert refused(JsonBody(Arrive).decode, body, {}) == (422, "CheckIn")
    assert refused(from_url, {"day": time}, "") == (422, "day")


@pytest.mark.parametrize("name", ["until", "beds", "view"])
@pytest.mark.parametrize("text", ["null", "NULL", "", "x"])
def test_a_filter_is_never_silently_none(name: str, text: str) -> None:
    """The text null is no value of a date, a number or a choice; it would have lost the filter."""
    assert refused(from_url, {"day": "2031-05-01"}, f"{name}={text}") == (422, name)


def test_a_date_that_must_be_there_is_named_when_it_is_not() -> None:
    """In an address and in a body."""
    assert refused(from_url, {}, "beds=1") == (422, "day")
    assert refused(JsonBody(Arrive).decode, b"{}", {}) == (422, "CheckIn")
    assert refused(JsonBody(Arrive).decode, b'{"CheckIn":null}', {}) == (422, "CheckIn")


@pytest.mark.parametrize("body", [b"null", b"{}", b'{"checkin":null}', b'{"CHECKIN": null }'])
def test_go_has_no_zero_value_for_a_date(body: bytes) -> None:
    """Null or absent leaves a string empty; a date cannot be, so it is asked for."""
    assert refused(GoBody(Arrive).decode, body, {}) == (422, "CheckIn")


def test_go_reads_dates_by_the_same_rules_as_its_other_fields() -> None:
    """Keys without regard to case, null is as if it were not there, another type is a 400."""
    arrive = Arrive(day=dt.date(2031, 5, 1))
    body = b'{"checkin":"2031-05-01","CheckIn":null,"Note":null,"Extra":1}'
    assert GoBody(Arrive).decode(body, {}) == arrive
    for value in (b"1", b"true", b"[]", b"{}"):
        assert refused(GoBody(Arrive).decode, b'{"CheckIn":%s}' % value, {}) == (400, "CheckIn")
        assert refused(JsonBody(Arrive).decode, b'{"CheckIn":%s}' % value, {}) == (422, "CheckIn")


def test_a_date_of_the_path_joins_the_body() -> None:
    """As every other field of a path does."""
    decoder = JsonBody(Arrive)
    assert decoder.decode(b'{"Note":"n"}', {"CheckIn": "2031-05-01"}) == Arrive(
        day=dt.date(2031, 5, 1), note="n"
    )
    assert refused(decoder.decode, b"{}", {"CheckIn": "2031-02-29"}) == (422, "CheckIn")
