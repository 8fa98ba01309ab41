"""A service that runs elsewhere is asked by the deadline, and told once, in order, by its key."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.errors import ActorCrashed, DeadlineExceeded, NotAnswering, RemoteFailed
from actors.kernel.messages import Refusal
from actors.log import request_id
from actors.service.remote.transport import NoAnswerCame
from actors.tracing.trace_context import Place
from tests.kernel.kernel_harness import turns
from tests.service.callers import opens_after
from tests.service.desks import Labels, Note
from tests.service.remote.depots import (
    FindStock,
    Outside,
    Reserve,
    Stock,
    answer,
    reserve,
    shop,
)

if TYPE_CHECKING:
    from pathlib import Path

    from actors.service.remote.transport import RemoteAnswer, RemoteRequest

S = 1_000_000


def always(status: int, body: Any = None, **header: str | None) -> Outside:
    """Return who says the same to everybody."""

    async def answers(_request: RemoteRequest) -> RemoteAnswer:
        return answer(status, body, **header)

    return Outside(answers)


def in_turn(*answers: RemoteAnswer | str) -> Outside:
    """Return who gives these answers, and the last one again and again; a text: none came."""
    left = list(answers)

    async def give(_request: RemoteRequest) -> RemoteAnswer:
        following = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(following, str):
            raise NoAnswerCame(following)
        return following

    return Outside(give)


async def never(_request: RemoteRequest) -> RemoteAnswer:
    await asyncio.get_running_loop().create_future()
    raise AssertionError


PLENTY = {"sku": "a b", "count": 7, "of no use": True}


async def test_a_query_is_a_request_with_what_is_left_of_its_time(tmp_path: Path) -> None:
    """Path and query are escaped; the reply is read as its type, and what else it has is not."""
    outside = always(200, PLENTY)
    async with shop(tmp_path, outside) as run:
        reply = await run.through(
            run.ask("depot", FindStock(sku="a b/ü", at_most=3), timeout_s=2.5)
        )
    assert reply == Stock(sku="a b", count=7)
    (request,) = outside.requests
    assert request.method == "GET"
    assert request.url == "http://127.0.0.1:8080/v1/stock/a%20b%2F%C3%BC?at_most=3"
    assert request.body is None
    assert 2.4 <= float(request.headers["X-Request-Timeout"]) <= 2.5
    assert "Idempotency-Key" not in request.headers


async def test_a_command_has_a_body_and_its_askers_key(tmp_path: Path) -> None:
    outside = always(201, PLENTY)
    async with shop(tmp_path, outside) as run:
        await run.through(run.ask("depot", Reserve(sku="a", count=2), key="one"))
        await run.through(run.ask("depot", Reserve(sku="a", count=2)))
    first, second = outside.requests
    assert (first.method, first.url[-17:]) == ("POST", "/stock/a/reserved")
    assert msgspec.json.decode(first.body or b"") == {"count": 2}
    assert first.headers["Idempotency-Key"] == "one"
    assert len(second.headers["Idempotency-Key"]) > 20  # made here: it may be tried again


async def test_a_trace_goes_on_there(tmp_path: Path) -> None:
    """By W3C's header, and under the id that the request has in our log."""
    outside = always(200, PLENTY)
    place = Place("request-1", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 0)
    async with shop(tmp_path, outside) as run:
        for trace in (place.context(), "request-2"):
            token = request_id.set(trace)
            await run.through(run.ask("depot", FindStock(sku="a")))
            request_id.reset(token)
        tree = await run.system.trace(place.trace_id, spans_max=10)
        assert tree is not None
        (call,) = tree.spans
    traced, other = (each.headers for each in outside.requests)
    assert (traced["X-Request-ID"], other["X-Request-ID"]) == ("request-1", "request-2")
    assert traced["traceparent"] == f"00-{place.trace_id}-{call.span_id}-01"
    assert "traceparent" not in other
    assert (call.service, call.kind, call.name) == ("depot", "remote", "GET /stock/{sku}")
    assert (call.parent_id, call.outcome) == (place.span_id, "answered")


