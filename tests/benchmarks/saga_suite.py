"""The saga's rows: whole bookings over HTTP, beside the same steps as a DBOS workflow.

And what bookings are made of, durable messages from one service to another.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.bookings import Bookings, Catalogue
from tests.benchmarks.client import Client
from tests.benchmarks.comparison import at_most
from tests.benchmarks.load_rounds import Candidate, LoadRounds, Stored, check_stored
from tests.benchmarks.placement import FREE, one_core_each
from tests.benchmarks.probe import run_probe
from tests.benchmarks.result import Result, Table
from tests.benchmarks.row import Row, Spread, ratio
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.effort import Effort
    from tests.benchmarks.placement import Placement

# The rival is held against the middle one.
CONNECTIONS = (1, 16, 64)
RIVAL_CONNECTIONS = 16
RIVAL_MODES = ("steps", "transactions")
TIMES_THE_RIVAL = 5
HEAD = ("candidate", "bookings/s", "server CPU ms a booking", "p50 ms", "p99 ms")
MESSAGES_HEAD = ("sent by", "messages/s", "CPU µs a message")
# By how the messages are sent, see messages.py.
MESSAGE_US_MAX = {
    "a command a message": ("message_single", 25),
    "a command 100 messages": ("message_bulk", 12),
}
CONFIRMED = "SELECT count(*) FROM booking WHERE state = 'confirmed'"
MAILS = "SELECT count(*) FROM mail"
RIVAL_CONFIRMED = "SELECT count(*) FROM booking WHERE status = 'confirmed'"
HAS_RIVAL = importlib.util.find_spec("dbos") is not None


class SagaSuite:
    """Starts ours and the rival, measures in turns, stops everything, and counts the bookings."""

    def __init__(self, effort: Effort, folder: Path) -> None:
        """`folder` must be on a real disk: the databases go there."""
        self._effort = effort
        self._folder = folder
        self._servers: list[ServerProcess] = []
        self._candidates: list[Candidate] = []
        self._rivals: dict[str, Client] = {}

    def run(self) -> Result:
        """Return the rows and what is behind them."""
        try:
            return self._measure()
        finally:
            for server in self._servers:
                server.stop()

    def _measure(self) -> Result:
        catalogue = self._start_ours()
        if HAS_RIVAL:
            for mode in RIVAL_MODES:
                self._start_rival(mode, catalogue)
        else:
            print(
                "without the rival: `make bench` installs requirements-bench.txt", file=sys.stderr
            )
        placements = [FREE, one_core_each()] if self._effort.thorough else [FREE]
        measured = [self._load(placement) for placement in placements]
        self._check(measured)
        messages = [self._messages(placement) for placement in placements]
        return Result(
            rows=[
                *(row for rounds in measured for row in self._rows(rounds)),
                *(row for rows, _ in messages for row in rows),
            ],
            tables=[
                *(
                    Table(
                        title=f"Bookings, {rounds.placement.words}",
                        head=HEAD,
                        lines=rounds.lines("cpu_ms"),
                    )
                    for rounds in measured
                ),
                *(table for _, table in messages),
            ],
            notes={
                # Asked after the load: of the connections that carried it.
                f"rival of the saga, {mode}": client.get("/configuration")["configuration"]
                for mode, client in self._rivals.items()
            },
        )

    def _start_ours(self) -> Catalogue:
        data_dir = self._folder / "saga"
        arguments = ["runtime.py", "--data-dir", str(data_dir), *FREE_PORTS]
        server, url = self._start("ours, saga", arguments)
        catalogue = Catalogue.create(url, self._folder)
        bookings = Bookings(url, catalogue)
        self._candidates += [
            Candidate(
                name=_ours(connections),
                server=server,
                load=bookings.at(connections),
                stored=(
                    Stored(data_dir / "booking.db", CONFIRMED),
                    Stored(data_dir / "notification.db", MAILS),
                ),
            )
            for connections in CONNECTIONS
        ]
        return catalogue

    def _start_rival(self, mode: str, catalogue: Catalogue) -> None:
        folder = self._folder / f"dbos-{mode}"
        ids = [str(catalogue.customers), str(catalogue.rooms)]
        arguments = ["-m", "tests.benchmarks.dbos_server", mode, str(folder), *ids]
        server, url = self._start(f"DBOS, {mode}", arguments)
        self._rivals[mode] = Client(url)
        hotel = folder / "hotel.db"
        self._candidates.append(
            Candidate(
                name=_rival(mode),
                server=server,
                load=Bookings(url, catalogue).at(RIVAL_CONNECTIONS),
                stored=(Stored(hotel, RIVAL_CONFIRMED), Stored(hotel, MAILS)),
            )
        )

    def _start(self, name: str, arguments: list[str]) -> tuple[ServerProcess, str]:
        server = ServerProcess(name, arguments, FREE, self._folder)
        self._servers.append(server)
        url, _ = server.wait_ready("/readyz")
        return server, url

    def _load(self, placement: Placement) -> LoadRounds:
        rounds = LoadRounds(self._candidates, placement, seconds=self._effort.seconds)
        rounds.run(self._effort.rounds, warm_up=self._effort.thorough)
        return rounds

    def _messages(self, placement: Placement) -> tuple[list[Row], Table]:
        folder = self._folder / f"messages-{placement.key}"
        folder.mkdir()
        found: dict[str, list[tuple[float, float]]] = run_probe(
            "messages",
            "uvloop",
            placement.server,
            rounds=self._effort.rounds,
            count=self._effort.messages,
            folder=str(folder),
        )
        rows: list[Row] = []
        lines: list[tuple[str, ...]] = []
        for name, samples in found.items():
            rates, cpu_us = (Spread.of(each) for each in zip(*samples, strict=True))
            lines.append((name, str(rates), str(cpu_us)))
            key, limit_us = MESSAGE_US_MAX[name]
            words = placement.label(f"CPU of a durable message, {name}")
            rows.append(at_most(placement.mark(key), words, cpu_us, limit_us, "µs"))
        title = f"Durable messages from service to service, {placement.words}"
        return rows, Table(title=title, head=MESSAGES_HEAD, lines=lines)

    def _check(self, measured: list[LoadRounds]) -> None:
        for candidate in self._candidates:
            # Ours has one set of files, however many connections its bookings came by.
            names = [one.name for one in self._candidates if one.stored == candidate.stored]
            total = sum(rounds.acknowledged[name] for rounds in measured for name in names)
            check_stored(candidate, total)

    def _rows(self, rounds: LoadRounds) -> list[Row]:
        ours = rounds.series(_ours(RIVAL_CONNECTIONS))
        rows = []
        for mode in self._rivals:
            times = ratio(ours, rounds.series(_rival(mode)))
            name = (
                f"bookings through the whole saga, at {RIVAL_CONNECTIONS} clients, to DBOS, {mode}"
            )
            rows.append(
                Row(
                    key=rounds.placement.mark(f"saga_dbos_{mode}"),
                    name=rounds.placement.label(name),
                    sense="at least",
                    limit=TIMES_THE_RIVAL,
                    unit="times the rate",
                    judged=times.median,
                    spread=times,
                )
            )
        return rows


def _ours(connections: int) -> str:
    return f"ours, {connections} connection{'s' if connections > 1 else ''}"


def _rival(mode: str) -> str:
    return f"DBOS, {mode}, {RIVAL_CONNECTIONS} connections"
