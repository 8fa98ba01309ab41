"""The commands about systems: find them and their configuration, then serve, simulate or load.

With what they need, this is nearly all that a start imports.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.config import listed_systems, load_config
from actors.data_commands import run_command
from actors.entry_point import lacking, load_listed, load_named
from actors.errors import EntryPointError
from actors.heap import settle
from actors.kernel.clock import SystemClock
from actors.kernel.rng import Rng
from actors.log import configure_logging
from actors.serving import Server
from actors.shared_options import add_configuration, data_folder
from actors.store.files.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from actors.system import System

# Few enough to read a seed out, enough that two runs never begin with the same.
FRESH_SEED_BITS: Final = 32
# And of a server's, which nobody reads out.
SERVED_SEED_BITS: Final = 128
# What `load` needs beside a server's packages, each with what pip installs it by.
LOAD_REQUIRES: Final = {"hdrh": "dress-rehearsal[load]", "rich": "dress-rehearsal[load]"}


class SystemCommands:
    """What is told by the words, about the systems that they mean."""

    def __init__(
        self,
        words: list[str],
        *,
        entry: str | None,
        program: Path | None,
        systems: Sequence[System] | None,
        draw: Callable[[int], int],
        start: Callable[[Coroutine[Any, Any, Any]], Any],
    ) -> None:
        """`draw` draws so many bits from the machine, `start` runs something on a loop.

        The `systems` are found by the words where none are given. Raises EntryPointError, and
        ConfigError.
        """
        self._words = words
        self._entry = entry
        self._program = program
        self._draw = draw
        self._start = start
        self._clock = SystemClock()
        self._systems = _load_systems(entry, words) if systems is None else systems

    def do(self, name: str) -> int:
        """Simulate, put a load on them, or do something to their data; returns the exit code."""
        if name == "simulate":
            # Here, for a server that starts needs none of it.
            from actors.simulation.command.command import simulate  # noqa: PLC0415

            return simulate(
                self._words[1:],
                program=self._program or Path(sys.argv[0]).absolute(),
                fresh_seed=self._draw(FRESH_SEED_BITS),
                clock=self._clock,
                systems=self._systems,
                entry=self._entry,
            )
        if name == "load":
            return self._put_load()
        settle()
        return run_command(self._words, self._clock, self._systems)

    def serve(self, options: argparse.Namespace) -> int:
        """Serve until SIGTERM or SIGINT."""
        config = load_config(options.config, options.set, self._systems)
        data_dir = data_folder(options.data_dir, config)
        # What is in the data folder is nobody else's: also what SQLite makes there.
        os.umask(0o077)
        configure_logging(
            config.log, sys.stdout, is_terminal=sys.stdout.isatty(), now_us=self._clock.now_us
        )
        load = partial(load_config, options.config, options.set, self._systems)
        server = Server(self._systems, config, data_dir, self._clock, load)
        settle()
        rng = Rng(config.runtime.seed or self._draw(SERVED_SEED_BITS))
        with DirectoryLock(data_dir).acquire(holder=" ".join(sys.argv)) as lock:
            self._start(server.serve(rng, lock))
        return 0

    def _put_load(self) -> int:
        """Put a load on what others serve. Raises EntryPointError without its packages."""
        if lack := lacking(LOAD_REQUIRES):
            raise EntryPointError(f"there can be no load: {lack}")
        # Here, for a server that starts needs none of it.
        from actors.load.load_command import load  # noqa: PLC0415
        from actors.load.load_options import LoadOptions  # noqa: PLC0415

        options = LoadOptions(self._words[1:])
        seed = self._draw(FRESH_SEED_BITS) if options.seed is None else options.seed
        settle()
        return load(
            options,
            clock=self._clock,
            rng=Rng(seed),
            seed=seed,
            start=self._start,
            systems=self._systems,
        )


# --- Whose systems ---------------------------------------------------------------------------


def _load_systems(entry: str | None, words: list[str]) -> Sequence[System]:
    """Find what to boot, as far as the options about the configuration say which."""
    if {"-h", "--help"} & {*words}:  # whatever is wrong, what is right is told
        return ()
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    add_configuration(parser)
    try:
        options, _ = parser.parse_known_args(words)
    except argparse.ArgumentError:  # who reads all the words says it better
        options = parser.parse_args([])
    listed = listed_systems(options.config, options.set)
    if entry is not None and words[0] == "run":
        return load_named(entry, listed)
    if entry is not None:
        return _load_meant(entry, listed, words)
    systems, left_out = load_listed(listed)
    for line in left_out:
        print(f"dress-rehearsal: {line}", file=sys.stderr)  # noqa: T201 - the command's own words
    return systems


def _load_meant(entry: str, listed: Sequence[str], words: list[str]) -> Sequence[System]:
    """Return what is meant, and what beside it: a listed one's name is as `--system` and it."""
    found = load_named(entry, listed)
    if [each.name for each in found] != [entry]:
        return found
    beside, _ = load_listed(listed)
    if not any(each is found[0] for each in beside):
        return found
    words += ["--system", entry]
    return beside
