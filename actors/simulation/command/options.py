"""The command line of `runtime.py simulate`, as a value that can be said again."""

from __future__ import annotations

import argparse
import math
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


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. `plan` is what to play, unless `replay` is a file to play again."""

    plan: Plan
    systems: tuple[str, ...]
    faults: str = PROFILE
    shrink_runs: int = RUNS_MAX
    replay: Path | None = None
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
        if given.seeds is not None and given.hours is not None:
            parser.error("either --seeds or --hours")
        if given.replay is not None and (given.seed, given.seeds, given.hours) != (None,) * 3:
            parser.error("a file has a seed of its own: --replay alone")
        if given.page is not None and given.page.suffix == ".json":
            parser.error("beside --page FILE stands the script, as FILE.json: name it otherwise")
        return cls(
            plan=_plan(given, fresh_seed),
            systems=every if given.system is None else (given.system,),
            faults=given.faults,
            shrink_runs=given.shrink_runs,
            replay=given.replay,
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
        plan = self.plan
        words += ["--seed", str(plan.first), "--faults", self.faults]
        if plan.virtual_s is not None:
            words += ["--hours", repr(plan.virtual_s / HOUR_S)]
        else:
            words += ["--seeds", str(plan.seeds)]
        return words + (["--system", *self.systems] if len(self.systems) == 1 else [])


def _plan(given: argparse.Namespace, fresh_seed: int) -> Plan:
    if given.hours is not None:
        first = fresh_seed if given.seed is None else given.seed
        return Plan(first=first, seeds=None, virtual_s=given.hours * HOUR_S)
    if given.seed is not None:
        return Plan(first=given.seed, seeds=given.seeds or 1)
    if given.seeds is not None:
        return Plan(first=1, seeds=given.seeds)
    return Plan(first=fresh_seed, seeds=SEEDS)


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


def _hours(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"hours, more than 0, not {text!r}")
    return number