# Read by anything that goes down into it, it would end the process.
DEEP = b'{"of no use": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
PROBLEM = {"type": "/x", "title": "No", "detail": "none left", "field": "sku"}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, PROBLEM, Refusal.not_found("none left")),
        (409, {"title": "No"}, Refusal.conflict("No")),
        (422, PROBLEM, Refusal.invalid("none left", field="sku")),
        (409, {"error": "gone"}, Refusal.conflict('{"error":"gone"}')),
        (404, b"404 page not found", "answered 404 without a JSON object"),
        (422, [1], "answered 422 without a JSON object"),
        (400, PROBLEM, "answered 400"),
        (302, None, "answered 302"),
        (200, b'{"sku": "a"', "answered 200, and its body is no reply"),
        (200, {"sku": "a"}, "missing required field `count`"),
        (200, b"\xff", "answered 200, and its body is no reply"),
        (200, DEEP, "answered 200, and its body is no reply"),
        (409, DEEP, "answered 409 without a JSON object"),
    ],
)
async def test_an_answer_is_a_reply_a_refusal_or_an_error(
    tmp_path: Path, status: int, body: Any, said: Refusal | str
) -> None:
    """What it answered is asked for once: it would say the same again."""
    outside = always(status, body)
    async with shop(tmp_path, outside) as run:
        asked = run.through(run.ask("depot", FindStock(sku="a"), timeout_s=60.0))
        if isinstance(said, Refusal):
            wanted = msgspec.structs.replace(said, field=said.field or body.get("field"))
            assert await asked == wanted
        else:
            with pytest.raises(RemoteFailed, match=r"depot: GET /stock/\{sku\}: ") as failed:
                await asked
            assert said in str(failed.value)
    assert len(outside.requests) == 1


async def test_what_is_no_part_of_an_address_is_not_asked_for(tmp_path: Path) -> None:
    outside = always(200, PLENTY)
    async with shop(tmp_path, outside) as run:
        for sku in ("", ".", ".."):
            said = await run.through(run.ask("depot", FindStock(sku=sku)))
            assert said == Refusal.invalid(f"{sku!r} is no part of an address", field="sku")
    assert outside.requests == []


async def test_who_fails_is_asked_again_within_the_deadline_under_one_key(tmp_path: Path) -> None:
    outside = in_turn("refused", answer(500), answer(503, retry_after="3"), answer(201, PLENTY))
    async with shop(tmp_path, outside) as run:
        begun_s = run.clock.monotonic()
        asked = run.ask("depot", Reserve(sku="a"), timeout_s=30.0)
        assert await run.through(asked) == Stock(sku="a b", count=7)
        assert run.clock.monotonic() - begun_s >= 3.0  # as it asked
    assert len(outside.keys) == 4
    assert len(set(outside.keys)) == 1


@pytest.mark.parametrize(
    "retry_after", ["soon", f"1 Jan 2026 00:00:00 +{'9' * 30}", "1 Jan 9999 00:00:00", "\u0661"]
)
async def test_a_retry_after_that_says_nothing_is_none(tmp_path: Path, retry_after: str) -> None:
    """It ends no incarnation; and one that says too much is cut to `remote.rest_s_max`."""
    outside = in_turn(answer(503, retry_after=retry_after), answer(201, PLENTY))
    async with shop(tmp_path, outside) as run:
        asked = run.ask("depot", Reserve(sku="a"), timeout_s=100.0)
        assert await run.through(asked) == Stock(sku="a b", count=7)


async def test_an_outage_is_asked_by_the_budget_alone(tmp_path: Path) -> None:
    """Beyond it who asks is told at once."""
    outside = always(500)
    settings = ("effect.retries_kept_max=3", "effect.retries_s_min=0", "breaker.calls_min=50")
    async with shop(tmp_path, outside, *settings) as run:
        for _ in range(10):
            with pytest.raises(RemoteFailed):
                await run.through(run.ask("depot", FindStock(sku="a"), timeout_s=1000.0))
    assert len(outside.requests) == 10 + 3


async def test_who_never_answers_is_waited_for_until_the_deadline(tmp_path: Path) -> None:
    """And nobody else is kept waiting: not who asks at the same time, nor another service."""
    outside = Outside(never)
    async with shop(tmp_path, outside) as run:
        slow = run.ask("depot", FindStock(sku="slow"), timeout_s=2.0)
        await run.advance(0.5)
        outside.answers = always(200, PLENTY).answers
        assert await run.ask("depot", FindStock(sku="quick"), timeout_s=2.0)
        assert await run.ask("kiosk", Labels()) == []
        await run.advance(1.4)
        assert not slow.done()
        await run.advance(0.2)
        with pytest.raises(DeadlineExceeded):
            await slow


