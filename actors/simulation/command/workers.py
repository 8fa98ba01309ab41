"""Processes that play schedules side by side; their results come in the schedules' order."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.errors import DressRehearsalError
from actors.simulation.errors import SimulationError
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.stage.staging import Played

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from multiprocessing.connection import Connection

    from actors.kernel.clock import Clock
    from actors.simulation.stage.rehearsal import Rehearsal

    # A seed, and the system that it is played with.
    Turn = tuple[str, int]

# Seconds of real time that a run may take: nine times its processor time, for a machine that has
# much else to do. What blocks takes none of that, and is ended by this.
RUN_S_MAX: Final = 180.0
# How often a run's time is looked at, in seconds.
POLL_S: Final = 0.5
# How many schedules a worker plays ahead of the oldest one that is still under way.
AHEAD: Final = 64


class LostRun(msgspec.Struct, frozen=True):
    """A run whose process ended in the middle of it, or had to be ended; and how."""

    how: str


class Workers:
    """As many processes as there are `jobs`, forked from this one.

    A fork copies this process as it is: there must be no other thread, and no open file of
    SQLite's. A worker ends with its connection, whatever has become of this process.
    """

    def __init__(
        self,
        rehearsals: Mapping[str, Rehearsal],
        jobs: int,
        clock: Clock,
        *,
        keep: bool,
        run_s_max: float = RUN_S_MAX,
    ) -> None:
        """With `keep`, traces come with the results. `clock` is the real one."""
        self._rehearsals = rehearsals
        self._jobs = jobs
        self._clock = clock
        self._keep = keep
        self._run_s_max = run_s_max
        self._started = 0
        self._workers: list[_Worker] = []

    def play(
        self, turns: Iterator[Turn], stopping: Callable[[], bool]
    ) -> Iterator[tuple[str, int, Played | LostRun]]:
        """Yield what came of each turn, in the order of the turns, until `stopping`.

        Some are played ahead: close the generator, and what is under way is given up.
        Raises SimulationError where the turn that is due cannot be played.
        """
        ahead: deque[tuple[int, Turn]] = deque()
        done: dict[int, tuple[Turn, Played | LostRun | SimulationError]] = {}
        numbered = enumerate(turns)
        first = 0
        try:
            while not stopping():
                while len(ahead) < self._jobs and (turn := next(numbered, None)) is not None:
                    ahead.append(turn)
                if not self._feed(ahead, first) and first not in done:
                    return
                for number, played, found in self._heard():
                    done[number] = (played, found)
                while first in done and not stopping():
                    (system, seed), due = done.pop(first)
                    if isinstance(due, SimulationError):
                        raise due
                    first += 1
                    yield system, seed, due
        finally:
            while self._workers:
                self._workers.pop().end()

    def _feed(self, ahead: deque[tuple[int, Turn]], first: int) -> bool:
        """Give every idle worker its next turn; return whether any has one."""
        for worker in self._workers:
            if worker.number is None and ahead and ahead[0][0] < first + AHEAD * self._jobs:
                worker.begin(*ahead.popleft(), self._clock.monotonic())
        while ahead and len(self._workers) < self._jobs:
            self._start().begin(*ahead.popleft(), self._clock.monotonic())
        return any(each.number is not None for each in self._workers)

    def _start(self) -> _Worker:
        self._started += 1
        others = [each.connection for each in self._workers]
        worker = _Worker(f"worker-{self._started}", self._rehearsals, others, keep=self._keep)
        self._workers.append(worker)
        return worker

    def _heard(self) -> Iterator[tuple[int, Turn, Played | LostRun | SimulationError]]:
        """Wait for a while; yield what was played, or lost."""
        busy = {each.connection: each for each in self._workers if each.number is not None}
        ready = set(wait(list(busy), POLL_S))
        for connection, worker in busy.items():
            number, turn = worker.number, worker.turn
            assert number is not None, "it is busy"
            found: Played | LostRun | SimulationError | None = None
            if connection in ready:
                found = worker.result()
            elif self._clock.monotonic() - worker.since_s > self._run_s_max:
                found = LostRun(f"had not ended after {self._run_s_max:g} s and was ended")
            if isinstance(found, LostRun):
                self._workers.remove(worker)
                worker.end()
            if found is not None:
                yield number, turn, found


class _Worker:
    """One of the processes, as the first one knows it."""

    def __init__(
        self,
        name: str,
        rehearsals: Mapping[str, Rehearsal],
        others: list[Connection[Any, Any]],
        *,
        keep: bool,
    ) -> None:
        self.number: int | None = None
        self.turn: Turn = ("", 0)
        self.since_s = 0.0
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        arguments = (name, rehearsals, theirs, [*others, self.connection], keep)
        self._process = context.Process(target=_work, args=arguments, name=name, daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, number: int, turn: Turn, now_s: float) -> None:
        """Let it play; what is wrong with it shows when its result is waited for."""
        self.number, self.turn, self.since_s = number, turn, now_s
        try:
            self.connection.send(turn)
        except OSError:
            return

    def result(self) -> Played | LostRun | SimulationError:
        """Return what it has sent: the error where it could not play."""
        try:
            found = self.connection.recv()
        except (EOFError, OSError):
            self._process.join()
            return LostRun(f"ended its process, with {_ending(self._process.exitcode or 0)}")
        self.number = None
        if isinstance(found, str):
            return SimulationError(found)
        assert isinstance(found, Played), "a worker sends what was played"
        return found

    def end(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.connection.close()


def can_fork() -> bool:
    """Whether a fork copies all of this process: it has no second thread."""
    return "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1


def _work(
    name: str,
    rehearsals: Mapping[str, Rehearsal],
    connection: Connection[Any, Any],
    others: list[Connection[Any, Any]],
    keep: bool,  # noqa: FBT001 - a process's arguments are a tuple
) -> None:
    """Play what comes, until nothing more can."""
    # Else a worker would hold open what tells its neighbour that the first process is gone.
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the first process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for rehearsal in rehearsals.values():
        rehearsal.move(name)
    try:
        while True:
            system, seed = connection.recv()
            rehearsal = rehearsals[system]
            try:
                connection.send(_light(rehearsal.play(rehearsal.script(seed), keep=keep)))
            except DressRehearsalError as error:
                connection.send(str(error))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _light(played: Played) -> Played:
    """Leave out what the first process draws from the seed itself, in types it knows."""
    kept = played.script
    script = Script(seed=kept.seed, workload=(), schedule=Schedule(()), order=kept.order)
    return msgspec.structs.replace(played, script=script)


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
