"""A crowd of requests does not keep from its turn what they, or others, wait for."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from actors.config import load_config
from actors.errors import DeadlineExceeded
from http_edge import failure_log
from http_edge.turnstile import PASS_REQUESTS_MAX, Turnstile
from tests.http_edge.answers import read_answer
from tests.http_edge.fake_system import FakeSystem
from tests.http_edge.serving import hang_up, serving

if TYPE_CHECKING:
    import pytest

GET = b"GET /api/v1/rooms/r1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
SHIPPED = load_config(None, [], ()).edge.admission
CROWD = 2 * PASS_REQUESTS_MAX + 10


async def test_what_is_due_has_its_turn_between_the_requests_of_a_crowd() -> None:
    """Requests that arrive together begin in parts, in order, each once."""
    system = FakeSystem()
    begun_by_pass: list[int] = []

    def note_pass() -> None:
        begun_by_pass.append(len(system.seen))
        if len(system.seen) < CROWD:
            asyncio.get_running_loop().call_soon(note_pass)

    # As many as come are let in.
    many = msgspec.structs.replace(SHIPPED, in_progress_begin=SHIPPED.in_progress_max)
    async with serving(system, admission=many) as served:
        connections = [await served.connect() for _ in range(CROWD)]
        await asyncio.sleep(0.01)  # until all are accepted: then they are read together
        for _, writer in connections:
            writer.write(GET)
        note_pass()
        answers = [await read_answer(reader) for reader, _ in connections]
        for _, writer in connections:
            await hang_up(writer)
    assert [answer and answer.status for answer in answers] == [404] * CROWD
    begun = [after - before for before, after in itertools.pairwise(begun_by_pass)]
    assert len(system.seen) == CROWD
    assert max(begun) <= PASS_REQUESTS_MAX
    assert sum(count > 0 for count in begun) > 1


async def test_a_flood_of_late_answers_is_no_flood_of_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first is told whole, the others by how many they were; then the next one is a first."""
    monkeypatch.setattr(failure_log, "FLOOD_S", 0.05)
    summed_up = asyncio.Semaphore(0)
    sum_up = failure_log.FailureLog._sum_up

    def note(log: failure_log.FailureLog, kind: str) -> None:
        sum_up(log, kind)
        summed_up.release()

    monkeypatch.setattr(failure_log.FailureLog, "_sum_up", note)
    system = FakeSystem()

    def too_late(_seen: Any) -> None:
        raise DeadlineExceeded("room did not reply within 5 s")

    system.on_ask = too_late
    async with serving(system) as served:
        reader, writer = await served.connect()
        with structlog.testing.capture_logs() as logs:
            begun_s = asyncio.get_running_loop().time()
            # Fewer than after which a service is left alone.
            for told in (10, 20):
                writer.write(GET * 10)
                answers = [await read_answer(reader) for _ in range(10)]
                assert [answer and answer.status for answer in answers] == [504] * 10
                while sum(line.get("requests", 1) for line in logs) < told:
                    await summed_up.acquire()
            spells = (asyncio.get_running_loop().time() - begun_s) / failure_log.FLOOD_S
        await hang_up(writer)
    assert sum(line.get("requests", 1) for line in logs) == 20
    assert {line["problem"] for line in logs} == {"/problems/deadline-exceeded"}
    first, *others = [line["event"] for line in logs]
    assert first == "request failed"
    assert "more requests failed" in others
    assert len(logs) <= 2 * (spells + 1)


async def test_who_waits_for_his_turn_does_so_until_his_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And no longer: his answer would be late. He has been let through to nobody."""
    monkeypatch.setattr(Turnstile, "passes", lambda _: False)
    system = FakeSystem()
    hurried = GET.replace(b"\r\n\r\n", b"\r\nX-Request-Timeout: 0.05\r\n\r\n")
    async with serving(system) as served:
        reader, writer = await served.connect()
        writer.write(hurried)
        async with asyncio.timeout(20.0):
            answer = await read_answer(reader)
        await hang_up(writer)
    assert (answer and answer.status, system.seen) == (504, [])
