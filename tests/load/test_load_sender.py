"""Open and closed loop, on virtual time: what is sent when, and what a server's pause shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.load.arrivals import Arrival
from actors.load.errors import LoadError
from actors.load.load_phase import ClosedLoop, OpenLoop, TraceLoop
from actors.load.load_run import LoadLimits, LoadOutcome
from tests.load.notebook import Notebook, loaded

NOW = OpenLoop(rate=100.0, duration_s=2.0, pace="constant")


class Slow(Notebook):
    """It takes `takes_s` for each answer; from `pauses_s` on nothing is answered for a second."""

    def __init__(self, *, takes_s: float = 0.0, pauses_s: float = 1e9) -> None:
        super().__init__()
        self.takes_s, self.pauses_s = takes_s, pauses_s
        self.times: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                if head.startswith("POST "):
                    length = int(head.partition("Content-Length: ")[2].partition("\r\n")[0])
                    body = await reader.readexactly(length)
                else:
                    body = b""
                self.times.append(loop.time())
                resumes_s = self.pauses_s + 1.0
                if self.pauses_s <= loop.time() < resumes_s:
                    await asyncio.sleep(resumes_s - loop.time())
                await asyncio.sleep(self.takes_s)
                status, answer = self.answer(head, body)
                text = str(answer).replace("'", '"').replace("None", "null").encode()
                start = f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n"
                writer.write(start.encode() + text)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def total(outcome: LoadOutcome) -> Any:
    """Return the figures of all phases."""
    return outcome.total


def test_an_open_loop_waits_for_no_answer() -> None:
    """A server that takes half a second an answer is sent as much as one that takes none."""
    server = Slow(takes_s=0.5)
    figures = total(loaded(server, NOW))
    assert (figures.planned, figures.well, figures.late) == (200, 200, 0)
    assert figures.from_intended.at(99.0) == pytest.approx(0.5, rel=0.02)
    first, last = server.times[0], server.times[199]
    assert last - first == pytest.approx(1.99, abs=0.01)


def test_what_waits_for_a_connection_is_late_and_its_wait_counts() -> None:
    """Two connections, half a second an answer: four a second, of a hundred that were meant.

    The last of 20 requests, all due within 0.2 s, is sent at about 4.5 s: from when it was due
    some 4.8 s, from when it was sent half a second.
    """
    phase = OpenLoop(rate=100.0, duration_s=0.2, pace="constant")
    limits = LoadLimits(connections_max=2)
    figures = total(loaded(Slow(takes_s=0.5), phase, limits=limits))
    assert (figures.planned, figures.late) == (20, 18)
    assert figures.from_intended.max_s == pytest.approx(4.8, rel=0.03)
    assert figures.from_sent.max_s == pytest.approx(0.5, rel=0.03)


def test_a_pause_of_the_server_is_in_the_corrected_figures() -> None:
    """1,000 requests in 10 s, of which 100 come in a pause of 1 s: they wait 1, 0.99, ... 0.01 s.

    The longest one in a hundred are the ten that came first: p99 is 0.9 s. Over four connections
    from the actual send only four have waited, and p99 sees nothing of it.
    """
    phase = OpenLoop(rate=100.0, duration_s=10.0, pace="constant")
    limits = LoadLimits(connections_max=4)
    figures = total(loaded(Slow(pauses_s=2.0), phase, limits=limits))
    assert figures.well == 1000
    assert figures.from_intended.at(99.0) == pytest.approx(0.9, rel=0.05)
    assert figures.from_sent.at(99.0) < 0.05


def test_a_trace_is_sent_as_it_says() -> None:
    """At its times, and the requests that it names."""
    server = Slow()
    trace = (Arrival(0.0), Arrival(0.25, "note"), Arrival(0.25), Arrival(2.0))
    assert total(loaded(server, TraceLoop(trace=trace))).well == 4
    begun = server.times[0]
    times = [each - begun for each in server.times[:4]]
    assert times == pytest.approx([0.0, 0.25, 0.25, 2.0], abs=0.01)


def test_a_closed_loops_clients_wait_and_think() -> None:
    """5 clients that think 0.1 s and wait 0.1 s ask some 25 times a second, never 6 at once."""
    phase = ClosedLoop(clients=5, duration_s=20.0, think_s=0.1)
    outcome = loaded(Slow(takes_s=0.1), phase)
    figures = total(outcome)
    assert 400 < figures.planned < 600
    assert figures.late == 0
    (result,) = outcome.phases
    assert result.interval_s == pytest.approx(0.2, rel=0.02)
    assert figures.from_sent.max_s == pytest.approx(0.1, rel=0.03)


def test_what_is_not_answered_in_time_has_failed() -> None:
    """And the connection is another one's no more; the phase ends."""

    class Silent(Notebook):
        def post(self, text: str) -> tuple[int, Any]:
            del text
            return (0, {}) if len(self.keys) == 5 else (201, {})

    outcome = loaded(Silent(), NOW, limits=LoadLimits(timeout_s=0.5))
    figures = total(outcome)
    assert (figures.planned, figures.well) == (200, 199)
    assert dict(figures.failures) == {"timed out": 1}
    assert outcome.ledger.entries[4].failure == "timed out"


