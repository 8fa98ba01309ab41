"""A card processor that answers nothing, and then does again: what its callers and others see."""

from __future__ import annotations

import time
from statistics import median
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
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from tests.benchmarks.effort import Effort

# A tenth of what it can do: it is silent, and not crowded.
RATE: Final = 40
PROCESSOR: Final = "/admin/actors/card_processor"
AMPLIFICATION_MAX: Final = 1.2
OTHERS_MAX: Final = 10.0
# What an answer may be late: a tenth of what people notice of a page.
LATE_MS: Final = 100.0
# Probes that find it back.
CLOSES_S_MAX: Final = 10.0
# Breakers are looked at so often, in each phase alike; by an address that costs next to nothing:
# /metrics ten times a second was six times the p99 of everybody else.
LOOK_S: Final = 0.1
PATIENCE_S: Final = 60.0
# By so much a load is longer than it is looked at.
EDGE_S: Final = 1.0
HEAD: Final = ("bookings", "201", "202", "503", "504", "p99 ms", "another route's p99 ms", "asked")
# What bookings may be answered with: a no that comes in time is an answer.
ANY: Final = "201,202,409,503,504"


class BookedLoad:
    """A load of bookings, and somebody who asks another route all the while."""

    def __init__(self, hotel: SilentHotel, for_s: float, *, silent: bool = False) -> None:
        """Return after its end; in one that is `silent` the processor is, from its beginning on."""
        running = Load(hotel.url, hotel.plan, "--rate", str(RATE), seconds=for_s + EDGE_S)
        hotel.wait_until_asked()
        if silent:
            hotel.operator.request("POST", f"{PROCESSOR}/suspend", 202)
        before = hotel.asked()
        with Onlooker(hotel.url, [hotel.path]) as onlooker:
            self.opened_s = hotel.look(for_s)
        figures = running.figures()
        self.p99_ms = figures.at("p99") * 1e3
        self.statuses = figures.statuses
        self.others_s = onlooker.took_s[hotel.path]
        attempts, retries = (
            after - then for after, then in zip(hotel.asked(), before, strict=True)
        )
        # Of those under way only retries are counted yet: it is rather too much.
        self.amplification = attempts / max(1.0, attempts - retries)

    def line(self, words: str) -> tuple[str, ...]:
        """Return its line of the table."""
        counts = [f"{self.statuses.get(each, 0):,}" for each in ("201", "202", "503", "504")]
        others = short(_p99_ms(self.others_s))
        return (words, *counts, short(self.p99_ms), others, f"{len(self.others_s):,}")


class SilentHotel:
    """The hotel, and who looks at it."""

    def __init__(self, server: HotelServer, plan: Path) -> None:
        """There is one room more, for the other route."""
        self.server = server
        self.plan = plan
        self.url = server.gateway
        self.operator = server.operator()
        room = {"type": "suite", "rate": {"amount": 1, "currency": "EUR"}}
        self.path = f"/api/v1/rooms/{Client(self.url).create('/api/v1/rooms', room)['id']}"

    def asked(self) -> tuple[float, float]:
        """Return how often the processor was asked, and how often again."""
        look = Scrape(self.operator)
        return (
            look.total("effect_attempts_total", service="payment"),
            look.total("effect_retries_total", service="payment"),
        )

    def wait_until_asked(self) -> None:
        """Wait until the load is under way, whose clients begin a while after its process."""
        before, _ = self.asked()
        ends_s = time.perf_counter() + PATIENCE_S
        while self.asked()[0] < before + RATE / 4 and time.perf_counter() < ends_s:
            time.sleep(LOOK_S)

    def look(self, for_s: float, *, until_closed: bool = False) -> float:
        """Return after how many seconds a breaker of the payments is open first, or none any more.

        The latter returns then, the former after `for_s`; PATIENCE_S: never.
        """
        began_s = time.perf_counter()
        found_s = PATIENCE_S
        while (took_s := time.perf_counter() - began_s) < for_s:
            open_ones = [each for each in self._breakers() if each["state"] != "closed"]
            if bool(open_ones) is not until_closed:
                found_s = min(found_s, max(took_s, 0.001))
                if until_closed:
                    break
            time.sleep(LOOK_S)
        return found_s

    def recover(self) -> float:
        """Have it answer again; return after how many seconds no breaker is open any more."""
        self.operator.request("POST", f"{PROCESSOR}/resume", 202)
        closed_s = self.look(PATIENCE_S, until_closed=True)
        self.server.settle()  # what has waited is no load of the next phase
        return closed_s

    def _breakers(self) -> list[Any]:
        items = self.operator.get("/admin/breakers")["items"]
        return [each for each in items if each["name"].startswith("payment.")]


