"""A card processor that answers nothing, and then does again: what its callers and others see."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from actors.config import load_config
from tests.benchmarks.client import Client
from tests.benchmarks.overload.generator import Load, plan_of_bookings
from tests.benchmarks.overload.hotel_server import HotelServer
from tests.benchmarks.overload.onlooker import Onlooker
from tests.benchmarks.overload.scrape import Scrape
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, at_percentile, short

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort

# A tenth of what it can do: it is silent, and not crowded.
RATE: Final = 40
PROCESSOR: Final = "card_processor"
AMPLIFICATION_MAX: Final = 1.2
OTHERS_MAX: Final = 10.0
# What an answer may be late: a tenth of what people notice of a page.
LATE_MS: Final = 100.0
# Probes that find it back, and a state that is looked at ten times a second.
CLOSES_S_MAX: Final = 10.0
LOOK_S: Final = 0.1
PATIENCE_S: Final = 60.0
HEAD: Final = ("bookings", "201", "202", "503", "504", "p99 ms", "another route's p99 ms")
CHARGES: Final = "SELECT count(*) FROM payment"
# What bookings may be answered with: a no that comes in time is an answer.
ANY: Final = "201,202,409,503,504"


def measure_silence(effort: Effort, folder: Path) -> Result:
    """Return the rows of a silent dependency."""
    config = load_config()
    plan = plan_of_bookings(folder, expect=ANY)
    seconds = effort.overload_s
    # Silent for as long as it takes to notice, and as long again.
    silent_s = max(2 * config.effect.silence_s, seconds) if effort.thorough else seconds
    lines: list[tuple[str, ...]] = []
    p99s: list[float] = []
    others_ms: list[float] = []
    with HotelServer("overload-silence", folder) as server:
        other = server.gateway
        room = Client(other).create("/api/v1/rooms", {
            "type": "suite", "rate": {"amount": 1, "currency": "EUR"}
        })["id"]  # fmt: skip
        path = f"/api/v1/rooms/{room}"
        operator = server.operator()
        opened_s = closed_s = PATIENCE_S
        before, charges = 0.0, 0

        def load(for_s: float, words: str, *, silent: bool = False) -> None:
            nonlocal opened_s, before, charges
            with Onlooker(other, [path]) as onlooker:
                running = Load(other, plan, "--rate", str(RATE), seconds=for_s)
                if silent:
                    _wait_until_asked(operator)
                    before, charges = _attempts(operator), _charges(server)
                    operator.request("POST", f"/admin/actors/{PROCESSOR}/suspend", 202)
                    opened_s = _wait_for(operator, "open")
                figures = running.figures()
            others_ms.append(at_percentile(onlooker.took_s[path], 99) * 1e3)
            p99s.append(figures.at("p99") * 1e3)
            said = figures.statuses
            counts = [f"{said.get(each, 0):,}" for each in ("201", "202", "503", "504")]
            lines.append((words, *counts, short(p99s[-1]), short(others_ms[-1])))

        load(seconds, "answered")
        load(seconds, "answered, again")
        load(silent_s, "silent", silent=True)
        amplification = (_attempts(operator) - before) / max(1, _charges(server) - charges)
        operator.request("POST", f"/admin/actors/{PROCESSOR}/resume", 202)
        running = Load(other, plan, "--rate", str(RATE), seconds=seconds)
        closed_s = _wait_for(operator, "closed")
        running.figures()
    same, again, silent = others_ms
    # What it differs from itself by is the machine's.
    worse = max(0.0, silent / ((same + again) / 2) * 100 - 100 - abs(again / same * 100 - 100))
    deadline_ms = config.edge.deadline_s * 1e3 + LATE_MS
    opens_s_max = config.effect.silence_s + config.effect.effect_s_max
    return Result(
        rows=[
            _row("overload_silent_p99", "p99 of bookings whose charge is not answered",
                 deadline_ms, "ms", p99s[2]),
            _row("overload_silent_amplification", "attempts a charge that is not answered",
                 AMPLIFICATION_MAX, "times", amplification),
            _row("overload_silent_opens", "a breaker's opening, after the silence began",
                 opens_s_max, "s", opened_s),
            _row("overload_silent_closes", "its closing, after the silence ended",
                 CLOSES_S_MAX, "s", closed_s),
            _row("overload_silent_others", "another route's p99 meanwhile, beyond what it differs",
                 OTHERS_MAX, "%", max(worse, 0.001)),
        ],
        tables=[Table(title="A silent card processor", head=HEAD, lines=lines, is_spread=False)],
    )  # fmt: skip


def _row(key: str, name: str, limit: float, unit: str, judged: float) -> Row:
    return Row(
        key=key, name=name, sense="at most", limit=limit, unit=unit, judged=judged,
        spread=Spread.of([judged]), basis="one",
    )  # fmt: skip


def _attempts(operator: Client) -> float:
    return Scrape(operator).total("effect_attempts_total", service="payment")


def _wait_until_asked(operator: Client) -> None:
    """Wait until the load is under way, whose clients begin a while after its process."""
    before = _attempts(operator)
    ends_s = time.perf_counter() + PATIENCE_S
    while _attempts(operator) < before + RATE / 4 and time.perf_counter() < ends_s:
        time.sleep(LOOK_S)


def _charges(server: HotelServer) -> int:
    with closing(sqlite3.connect(server.data_dir / "payment.db")) as file:
        found: int = file.execute(CHARGES).fetchone()[0]
        return found


def _wait_for(operator: Client, state: str) -> float:
    """Return after how many seconds a breaker of the payments is in that state, and none else."""
    began_s = time.perf_counter()
    while (took_s := time.perf_counter() - began_s) < PATIENCE_S:
        look = Scrape(operator)
        open_ones = look.total("breaker_state", service="payment") - look.total(
            "breaker_state", service="payment", state="closed"
        )
        if (open_ones == 0) == (state == "closed"):
            return max(took_s, 0.001)
        time.sleep(LOOK_S)
    return PATIENCE_S
