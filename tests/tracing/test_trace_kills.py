"""Traces of a hotel whose services and process are killed at random: none has a hole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.stage.rehearsal import Rehearsal
from actors.systems.hotel.scenario.scenario import HotelScenario
from actors.systems.hotel.system import HOTEL
from tests.tracing.trace_check import noting, rows_in, wrong_traces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from actors.simulation.stage.staging import Played
    from tests.tracing.trace_check import Row, Sent

KILLS = {"kill", "kill_at", "kill_starts", "crash", "crash_with", "terminate", "terminate_with"}


class Stage:
    """A hotel of which a share of the requests is traced, played again and again."""

    def __init__(self, place: Path, share: float) -> None:
        found: list[list[Row]] = []

        class Observed(HotelScenario):
            def violations(self, folder: Path, *rest: Any) -> list[str]:
                found.append(rows_in(folder))
                return super().violations(folder, *rest)

        self._found = found
        config = load_config(None, [f"trace.sample_share={share}"], [HOTEL])
        place.mkdir()
        self._stage = Rehearsal(replace(HOTEL, scenario=lambda: Observed), config, place)

    def play(self, seed: int) -> tuple[Played, list[Row], set[Sent]]:
        """Return the run, the spans that it has left, and what was sent in it."""
        self._found.clear()
        with noting() as sent:
            run = self._stage.play(self._stage.script(seed))
        assert not run.troubles, (seed, run.troubles)
        (rows,) = self._found
        return run, rows, sent


@pytest.fixture
def place() -> Iterator[Path]:
    with without_logs(), scratch_folder() as folder:
        yield folder


@pytest.mark.parametrize(
    "traces", [40, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.slow])]
)
def test_no_kill_leaves_an_orphan_or_a_hole(
    place: Path, seed: int, report: Callable[[str], None], traces: int
) -> None:
    """Whatever is sent for a traced request is a span of its trace, below what has sent it."""
    stage = Stage(place / "traced", 1.0)
    seen: set[str] = set()
    kills = spans = runs = 0
    while len(seen) < traces:
        script_seed = seed * 1_000_000 + runs
        run, rows, sent = stage.play(script_seed)
        assert list(wrong_traces(rows, sent)) == [], script_seed
        seen |= {row.trace_id for row in rows}
        spans += len(rows)
        kills += sum(count for name, count in run.applied.items() if name in KILLS)
        runs += 1
    report(f"{len(seen)} traces of {spans} spans in {runs} runs, {kills} kills")
    assert kills > traces // 20


def test_to_trace_changes_nothing_else(
    place: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seed has the same requests, faults and answers, whatever is traced of it.

    But for what the answer's header takes on the wire.
    """
    monkeypatch.setattr("http_edge.gateway._with_trace", lambda given, _: given)
    stages = [Stage(place / name, share) for name, share in (("not", 0.0), ("traced", 1.0))]
    (run, rows, _), (traced, some, _) = [stage.play(seed) for stage in stages]
    assert not rows
    assert some
    assert traced.operations == run.operations
    assert (traced.hit, traced.virtual_s) == (run.hit, run.virtual_s)