def measure_silence(effort: Effort, folder: Path) -> Result:
    """Return the rows of a silent dependency."""
    config = load_config()
    plan = plan_of_bookings(folder, expect=ANY)
    seconds = effort.overload_s
    # Silent for as long as it takes to notice, and as long again.
    silent_s = max(2 * config.effect.silence_s, seconds) if effort.thorough else seconds
    lines: list[tuple[str, ...]] = []
    silences: list[BookedLoad] = []
    closed_s: list[float] = []
    # By how many percent the p99 of others is more than around it, and what that differs by.
    more: list[float] = []
    same: list[float] = []
    with HotelServer("overload-silence", folder) as server:
        hotel = SilentHotel(server, plan)
        if effort.thorough:
            BookedLoad(hotel, seconds)  # to warm up
        for _ in range(effort.overload_rounds):
            before = BookedLoad(hotel, seconds)
            silent = BookedLoad(hotel, silent_s, silent=True)
            closed_s.append(hotel.recover())
            after = BookedLoad(hotel, seconds)
            silences.append(silent)
            around_ms = _p99_ms([*before.others_s, *after.others_s])
            more.append((_p99_ms(silent.others_s) / around_ms - 1) * 100)
            same.append(abs(_p99_ms(after.others_s) / _p99_ms(before.others_s) - 1) * 100)
            lines += [
                before.line("answered"), silent.line("silent"), after.line("answered, again")
            ]  # fmt: skip
    deadline_ms = config.edge.deadline_s * 1e3 + LATE_MS
    opens_s_max = config.effect.silence_s + config.effect.effect_s_max
    return Result(
        rows=[
            _most("overload_silent_p99", "p99 of bookings whose charge is not answered",
                  deadline_ms, "ms", [each.p99_ms for each in silences]),
            _most("overload_silent_amplification", "attempts to a first one that is not answered",
                  AMPLIFICATION_MAX, "times", [each.amplification for each in silences]),
            _most("overload_silent_opens", "a breaker's opening, after the silence began",
                  opens_s_max, "s", [each.opened_s for each in silences]),
            _most("overload_silent_closes", "its closing, after the silence ended",
                  CLOSES_S_MAX, "s", closed_s),
            Row(
                key="overload_silent_others",
                name="another route's p99 meanwhile, beyond what it differs",
                sense="at most", limit=OTHERS_MAX, unit="%",
                judged=max(0.001, median(more) - median(same)), spread=Spread.of(more),
                basis=f"beyond {short(median(same))} % from itself",
            ),
        ],
        tables=[Table(title="A silent card processor", head=HEAD, lines=lines, is_spread=False)],
    )  # fmt: skip


def _p99_ms(took_s: Sequence[float]) -> float:
    """Return it in milliseconds."""
    return at_percentile(took_s, 99) * 1e3


def _most(key: str, name: str, limit: float, unit: str, values: Sequence[float]) -> Row:
    return Row(
        key=key, name=name, sense="at most", limit=limit, unit=unit, judged=max(values),
        spread=Spread.of(values), basis="most",
    )  # fmt: skip
