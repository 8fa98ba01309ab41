"""Once to ten times as many bookings as the card processor can take: what is lost of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.config import load_config
from tests.benchmarks.overload.generator import LATE_SHARE_MAX, Load, plan_of_bookings
from tests.benchmarks.overload.hotel_server import HotelServer
from tests.benchmarks.overload.onlooker import Onlooker
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Absent, Row, Sense, Spread, as_target, at_percentile, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.overload.generator import Figures

# Thirty charges at a time of 0.2 s each are 150 a second, so that ten times as much are 1,500.
CHARGE_S: Final = 0.2
CHARGES_MAX: Final = 30
CAPACITY: Final = CHARGES_MAX / CHARGE_S
TIMES: Final = (1, 2, 4, 10)
# The most of it once more: what grows with the load and not with the time has grown by then.
AGAIN: Final = 10
WATCHED: Final = ("/healthz", "/admin/actors")
WATCHED_MS_MAX: Final = 100.0
GOODPUT_MIN: Final = 0.9
RESIDENT_MAX: Final = 1.05
# A window whose answers are later than edge.admission.target_s is late: the bound moves from there,
# and what was let in before it moved is answered within twice as long.
P99_TARGETS_MAX: Final = 2.0
HEAD: Final = ("offered", "201/s", "p50 ms", "p99 ms", "refused", "202, 504", "late sends", "MB")


def measure_capacity(effort: Effort, folder: Path) -> Result:
    """Return the rows of rising load."""
    plan = plan_of_bookings(folder)
    found: list[Figures] = []
    resident_mb: list[float] = []
    took_ms: dict[str, list[float]] = {path: [] for path in WATCHED}
    words = [f"--set=hotel.charge_s={CHARGE_S}", f"--set=hotel.charges_max={CHARGES_MAX}"]
    with HotelServer("overload-capacity", folder, *words) as server:
        for times in (*TIMES, AGAIN):
            rate = str(times * CAPACITY)
            with Onlooker(server.gateway, WATCHED, token=server.token) as onlooker:
                load = Load(server.gateway, plan, "--rate", rate, seconds=effort.overload_s)
                found.append(load.figures())
            for path, each in onlooker.took_s.items():
                took_ms[path] += [took * 1e3 for took in each]
            resident_mb.append(server.resident_mb())
            server.settle()
    lines: list[tuple[str, ...]] = [
        (
            f"{times} x {CAPACITY:g}/s",
            short(_goodput(each)),
            short(each.at("p50") * 1e3),
            short(each.at("p99") * 1e3),
            f"{each.statuses.get('503', 0):,}",
            f"{each.statuses.get('202', 0):,}, {each.statuses.get('504', 0):,}",
            f"{each.late_share:.2%}",
            short(resident),
        )
        for times, each, resident in zip((*TIMES, AGAIN), found, resident_mb, strict=True)
    ]
    rows = [*_rows(found), *(_watched(path, took_ms[path]) for path in WATCHED)]
    grown = resident_mb[-1] / resident_mb[-2]
    rows.append(
        Row(
            key="overload_resident",
            name=f"resident after {AGAIN} x capacity, to after the same before",
            sense="at most",
            limit=RESIDENT_MAX,
            unit="times",
            judged=grown,
            spread=Spread.of([grown]),
            basis="one",
        )
    )
    late = [each.late_share for each in found]
    absent: list[Absent] = []
    if max(late) > LATE_SHARE_MAX:
        why = f"not measured: the generator sent {max(late):.1%} late"
        absent = [_absent(each, why) for each in rows if each.key.startswith("overload_load")]
        rows = [each for each in rows if not each.key.startswith("overload_load")]
    table = Table(title="Bookings beyond capacity", head=HEAD, lines=lines, is_spread=False)
    return Result(rows=rows, tables=[table], absent=absent)


def _goodput(figures: Figures) -> float:
    return figures.well / figures.took_s


def _rows(found: Sequence[Figures]) -> list[Row]:
    goodputs = [_goodput(each) for each in found]
    late_s = load_config().edge.admission.target_s * P99_TARGETS_MAX
    shares = [each / max(goodputs) * 100 for each in goodputs]
    p99_ms = [each.at("p99") * 1e3 for each in found]
    name = f"1 to {max(TIMES)} x capacity"
    return [
        _row("overload_load_goodput", f"bookings at {name}, of the most", "at least",
             GOODPUT_MIN * 100, "%", min(shares), shares, "least"),
        _row("overload_load_p99", f"p99 of bookings made at {name}", "at most",
             late_s * 1e3, "ms", max(p99_ms), p99_ms, "most"),
    ]  # fmt: skip


def _watched(path: str, took_ms: Sequence[float]) -> Row:
    p999_ms = at_percentile(took_ms, 99.9)
    key = f"overload_{path.strip('/').replace('/', '_')}"
    name = f"p99.9 of {path} meanwhile"
    return _row(key, name, "at most", WATCHED_MS_MAX, "ms", p999_ms, took_ms,
                f"p99.9 of {len(took_ms):,}")  # fmt: skip


def _row(
    key: str, name: str, sense: Sense, limit: float, unit: str, judged: float,
    values: Sequence[float], basis: str,
) -> Row:  # fmt: skip
    return Row(
        key=key, name=name, sense=sense, limit=limit, unit=unit, judged=judged,
        spread=Spread.of(values), basis=basis,
    )  # fmt: skip


def _absent(row: Row, why: str) -> Absent:
    return Absent(
        key=row.key, name=row.name, target=as_target(row.sense, row.limit, row.unit), why=why
    )