async def test_as_many_are_asked_at_once_as_may_be(tmp_path: Path) -> None:
    """The others wait, in its mailbox, and no longer than their deadline."""
    outside = Outside(never)
    async with shop(tmp_path, outside, "remote.running_max=2") as run:
        asks = [run.ask("depot", FindStock(sku=f"{each}"), timeout_s=3.0) for each in range(5)]
        await turns()
        assert outside.paths == ["/stock/0", "/stock/1"]
        await run.advance(4.0)
        assert [type(each.exception()) for each in asks] == [DeadlineExceeded] * 5
        outside.answers = always(200, PLENTY).answers
        assert await run.through(run.ask("depot", FindStock(sku="later")))
    assert outside.paths == ["/stock/0", "/stock/1", "/stock/later"]


async def test_who_fails_again_and_again_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Its breaker is among the others, and what it was to be told waits."""
    outside = always(500)
    settings = (*opens_after(2), "effect.retries_kept_max=1", "effect.retries_s_min=0")
    async with shop(tmp_path, outside, *settings) as run:
        with pytest.raises(RemoteFailed):
            await run.through(run.ask("depot", FindStock(sku="a")))
        (breaker,) = run.system.breakers()
        assert (breaker.name, breaker.state) == ("depot.remote", "open")
        asked = len(outside.requests)
        with pytest.raises(NotAnswering):
            await run.ask("depot", FindStock(sku="a"))
        await run.ask("shop", reserve("a"))
        await turns()
        assert len(outside.requests) == asked
        outside.answers = always(201, PLENTY).answers
        await run.until(lambda: len(outside.requests) > asked)
        await turns()
        assert run.system.breaker("depot.remote").state == "closed"
        (measured,) = (await run.system.measured(look_s_max=1.0)).remotes
        assert measured.counts.outcomes["answered"] == 1
        assert measured.counts.outcomes["not_made"] >= 1


# --- What it is sent ---------------------------------------------------------------------------


async def test_what_is_sent_arrives_in_order_and_is_repeated_under_its_key(tmp_path: Path) -> None:
    """Each comes after the one before it was answered, whatever it was answered with at first."""
    outside = in_turn("refused", answer(500), answer(401), answer(200, b"garbled"))
    async with shop(tmp_path, outside) as run:
        await run.ask("shop", reserve("a", "b", "c"))
        await run.until(lambda: len(outside.requests) == 6)
        await run.advance(10.0, steps=100)
        (channel,) = await run.system.channels()
        assert (channel.receiver, channel.depth) == ("depot", 0)
    skus = ["a"] * 4 + ["b", "c"]
    assert outside.paths == [f"/stock/{sku}/reserved" for sku in skus]
    assert len(set(outside.keys)) == 3
    assert outside.keys[0] == outside.keys[3]


async def test_a_refusal_comes_back_as_of_any_other_service(tmp_path: Path) -> None:
    async def answers(request: RemoteRequest) -> RemoteAnswer:
        return answer(409, {"detail": "gone"}) if "/b/" in request.url else answer(201)

    outside = Outside(answers)
    async with shop(tmp_path, outside) as run:
        await run.ask("shop", reserve("a", "b", "c"))
        await run.until(lambda: len(outside.requests) == 3)
        await turns()
        assert run.labels("shop") == ["refused b: gone"]
        assert run.count("shop", "dead_letter") == 0


async def test_a_refusal_that_nobody_hears_is_a_dead_letter_of_its_senders(tmp_path: Path) -> None:
    outside = always(409, {"detail": "gone"})
    async with shop(tmp_path, outside) as run:
        await run.ask("kiosk", reserve("a"))
        await run.until(lambda: run.count("kiosk", "dead_letter"))
        (letter,) = await run.letters()
        assert (letter.actor, letter.message_type) == ("kiosk", "Refused[Reserve]")
        (channel,) = await run.system.channels()
        assert channel.depth == 0


async def test_what_is_too_late_is_not_told(tmp_path: Path) -> None:
    """Its sender is; and an attempt is cut to what is left."""
    outside = Outside(never)
    async with shop(tmp_path, outside) as run:
        await run.ask("shop", reserve("a", "b", in_us=2 * S))
        await turns()
        assert outside.requests[0].headers["X-Request-Timeout"] == "2.000"
        await run.until(lambda: len(run.labels("shop")) == 2)
        assert run.labels("shop") == ["late a", "late b"]
        (stats,) = [each for each in run.system.actors() if each.name == "depot"]
        assert stats.expired["channel"] == 2
    assert len(outside.requests) == 1


async def test_who_asks_to_be_left_alone_is(tmp_path: Path) -> None:
    outside = in_turn(answer(429, retry_after="20"), answer(201))
    async with shop(tmp_path, outside) as run:
        await run.ask("shop", reserve("a"))
        await run.advance(19.0, steps=100)
        assert len(outside.requests) == 1
        await run.advance(3.0, steps=100)
        assert len(outside.requests) == 2


async def test_a_killed_host_gives_up_what_it_asked_and_nothing_it_was_to_tell(
    tmp_path: Path,
) -> None:
    outside = Outside(never)
    async with shop(tmp_path, outside) as run:
        asked = run.ask("depot", FindStock(sku="a"), timeout_s=60.0)
        await run.ask("shop", reserve("b", "c"))
        await turns()
        outside.answers = always(201, PLENTY).answers
        run.system.kill("depot")
        await turns()
        with pytest.raises(ActorCrashed, match="may have done it"):
            await asked
        await run.advance(5.0, steps=100)
    assert outside.paths == ["/stock/a", *[f"/stock/{each}/reserved" for each in "bbc"]]


@pytest.mark.sampled
@pytest.mark.parametrize("seed", range(20))
async def test_whoever_is_killed_each_command_takes_effect_once_and_in_order(
    tmp_path: Path, seed: int
) -> None:
    """By a depot that knows a key again, and whose answers get lost; refusals come once, too."""
    chance = Random(seed)
    done: dict[str, str] = {}

    async def answers(request: RemoteRequest) -> RemoteAnswer:
        sku = request.url.split("/")[-2]
        if chance.random() < 0.2:
            raise NoAnswerCame("before it was done")
        await asyncio.sleep(chance.random() * 0.1)
        done.setdefault(request.headers["Idempotency-Key"], sku)
        await asyncio.sleep(chance.random() * 0.1)
        if chance.random() < 0.2:
            raise NoAnswerCame("after it was done")
        if chance.random() < 0.1:
            return answer(503)
        return answer(409, {"detail": "no"}) if int(sku) % 3 == 0 else answer(201)

    skus = [str(each) for each in range(40)]
    settings = ("breaker.calls_min=50", "service.attempts_max=1000000")
    async with shop(tmp_path, Outside(answers), *settings, seed=seed) as run:
        left = list(skus)
        while left:
            await run.through(run.ask("shop", reserve(*left[:4])))
            del left[:4]
            await run.advance(chance.random(), steps=20)
            run.system.kill(chance.choice(["shop", "depot"]))
        await run.until(lambda: len(done) == len(skus))
        await run.advance(20.0, steps=500)
        refused = [f"refused {sku}: no" for sku in skus if int(sku) % 3 == 0]
        assert run.labels("shop") == refused
        (channel,) = await run.system.channels()
        assert channel.depth == 0
    assert list(done.values()) == skus


async def test_it_is_told_by_whoever_runs_next(tmp_path: Path) -> None:
    """What a process has not told, the next one does, under the same key."""
    first, second = Outside(never), always(201)
    async with shop(tmp_path, first) as run:
        await run.ask("shop", reserve("a", "b"))
        await turns()
    async with shop(tmp_path, second) as run:
        await run.until(lambda: len(second.requests) == 2)
        await run.ask("shop", Note(label="after"))
        assert run.labels("shop") == ["after"]
    assert first.keys[0] == second.keys[0]


async def test_a_refusal_that_its_sender_has_not_committed_comes_again(tmp_path: Path) -> None:
    """It is acknowledged with that commit, and not before."""
    first, second = always(409, {"detail": "no"}), always(409, {"detail": "still no"})
    async with shop(tmp_path, first) as run:
        run.system.suspend("depot")
        await run.ask("shop", reserve("a"))
        run.system.suspend("shop")
        run.system.resume("depot")
        await run.advance(10.0, steps=20)
        assert len(first.requests) == 1
        assert run.count("shop", "outbox") == 1
    async with shop(tmp_path, second) as run:
        await run.until(lambda: run.labels("shop"))
        await run.advance(10.0, steps=20)
        assert run.labels("shop") == ["refused a: still no"]
    assert len(second.requests) == 1


async def test_a_sender_that_is_killed_has_nothing_told_twice(tmp_path: Path) -> None:
    """While its messages are with the depot, which goes on: the next incarnation hears of it."""

    async def slowly(_request: RemoteRequest) -> RemoteAnswer:
        await asyncio.sleep(1.0)
        return answer(201)

    outside = Outside(slowly)
    async with shop(tmp_path, outside) as run:
        await run.ask("shop", reserve("a", "b", "c"))
        await run.advance(1.5, steps=10)
        run.system.kill("shop")
        await run.advance(20.0, steps=100)
        (channel,) = await run.system.channels()
        assert channel.depth == 0
    assert outside.paths == [f"/stock/{sku}/reserved" for sku in "abc"]
