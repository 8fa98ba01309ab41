"""What a client is answered is judged by the contract, and what no careful client asks is asked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import msgspec
import pytest

from actors import (
    Address,
    Query,
    ReadTransaction,
    Scenario,
    Service,
    System,
    query,
    service,
)
from actors.config import load_config
from actors.kernel.rng import Rng
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.oracles.http_contract import HttpAnswer, HttpContract
from actors.simulation.requests.oddities import Asked, Oddity, oddities, one_of
from actors.simulation.stage import client
from actors.simulation.stage import staging as stage
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems import SYSTEMS
from actors.systems.hotel.system import HOTEL
from http_edge import problems
from http_edge.answer import Answer
from http_edge.body_reader import BodyReader
from http_edge.decoding.url_decoder import UrlDecoder
from http_edge.doorkeeper import Doorkeeper
from http_edge.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from actors.config import EdgeConfig
    from actors.simulation import Chooser, Client, History

SCHEDULES_MAX: Final = 20
ALWAYS: Final = {
    "x-request-id": "c-1",
    "x-content-type-options": "nosniff",
    "date": "Sun, 29 Nov 2026 10:00:00 GMT",
}
JSON: Final = {**ALWAYS, "content-type": "application/json"}
PROBLEM: Final = {**ALWAYS, "content-type": "application/problem+json"}
CREATED: Final = HttpAnswer(
    method="POST",
    target="/api/v1/rooms",
    port=None,
    request_id="c-1",
    status=201,
    headers={**JSON, "location": "/api/v1/rooms/a%20b"},
    body={"id": "a b"},
    size=12,
    took_s=0.1,
    wall_us=1_795_946_400_500_000,
)
# An id of the edge's own, as it has for what it did not read.
UNREAD: Final = {"x-request-id": "a31d4e8c9a8b21f5"}
LIST: Final = msgspec.structs.replace(
    CREATED,
    method="GET",
    target="/api/v1/rooms?limit=2",
    status=200,
    headers=JSON,
    body={"items": [{}, {}], "next": "2"},
)


def _no(status: int, kind: str, detail: str = "it is so", **more: Any) -> HttpAnswer:
    body = {"type": f"/problems/{kind}", "title": "No", "status": status, "detail": detail}
    headers = {"retry-after": "1"} if "retry_after" in more else {}
    allow = {"allow": "GET, HEAD"} if status == 405 else {}
    return msgspec.structs.replace(
        CREATED, status=status, body={**body, **more}, headers={**PROBLEM, **headers, **allow}
    )


def _changed(exchange: HttpAnswer, **changes: Any) -> HttpAnswer:
    headers = {**exchange.headers, **changes.pop("headers", {})}
    return msgspec.structs.replace(exchange, headers=headers, **changes)


@pytest.fixture(scope="module")
def edge() -> EdgeConfig:
    return load_config(systems=SYSTEMS).edge


@pytest.mark.parametrize(
    "exchange",
    [
        CREATED,
        LIST,
        _changed(LIST, method="HEAD", size=0),
        _changed(LIST, body=0),
        _changed(LIST, target="/api/v1/orders/5", body={"id": 5}),
        _changed(LIST, body={"items": [{}] * 3, "total": 3}),
        _changed(CREATED, body=["a"], headers={"location": None}),
        _changed(CREATED, target="/api/v1/floors/1/rooms"),
        _changed(
            CREATED, target="/api/v1/rooms/find", headers={"location": "/api/v1/room?id=a%20b"}
        ),
        _changed(CREATED, status=202, headers={"retry-after": "1"}),
        _changed(
            CREATED,
            method="PUT",
            target="/api/v1/rooms/5",
            status=202,
            headers={"location": "/api/v1/rooms/5", "retry-after": "1"},
        ),
        _no(409, "conflict"),
        _no(405, "method-not-allowed"),
        _no(503, "mailbox-full", retry_after=1),
        _changed(_no(504, "deadline-exceeded"), took_s=5.0),
        _changed(_no(503, "too-many-connections", retry_after=1), headers=UNREAD),
    ],
)
def test_what_is_right_is_not_complained_of(edge: EdgeConfig, exchange: HttpAnswer) -> None:
    """Neither a yes nor a no."""
    assert list(HttpContract().violations(exchange, edge)) == []


def test_what_is_being_made_has_the_place_of_what_is_made(edge: EdgeConfig) -> None:
    """A 202 says where to look, if a 201 of the same address does."""
    contract = HttpContract()
    headers = {"location": None, "retry-after": "1"}
    accepted = _changed(CREATED, status=202, headers=headers)
    assert list(contract.violations(accepted, edge)) == []
    (trouble,) = contract.violations(CREATED, edge)
    assert trouble.endswith("does not always say where it is to be seen")


def test_what_was_done_at_an_address_is_allowed_there(edge: EdgeConfig) -> None:
    """A 405 names each method that was answered there, whatever stands behind the address."""
    contract = HttpContract()
    no = _no(405, "method-not-allowed")
    for done, allowed in ((no, True), (LIST, True), (no, True), (CREATED, True), (no, False)):
        assert (not list(contract.violations(done, edge))) is allowed


@pytest.mark.parametrize(
    ("exchange", "said"),
    [
        (_changed(CREATED, headers={"location": "/api/v1/rooms/"}), "with Location"),
        (_changed(CREATED, headers={"location": "/api/v1/rooms/ba%20b"}), "with Location"),
        (
            _changed(CREATED, method="PUT", target="/api/v1/rooms/c", body={"id": "c"}),
            "with Location",
        ),
        (_changed(CREATED, headers={"x-request-id": "c-2"}), "under the request id"),
        (_changed(_no(503, "mailbox-full", retry_after=1), headers=UNREAD), "under the request id"),
        (_changed(CREATED, status=202), "without Retry-After"),
        (_changed(CREATED, method="DELETE", status=202, headers={"location": None}), "without Loc"),
        (_changed(CREATED, headers={"date": "Sun, 29 Nov 2026 09:59:58 GMT"}), "2.500 s ago"),
        (_changed(CREATED, headers={"date": "Sun, 29 Nov 2026 10:00:01 GMT"}), "-0.500 s ago"),
        (_changed(CREATED, status=302), "nothing that a client sends"),
        (_changed(LIST, body={"items": [{}], "next": "2"}), "there are more"),
        (_changed(LIST, body={"items": [{}] * 3, "next": None}), "2 is the most"),
        (
            _changed(LIST, target="/admin/dead-letters?limit=1", body={"items": [{}] * 2}),
            "1 is the most",
        ),
        (_changed(LIST, body={"items": [], "next": 5}), "next 5"),
        (
            _changed(LIST, body={"items": [], "next": "", "more": True}),
            "with ['items', 'more', 'next']",
        ),
        (_changed(LIST, method="HEAD"), "and a body"),
        (_changed(LIST, target="/api/v1/rooms/a", body={"id": "b"}), "with b"),
        (_no(500, "internal-error"), "nothing that a client sends"),
        (_changed(_no(500, "internal-error"), method="HEAD", size=0), "nothing that a client"),
        (_no(409, "invalid"), "and says"),
        (_no(409, "conflict", detail=""), "does not say what is wrong"),
        (_no(409, "conflict", detail="KeyError: 'x'"), "tells what is inside"),
        (_no(503, "mailbox-full"), "to be asked again after None s"),
        (_changed(_no(405, "method-not-allowed"), method="GET"), "though it allows"),
        (_no(504, "deadline-exceeded"), "after 0.100 s"),
        (_changed(_no(409, "conflict"), headers=JSON), "as application/json"),
    ],
)
def test_what_is_wrong_is_named(edge: EdgeConfig, exchange: HttpAnswer, said: str) -> None:
    """By a sentence each."""
    assert said in " ".join(HttpContract().violations(exchange, edge))


def _everybody_may(self: Doorkeeper, *given: Any) -> None:
    del self, given


def _any_method(self: Gateway, request: Any, methods: Any) -> Any:
    del self, request
    return next(iter(methods.values()))


def _refuses_the_longest_page(self: UrlDecoder, name: str, text: str) -> None:
    if name == "limit" and text == str(self._items_max):
        raise problems.ProblemError(problems.Kind.INVALID, text, field=name)
    CHECK(self, name, text)


CHECK: Final = UrlDecoder._check
# By what the edge does wrong: who asks so that it is seen.
PLANTS: Final[dict[str, tuple[str, AbstractContextManager[Any]]]] = {
    "an answer has another's id": (
        "",
        patch.object(
            Answer, "stamp", lambda self, _, date: setattr(self, "_stamp", f"Date: {date}\r\n")
        ),
    ),
    "a page from elsewhere may write": (
        "a page (",
        patch.object(Doorkeeper, "check_source", _everybody_may),
    ),
    "a page is one item shorter than it may be": (
        "the longest page",
        patch.object(UrlDecoder, "_check", _refuses_the_longest_page),
    ),
    "any host is ours": ("another host", patch.object(Doorkeeper, "check_host", _everybody_may)),
    "any method is served": ("another method", patch.object(Gateway, "other_method", _any_method)),
    "a huge body is small": (
        "a huge body",
        patch.object(
            BodyReader, "too_large", lambda _: problems.ProblemError(problems.Kind.INVALID, "no")
        ),
    ),
}


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with scratch_folder() as place, without_logs():
        yield Rehearsal(HOTEL, load_config(systems=SYSTEMS), place, profile="calm")


@pytest.mark.sampled
@pytest.mark.parametrize("name", PLANTS)
def test_what_the_edge_does_wrong_is_found(rehearsal: Rehearsal, name: str) -> None:
    """Whatever the scenario asks for; and the edge as it is is well."""
    oddly, planted = PLANTS[name]

    def some(*given: Any) -> tuple[list[Oddity], list[Oddity]]:
        general, apt = oddities(*given)
        every = [*general, *apt]
        wanted = [each for each in every if each.name.startswith(oddly)] or every
        return wanted, wanted

    with patch.object(client, "oddities", some), patch.object(stage, "ODD_ONE_IN", 1):
        for seed in range(1, SCHEDULES_MAX + 1):
            script = rehearsal.script(seed)
            with planted:
                troubles = rehearsal.play(script).troubles
            if any(each.startswith("http: ") for each in troubles):
                assert rehearsal.play(script).troubles == ()
                return
    pytest.fail(f"{name} was not found in {SCHEDULES_MAX} schedules")


def test_what_is_asked_oddly_changes_nothing(rehearsal: Rehearsal) -> None:
    """A run in which everybody asks everything oddly as well ends as it would have ended."""
    with patch.object(stage, "ODD_ONE_IN", 1):
        for seed in range(1, 4):
            assert rehearsal.play(rehearsal.script(seed)).troubles == ()


def test_each_kind_of_oddity_is_as_likely() -> None:
    """Whatever fields there are for it."""
    body = {f"field_{number}": "text" for number in range(20)}
    asked = Asked(method="POST", path="/api/v1/rooms", body=body, headers={}, port=None, status=201)
    _, apt = oddities(asked, load_config(systems=SYSTEMS).edge, "")
    rng = Rng(4711)
    drawn = Counter(one_of(rng, apt).name.partition(" (")[0] for _ in range(1_000))
    assert drawn["half a body"] > 1_000 / 2 / 20
    assert drawn["another type"] < 2 * drawn["half a body"]


class ListShelves(Query):
    limit: int


class Shelves(Service):
    """Lists the first of all that there is: nobody wants more."""

    schema = ""

    @query
    def shelves(self, tx: ReadTransaction, question: ListShelves) -> dict[str, list[str]]:
        del tx
        return {"items": ["a", "b"][: question.limit]}


class Lookers(Scenario):
    """Look."""

    def choose_call(self, choose: Chooser) -> int:
        return choose(1)

    async def perform(self, client: Client, number: int, call: int, history: History) -> None:
        assert (await client.ask("GET", "/api/v1/shelves")).body == {"items": ["a", "b"]}

    def violations(self, *given: Any) -> list[str]:
        return []


def test_a_list_without_pages_is_no_trouble(tmp_path: Path) -> None:
    """A system of somebody's own may have all of it in one answer."""
    address = Address("GET", "/api/v1/shelves", service("shelves", ListShelves))
    system = System(
        name="shelves",
        services={"shelves": Shelves},
        addresses=[address],
        scenario=lambda: Lookers,
    )
    with without_logs(), patch.object(stage, "ODD_ONE_IN", 1):
        rehearsal = Rehearsal(system, load_config(systems=[system]), tmp_path, profile="calm")
        for seed in range(3):
            assert rehearsal.play(rehearsal.script(seed)).troubles == ()


def test_who_asks_oddly_what_was_wrong_already_is_told_of_either() -> None:
    """The field that was wrong before, or the odd one; and of no other."""
    asked = Asked(
        method="POST", path="/api/v1/rooms", body={"vip": 1}, headers={}, port=None, status=422
    )
    blamed = msgspec.structs.replace(asked, blamed="vip")
    config = load_config(systems=SYSTEMS).edge
    for made_of, field, amiss in (
        (asked, "vip", True),
        (blamed, "vip", False),
        (blamed, "an_odd_field", False),
        (blamed, "rate", True),
    ):
        (odd,) = [each for each in oddities(made_of, config, "")[1] if "another f" in each.name]
        assert (odd.amiss(422, _no(422, "invalid", field=field).body) is not None) is amiss