def test_what_cannot_be_sent_in_time_is_not_sent() -> None:
    """Nothing waits for ever behind a server that is too slow, and each is counted."""
    limits = LoadLimits(connections_max=1, timeout_s=1.0)
    figures = total(loaded(Slow(takes_s=0.4), NOW, limits=limits))
    assert figures.planned == figures.well + figures.failed == 200
    assert figures.failures["not sent in time"] > 150
    assert figures.late_share > 0.9


def test_what_the_generator_cannot_send_in_time_it_leaves_out() -> None:
    """Else a rate that is ten times too high for it takes ten times as long."""
    server = Notebook()
    outcome = loaded(server, NOW, limits=LoadLimits(timeout_s=3.0), halts_s=(1.0, 4.5))
    figures = total(outcome)
    assert figures.planned == figures.well + figures.failed == 200
    assert 40 < figures.failures["not sent in time"] == figures.failed < 60
    assert figures.late == pytest.approx(100, abs=2)
    assert len(server.keys) == figures.well == len(outcome.ledger)


def test_who_takes_no_connection_makes_nobody_late() -> None:
    """It has failed: that the generator had too few connections would be no true word."""

    class Leaving(Notebook):
        def post(self, text: str) -> tuple[int, Any]:
            if len(self.keys) == 20:
                self.leave()
            return super().post(text)

    outcome = loaded(Leaving(), OpenLoop(rate=20.0, duration_s=2.0, pace="constant"))
    figures = total(outcome)
    assert (figures.planned, figures.well, figures.late) == (40, 20, 0)
    ((failure, count),) = figures.failures.items()
    assert failure.startswith("no connection: ")
    assert count == 20


def test_a_stop_gives_the_figures_so_far() -> None:
    """Within a second, whatever is under way; and no write is audited."""
    phase = OpenLoop(rate=100.0, duration_s=3600.0, pace="constant")
    outcome = loaded(Slow(takes_s=10.0), phase, stop_s=1.0)
    (result,) = outcome.phases
    assert outcome.stopped
    assert outcome.audit is None
    assert result.ended_s is not None
    assert result.ended_s - result.began_s < 2.0
    assert dict(result.total.failures) == {"stopped": result.total.planned}
    assert 90 < result.total.planned < 110


@pytest.mark.parametrize("phase", [NOW, ClosedLoop(clients=3, duration_s=60.0)])
def test_a_stop_ends_every_kind_of_phase(phase: Any) -> None:
    """A client that waits, too."""
    outcome = loaded(Slow(takes_s=1000.0), phase, stop_s=0.5)
    assert outcome.stopped
    assert total(outcome).well == 0


def test_an_address_that_says_nothing_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A packet that nobody refuses would otherwise be waited for by the kernel's own limit."""

    async def silent(host: str, port: int) -> None:
        del host, port
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "open_connection", silent)
    with pytest.raises(LoadError, match=r"nobody answers .*not within 7 s"):
        loaded(Notebook(), NOW, limits=LoadLimits(timeout_s=7.0))
