"""The words behind `load`: which phases, where, and what must be met."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from actors.load.arrivals import trace_arrivals
from actors.load.errors import LoadError
from actors.load.load_phase import ClosedLoop, TraceLoop, stepped
from actors.load.load_plan import GATEWAY
from actors.load.load_run import LoadLimits
from actors.load.load_targets import LoadTargets
from actors.program import NAME
from actors.shared_options import add_configuration, parse_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.load.load_phase import LoadPhase

# Without a word: enough to see a p99, gently.
RATE: Final = 50.0
DURATION_S: Final = 10.0
LIMITS: Final = LoadLimits()
UNITS_S: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
# More than a generator of one process can keep.
RATE_MAX: Final = 100_000.0
CLIENTS_MAX: Final = 10_000


class LoadOptions:
    """What was asked for, sound as far as words can be."""

    def __init__(self, words: Sequence[str]) -> None:
        """Ends the process, saying why, where they are wrong. Raises LoadError for the trace."""
        parser = _parser()
        given = parse_all(parser, words)
        ways = (given.rate, given.steps, given.trace, given.clients)
        if sum(each is not None for each in ways) > 1:
            parser.error("one of --rate, --steps, --trace, --clients")
        if given.think is not None and given.clients is None:
            parser.error("--think is for --clients: an open loop waits for nobody")
        if given.constant and (given.clients, given.trace) != (None, None):
            parser.error("--constant is for --rate and --steps")
        if given.trace is not None and given.duration is not None:
            parser.error("--trace says itself how long: leave --for out")
        self.config: Path | None = given.config
        self.set: list[str] = given.set
        self.system: str | None = given.system
        self.plan: Path | None = given.plan
        self.json: Path | None = given.json
        if self.json is not None and not self.json.absolute().parent.is_dir():
            parser.error(f"--json: there is no folder {self.json.absolute().parent}")
        if self.json is not None and self.json.is_dir():
            parser.error(f"--json: {self.json} is a folder: name a file in it")
        self.seed: int | None = given.seed
        self.audits: bool = not given.no_audit
        self.urls: dict[str, str] = dict(given.url)
        self.limits = LoadLimits(connections_max=given.connections, timeout_s=given.timeout)
        self.targets = LoadTargets(
            p50=given.p50, p99=given.p99, p999=given.p999, errors=given.errors, late=given.late
        )
        self.phases: list[LoadPhase] = _phases(given)


def _phases(given: argparse.Namespace) -> list[LoadPhase]:
    duration_s = DURATION_S if given.duration is None else given.duration
    if given.clients is not None:
        think_s = given.think or 0.0
        return [ClosedLoop(clients=given.clients, duration_s=duration_s, think_s=think_s)]
    if given.trace is not None:
        try:
            lines = given.trace.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            message = f"the trace {given.trace} cannot be read ({error}); name one that is there"
            raise LoadError(message) from error
        trace = tuple(trace_arrivals(lines))
        if not trace:
            message = f"the trace {given.trace} is empty: write a line for each request"
            raise LoadError(message)
        return [TraceLoop(trace=trace)]
    rates = given.steps or [RATE if given.rate is None else given.rate]
    return [*stepped(rates, duration_s, "constant" if given.constant else "poisson")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{NAME} load",
        usage="%(prog)s [SYSTEM] [option ...]",
        description="Put a load on a system that runs, and say what its requests took, from when "
        "they were meant to be sent; then read back what it was told to write. SYSTEM is as for "
        "`run`; its plan is its own, System(load=...), or --plan's.",
        epilog="Exit codes: 0 all well, 1 a write is lost, doubled or contradicted, a target is "
        "missed, or nothing was sent or went well, 2 misuse, 3 stopped before its end.",
    )
    shape = parser.add_argument_group("what is sent")
    shape.add_argument("--plan", type=Path, metavar="FILE", help="a plan as TOML: docs/LOAD.md")
    shape.add_argument(
        "--system", metavar="NAME", help="whose plan, where several systems run together"
    )
    shape.add_argument(
        "--rate",
        type=_rate,
        metavar="N",
        help=f"open loop: N requests a second (default: {RATE:g})",
    )
    shape.add_argument(
        "--steps", type=_rates, metavar="N,N,...", help="open loop: each rate for as long as --for"
    )
    shape.add_argument(
        "--trace", type=Path, metavar="FILE", help="open loop: a line `SECONDS [REQUEST]` each"
    )
    shape.add_argument(
        "--constant", action="store_true", help="evenly, where Poisson arrivals are the default"
    )
    shape.add_argument(
        "--clients", type=_clients, metavar="N", help="closed loop: N clients that wait for answers"
    )
    shape.add_argument(
        "--think",
        type=_duration,
        metavar="TIME",
        help="a client's mean time between an answer and its next request (default: none)",
    )
    shape.add_argument(
        "--for",
        dest="duration",
        type=_duration,
        metavar="TIME",
        help=f"how long a phase is, such as 30s or 5m (default: {DURATION_S:g}s)",
    )
    shape.add_argument("--seed", type=int, metavar="N", help="draw as another run did")
    where = parser.add_argument_group("where")
    where.add_argument(
        "--url",
        action="append",
        default=[],
        type=_url,
        metavar="[LISTENER=]URL",
        help="where a listener is (default: where the configuration has it; without a name: the "
        f"{GATEWAY})",
    )
    where.add_argument(
        "--connections",
        type=_clients,
        default=LIMITS.connections_max,
        metavar="N",
        help="open to a listener at most: what would need more is sent late, and counted "
        "(default: %(default)s)",
    )
    where.add_argument(
        "--timeout",
        type=_duration,
        default=LIMITS.timeout_s,
        metavar="TIME",
        help="for an answer: longer than a deadline of the edge's (default: %(default)gs)",
    )
    add_configuration(where, holds=None)  # type: ignore[arg-type] # a group adds as a parser does
    told = parser.add_argument_group("what is told")
    told.add_argument("--json", type=Path, metavar="FILE", help="all figures, for machines")
    told.add_argument("--no-audit", action="store_true", help="read nothing back")
    for name, what in (
        ("p50", "the median may be so many seconds"),
        ("p99", "99 %% of what goes well may take so many seconds, corrected"),
        ("p999", "likewise 99.9 %%"),
        ("errors", "this share of the requests may fail, such as 0.01"),
        ("late", "this share of the requests may be sent late"),
    ):
        told.add_argument(f"--{name}", type=_share, metavar="X", help=f"target: {what}")
    return parser


def _number(text: str, what: str, highest: float, *, least: float = 0.0) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (least <= value <= highest and value > 0):
        message = f"{text!r} is no {what}: take one above 0, up to {highest:g}"
        raise argparse.ArgumentTypeError(message)
    return value


def _rate(text: str) -> float:
    return _number(text, "rate", RATE_MAX)


def _rates(text: str) -> list[float]:
    return [_rate(each) for each in text.split(",")]


def _clients(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of them: write such as 64")
    return int(_number(text, "number of them", CLIENTS_MAX))


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+)([smh]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write such as 30s, 5m, 0.1s")
    return _number(found[1], "time", 86_400.0) * UNITS_S[found[2]]


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no target: write a number, such as 0.05")
    return value


def _url(text: str) -> tuple[str, str]:
    name, separator, url = text.partition("=")
    if separator and name.isidentifier():
        return name, url
    return GATEWAY, text
