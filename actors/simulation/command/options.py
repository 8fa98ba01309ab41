"""The command line of `runtime.py simulate`, as a value that can be said again."""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import msgspec

from actors.program import NAME
from actors.shared_options import add_configuration, parse_all
from actors.simulation.command.campaign import Plan
from actors.simulation.script.profile import PROFILES
from actors.simulation.shrink.minimise import RUNS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# How many seeds, where nobody says.
SEEDS: Final = 100
PROFILE: Final = "kills"
HOUR_S: Final = 3600.0
UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": HOUR_S}
# More virtual time than anybody plays.
ENDLESS_S: Final = 1e12


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `plan` is what to play, unless `replay` is a file to play again."""

    plan: Plan
    systems: tuple[str, ...]
    jobs: int = 1
    faults: str = PROFILE
    shrink_runs: int = RUNS_MAX
    replay: Path | None = None
    corpus: Path | None = None
    export: Path | None = None
    at_s: float | None = None
    step: int | None = None
    shrink: bool = False
    cause: bool = False
    page: Path | None = None
    check_determinism: bool = False
    cover: bool = False
    verbose: bool = False
    traces: bool = False
    logs: bool = False
    config: Path | None = None
    data_dir: str | None = None
    set: tuple[str, ...] = ()
    entry: str | None = None

    @classmethod
    def parse(
        cls,
        words: Sequence[str],
        *,
        systems: Iterable[str],
        fresh_seed: int,
        entry: str | None = None,
    ) -> Self:
        """Return what the words ask for; ends the process, saying why, where they are wrong.

        `fresh_seed` is where to begin if they name none; `entry` is whose systems they are, if
        somebody's own.
        """
        every = tuple(systems)
        parser = _parser(every)
        given = parse_all(parser, words)
        lengths = (given.seeds, given.hours, given.time)
        if sum(each is not None for each in lengths) > 1:
            parser.error("either --seeds or --hours or --time")
        if given.replay is not None and (given.seed, *lengths) != (None,) * 4:
            parser.error("a file has a seed of its own: --replay alone")
        one = (given.replay, given.export, given.at, given.step)
        if given.corpus is not None and any(each is not None for each in one):
            parser.error("--corpus is for a campaign, and this is one run")
        if given.shrink and given.replay is None:
            parser.error("--shrink is for --replay: what a seed finds is made small anyway")
        if (given.at, given.step, given.export) != (None, None, None) and given.replay is None:
            if given.seed is None or lengths != (None, None, None):
                parser.error(
                    "--at, --step and --export are for one run: --seed N, or --replay FILE"
                )
            if given.system is None and len(every) > 1:
                parser.error(f"one run is of one system: --system {' or '.join(every)}")
        if None not in (given.at, given.step):
            parser.error("either --at or --step")
        if given.page is not None and given.page.suffix == ".json":
            parser.error("beside --page FILE stands the script, as FILE.json: name it otherwise")
        return cls(
            plan=_plan(given, fresh_seed),
            systems=every if given.system is None else (given.system,),
            # What several processes log at once, nobody can read.
            jobs=1 if given.logs else given.jobs or _cores(),
            faults=given.faults,
            shrink_runs=given.shrink_runs,
            replay=given.replay,
            corpus=given.corpus,
            export=given.export,
            at_s=given.at,
            step=given.step,
            shrink=given.shrink,
            cause=given.cause,
            page=given.page,
            check_determinism=given.check_determinism,
            cover=given.cover,
            verbose=given.verbose,
            traces=given.traces,
            logs=given.logs,
            config=given.config,
            data_dir=given.data_dir,
            set=tuple(given.set),
            entry=entry,
        )

    @property
    def is_one_run(self) -> bool:
        """Whether one script is played and told, whether it fails or not."""
        return any(each is not None for each in (self.replay, self.export, self.at_s, self.step))

    @property
    def keeps_traces(self) -> bool:
        """Whether anything but the digest is looked at."""
        return self.traces or self.verbose or self.check_determinism

    def command(self) -> list[str]:
        """Return the words that name the command, and whose systems it plays."""
        return ["simulate"] if self.entry is None else ["simulate", self.entry]

    def settings(self) -> list[str]:
        """Return the words that make the configuration what it is."""
        found = [] if self.config is None else ["--config", str(self.config)]
        found += [] if self.data_dir is None else ["--data-dir", self.data_dir]
        return found + [word for each in self.set for word in ("--set", each)]

    def for_second_process(self) -> list[str]:
        """Return the words with which another process plays the same, and tells its traces."""
        words = [*self.command(), *self.settings(), "--traces"]
        if self.replay is not None:
            return [*words, "--replay", str(self.replay)]
        words += ["--jobs", str(self.jobs), *self.first()]
        if self.plan.real_s is not None:  # it is ended by who reads it, not by another's clock
            endless = msgspec.structs.replace(self.plan, real_s=None, virtual_s=ENDLESS_S)
            return words + self.playing(endless)
        return words + self.playing(self.plan)

    def first(self) -> list[str]:
        """Return the words that say what is played before any seed is."""
        return [] if self.corpus is None else ["--corpus", str(self.corpus)]

    def playing(self, plan: Plan) -> list[str]:
        """Return the words that say what is played."""
        words = ["--seed", str(plan.first), "--faults", self.faults]
        if plan.virtual_s is not None:
            words += ["--hours", repr(plan.virtual_s / HOUR_S)]
        elif plan.real_s is not None:
            words += ["--time", f"{math.ceil(plan.real_s)}s"]
        else:
            words += ["--seeds", str(plan.seeds)]
        words += ["--keep-going"] if plan.keep_going else []
        return words + (["--system", *self.systems] if len(self.systems) == 1 else [])


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _plan(given: argparse.Namespace, fresh_seed: int) -> Plan:
    going = given.keep_going
    if given.hours is not None or given.time is not None:
        return Plan(
            first=fresh_seed if given.seed is None else given.seed,
            seeds=None,
            virtual_s=None if given.hours is None else given.hours * HOUR_S,
            real_s=given.time,
            keep_going=going,
        )
    if given.seed is not None:
        return Plan(first=given.seed, seeds=given.seeds or 1, keep_going=going)
    if given.seeds is not None:
        return Plan(first=1, seeds=given.seeds, keep_going=going)
    return Plan(first=fresh_seed, seeds=SEEDS, keep_going=going)


def _parser(systems: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{NAME} simulate",
        usage="%(prog)s [SYSTEM] [option ...]",
        description="Play whole systems on virtual time, each seed another course of events, until "
        "one breaks; make small what broke it, and tell it. What is played leaves no file behind: "
        "DIR keeps what was found.",
        epilog="Exit codes: 0 all held, 1 something was found, 2 used wrongly, "
        "3 stopped before its end.",
    )
    add = parser.add_argument
    add("--seed", type=_seed, metavar="N", help="play this; with --seeds or --hours, begin here")
    add(
        "--seeds",
        type=_count,
        metavar="N",
        help=f"play seeds 1 to N, or N from --seed on (default: {SEEDS} fresh ones)",
    )
    add("--hours", type=_hours, metavar="H", help="go on until H virtual hours were played")
    add("--time", type=_time, metavar="T", help="go on for so long: 90s, 10m or 2h of real time")
    add(
        "--jobs",
        type=_count,
        metavar="N",
        help="play in N processes at once (default: one a core); it makes no other difference",
    )
    add(
        "--keep-going",
        action="store_true",
        help="go on after a failure; tell the kinds of failures apart, and shrink one of each",
    )
    add("--system", choices=systems, metavar="NAME", help="play this alone (default: all)")
    add(
        "--faults",
        choices=tuple(PROFILES),
        default=PROFILE,
        help="which kinds strike (default: %(default)s)",
    )
    add(
        "--shrink-runs",
        type=_count,
        default=RUNS_MAX,
        metavar="N",
        help="make a failure smaller in N more runs at most (default: %(default)s)",
    )
    add("--check-determinism", action="store_true", help="play all in a second process, too")
    add("--cover", action="store_true", help="fail where a crash point was not hit, too")
    add(
        "--page",
        type=Path,
        metavar="FILE",
        help="where to tell a failure (default: DIR/simulations/NAME-SEED.html); beside it stands "
        "the script that --replay takes, as .json",
    )
    add("--replay", type=Path, metavar="FILE", help="play a failure again, from its JSON")
    add("--corpus", type=Path, metavar="DIR", help="play every script in DIR first")
    add("--shrink", action="store_true", help="with --replay: make it smaller, if it fails")
    add("--cause", action="store_true", help="say from where on a failure was inevitable")
    add("--export", type=Path, metavar="FILE", help="write the run as a script for --replay")
    add(
        "--at",
        type=_moment,
        metavar="T",
        help="stop the run at T, such as 12.3s, and tell how all stands",
    )
    add("--step", type=_count, metavar="N", help="the same, at line N of its trace")
    add("--verbose", action="store_true", help="print the trace of every run")
    add("--traces", action="store_true", help="print a line of JSON a run, and nothing else")
    add("--logs", action="store_true", help="let the system log, to standard error")
    add_configuration(parser, holds="below it, in simulations, is kept what is found")
    return parser


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a seed is a number from 0 on, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def _time(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smh])", text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"a time such as 90s, 10m or 2h, not {text!r}")
    return float(found[1]) * UNITS_S[found[2]]


def _moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?s", text) is None:
        raise argparse.ArgumentTypeError(f"a moment of virtual time such as 12.3s, not {text!r}")
    return float(text.removesuffix("s"))


def _hours(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"hours, more than 0, not {text!r}")
    return number
