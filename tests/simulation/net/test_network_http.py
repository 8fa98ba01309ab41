from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from actors.simulation.net.fault_rules import Partition
from actors.simulation.net.link import Link
from tests.http_edge.answers import read_answer
from tests.simulation.net.http_requests import CLIENTS, REQUESTS, SPAN_S, simulate
from tests.simulation.net.reset_rules import Break

if TYPE_CHECKING:
    from actors.kernel.rng import Rng
    from tests.simulation.net.http_requests import Outcome

# A slow machine under load; it takes half a second on a quiet one.
REAL_S_MAX = 100.0
# Where a thousand requests would tell no more.
FEW = 300
# Longer than a head may take, and shorter than an idle connection is kept.
PAUSE_S = 10.0


@pytest.mark.real_time
def test_a_thousand_requests_over_ten_minutes_take_no_time() -> None:
    """The real client talks to the real edge through the network: every request is answered."""
    begun = time.perf_counter()
    outcome = simulate(1)
    taken = time.perf_counter() - begun
    assert len(outcome.statuses) == REQUESTS
    assert set(outcome.statuses) == {200, 201, 404}
    assert outcome.seconds > SPAN_S * 0.8
    assert taken < REAL_S_MAX


def test_equal_seeds_give_equal_traces(seed: int) -> None:
    """Two runs in one process write down the same, line for line; another seed does not."""
    first, second, other = [simulate(each, requests=FEW) for each in (seed, seed, seed + 1)]
    assert first.trace == second.trace
    assert (first.seconds, first.callbacks) == (second.seconds, second.callbacks)
    assert first.trace != other.trace


def test_a_client_hears_of_broken_connections(seed: int) -> None:
    """Connections that break in an answer are errors for the client, not wrong answers."""
    broken = Break(source="edge", target="client-2", after_bytes=1_000)
    outcome, again = [simulate(seed, requests=FEW, rules=(broken,)) for _ in range(2)]
    counts = Counter(type(status) for status in outcome.statuses)
    assert len(outcome.statuses) == FEW
    assert 0 < counts[str] < FEW / 4
    assert again.trace == outcome.trace


def test_http_survives_any_cut(seed: int) -> None:
    """Heads and bodies that arrive three bytes at a time, or one, are the same requests."""
    shreds = Link(latency_s=0.0, jitter_s=0.01, chunk_bytes_max=3, cut_chance=0.5, window_bytes=50)
    outcome = simulate(seed, requests=100, link=shreds)
    assert len(outcome.statuses) == 100
    assert set(outcome.statuses) == {200, 201, 404}


ROOM = b"GET /api/v1/rooms/r1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
TWEET = (
    b"POST /api/v1/tweets HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'1b\r\n{"author":"a","text":"two"}\r\n0\r\n\r\n'
)


async def ask_in_two_parts(base: str, _rng: Rng, outcome: Outcome, _requests: int) -> None:
    """On one connection, with a pause after each answer in which nothing may come."""
    url = URL(base)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for request in (ROOM, TWEET):
        for cut in range(1, len(request)):
            for part in (request[:cut], request[cut:]):
                writer.write(part)
                await asyncio.sleep(0.1)
            answer = await read_answer(reader)
            outcome.statuses.append(answer and answer.status)
            await asyncio.sleep(PAUSE_S)
    writer.close()


def test_a_connection_is_idle_behind_any_cut_of_a_request() -> None:
    """Nobody is told to be slow who has said all: it would be taken for the next answer."""
    outcome = simulate(1, client=ask_in_two_parts)
    assert Counter(outcome.statuses) == {
        404: CLIENTS * (len(ROOM) - 1),
        201: CLIENTS * (len(TWEET) - 1),
    }


def test_a_partitioned_client_times_out(seed: int) -> None:
    """Who cannot reach the edge gets errors; the others get answers."""
    partition = Partition(source=frozenset({"client-1"}), target=frozenset({"edge"}))
    outcome = simulate(seed, requests=40, rules=(partition,))
    names = [status for status in outcome.statuses if isinstance(status, str)]
    assert len(names) == 10
    assert set(names) == {"ConnectionTimeoutError"}
