"""Who was refused for what is in progress, and what that says of those who were not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.envelope import Envelope
from actors.kernel.future import AsyncioFuture
from actors.kernel.messages import Command
from actors.simulation.oracles.admission_oracle import AdmissionOracle

if TYPE_CHECKING:
    from actors.config import AdmissionConfig

PATH = "/api/v1/rooms"


class Ring(Command):
    pass


def admission(most: int) -> AdmissionConfig:
    return msgspec.structs.replace(load_config().edge.admission, in_progress_max=most)


def sent(most: int, *names: str, target: str = PATH) -> AdmissionOracle:
    oracle = AdmissionOracle(admission(most))
    for name in names:
        oracle.sends(name, "POST", target, 1.0, as_operator=False)
    return oracle


def refused(oracle: AdmissionOracle, name: str, target: str = PATH) -> list[str]:
    return list(oracle.answered("c", name, "POST", target, "overloaded", 2.0))


def asked(name: str) -> Envelope:
    return Envelope(Ring(), AsyncioFuture(asyncio.get_running_loop()), trace=name)


@pytest.mark.parametrize("most", [1, 2])
async def test_one_more_than_may_be_is_found_until_one_has_a_reply(most: int) -> None:
    """Whatever batches they come in, and however often."""
    oracle = sent(most, "a", "b", "c", "d")
    batch = [asked(name) for name in "abc"[: most + 1]]
    found = [each for one in batch for each in oracle.given("bell", [one])]
    assert found == [f"{most + 1} Ring of bell are in progress, of {most}"]
    assert list(oracle.given("bell", batch)) == []
    for each in batch:
        each.reply_to._future.cancel()
    assert list(oracle.given("bell", [asked("d")])) == []


async def test_what_an_operator_asks_is_not_bounded() -> None:
    oracle = AdmissionOracle(admission(1))
    for name in "ab":
        oracle.sends(name, "POST", PATH, 1.0, as_operator=True)
    assert list(oracle.given("bell", [asked("a"), asked("b")])) == []


async def test_whole_lists_are_of_no_kind() -> None:
    oracle = AdmissionOracle(admission(1))
    oracle.begin(admission(1), {(PATH, "GET")})
    for name, method in (("a", "GET"), ("b", "GET"), ("c", "POST"), ("d", "POST")):
        oracle.sends(name, method, PATH, 1.0, as_operator=False)
    assert list(oracle.given("bell", [asked("a"), asked("b"), asked("c")])) == []
    assert list(oracle.given("bell", [asked("d")])) == ["2 Ring of bell are in progress, of 1"]


def test_who_is_refused_meets_as_many_of_its_kind() -> None:
    """One whose client has left may still be in progress, until he is told otherwise."""
    oracle = sent(1, "a", "b")
    assert refused(oracle, "b") == []
    oracle.ended("a", 0.5)
    assert refused(oracle, "b") == [f"POST {PATH} was refused where 0 were in progress, of 1"]
    assert "of 2" in refused(sent(2, "a", "b"), "b")[0]


def test_a_service_refuses_what_is_one_too_many_of_all_that_was_asked() -> None:
    """Those before may all go on, whatever became of their clients and of the process."""
    for others, found in (("a", "was refused where 1 were ever asked, of 2"), ("ab", "")):
        few = msgspec.structs.replace(admission(9), service_max=2)
        oracle = AdmissionOracle(few)
        for name in (*others, "c"):
            oracle.sends(name, "POST", PATH, 1.0, as_operator=False)
            oracle.ended(name, 1.0)
        oracle.begin(few)
        said = list(oracle.answered("c", "c", "POST", PATH, "service-overloaded", 2.0))
        assert said == ([f"POST {PATH} {found}"] if found else [])


async def test_another_kind_is_no_reason() -> None:
    """Once it is known which message is asked at an address."""
    oracle = sent(1, "a", "b")
    oracle.sends("other", "GET", "/api/v1/bookings/1", 1.0, as_operator=False)
    oracle.ended("b", 0.5)
    oracle.ended("a", 0.5)
    oracle.sends("c", "POST", PATH, 1.0, as_operator=False)
    assert refused(oracle, "c") == []
    list(oracle.given("bell", [asked("a")]))
    list(oracle.given("book", [asked("other")]))
    assert refused(oracle, "c") != []


async def test_nothing_of_what_is_refused_is_begun() -> None:
    """Neither before its answer nor behind it."""
    oracle = sent(1, "a", "b")
    list(oracle.given("bell", [asked("a")]))
    assert "its service had it" in refused(oracle, "a")[0]
    assert refused(oracle, "b") == []
    assert "bell was given Ring of b, which was refused" in list(oracle.given("bell", [asked("b")]))


async def test_what_was_sent_twice_is_refused_beside_itself() -> None:
    """A client's library does so by itself, where the connection broke: under one id."""
    oracle = sent(1, "a")
    list(oracle.given("bell", [asked("a")]))
    said = oracle.answered("c", "a", "POST", PATH, "overloaded", 2.0, may_be_twice=True)
    assert list(said) == []
    again = sent(1, "a")
    list(again.answered("c", "a", "POST", PATH, "overloaded", 2.0, may_be_twice=True))
    assert list(again.given("bell", [asked("a")])) == []


def test_what_keeps_a_system_reachable_is_never_refused() -> None:
    for target in ("/healthz", "/readyz", "/admin/actors"):
        assert "keeps" in refused(sent(1, "a", "b", target=target), "b", target)[0]


def test_who_is_refused_is_told_at_once() -> None:
    """Not behind those that were let in: 50 ms, and the way there and back."""
    for own_s, found in ((0.09, []), (0.2, [f"POST {PATH} was refused after 0.200 s"])):
        oracle = sent(1, "a", "b")
        said = oracle.answered("c", "b", "POST", PATH, "overloaded", 2.0, own_s)
        assert list(said) == found
