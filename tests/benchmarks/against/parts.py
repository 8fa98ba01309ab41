"""What is compared of two trees, part by part as `make bench` measures them."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tests.benchmarks.against.verdict import (
    CPU_S,
    CPU_US,
    MB,
    P50_MS,
    P99_MS,
    RATE,
    SECONDS,
    Figure,
)
from tests.benchmarks.bookings import Bookings, Catalogue
from tests.benchmarks.insert_texts import write_texts
from tests.benchmarks.load_rounds import Candidate, LoadRounds
from tests.benchmarks.paired_campaigns import campaign, one_process
from tests.benchmarks.probe import run_probe
from tests.benchmarks.row import at_percentile
from tests.benchmarks.scored_files import ScoredFiles
from tests.benchmarks.server_process import FREE_PORTS, ServerProcess
from tests.benchmarks.service_restarts import ServiceRestarts
from tests.benchmarks.wrk import run_wrk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.against.paired import Part
    from tests.benchmarks.effort import Effort
    from tests.benchmarks.load_rounds import Loading
    from tests.benchmarks.placement import Placement

    Found = Mapping[Figure, float]
    Measures = dict[str, Callable[[], Found]]

IDS: Final = 500
KILLS: Final = 20


class Servers:
    """A part whose sides are servers that stay up, each with its own files."""

    def __init__(self, effort: Effort, placement: Placement) -> None:
        """Each measurement is as long as one of `make bench`."""
        self._effort = effort
        self._placement = placement
        self._servers: list[ServerProcess] = []

    def stop(self) -> None:
        """End them all."""
        for server in self._servers:
            server.stop()

    def _launch(self, tree: Path, folder: Path, name: str = "data") -> ServerProcess:
        arguments = ["runtime.py", f"--data-dir={folder / name}", *FREE_PORTS]
        return ServerProcess(f"{folder.name}-{name}", arguments, self._placement, folder, cwd=tree)

    def _serve(self, tree: Path, folder: Path) -> tuple[ServerProcess, str]:
        server = self._launch(tree, folder)
        self._servers.append(server)
        return server, server.wait_ready("/readyz")[0]

    def _loaded(
        self, server: ServerProcess, load: Loading, afterwards: Callable[[], object] | None = None
    ) -> Found:
        candidate = Candidate(name=server.name, server=server, load=load, afterwards=afterwards)
        rounds = LoadRounds([candidate], self._placement, seconds=self._effort.seconds)
        rounds.run(1, warm_up=False)
        (sample,) = rounds.samples[server.name]
        return {
            RATE: sample.per_second,
            CPU_US: sample.cpu_us,
            P50_MS: sample.p50_ms,
            P99_MS: sample.p99_ms,
        }

    def _probe(self, what: str, count: int, tree: Path, folder: Path) -> Any:
        place = folder / f"{what}-{sum(1 for _ in folder.glob(f'{what}-*'))}"
        place.mkdir()
        return run_probe(
            what,
            "uvloop",
            self._placement.server,
            cwd=tree,
            rounds=1,
            count=count,
            folder=str(place),
        )


class EdgePart(Servers):
    """Boot, a row, one that another service hears of, a read, a kill, and what all of it weighs."""

    def start(self, tree: Path, folder: Path) -> Measures:
        """Start the server that is loaded."""
        server, url = self._serve(tree, folder)
        restarts = ServiceRestarts(url, folder / "data")
        ids = folder / "ids.txt"
        ids.write_text("\n".join(restarts.create(IDS)))
        return {
            "boot": partial(self._boot, tree, folder),
            "POST /rooms": partial(self._loaded, server, partial(run_wrk, url, "rooms")),
            "POST /customers": partial(self._loaded, server, partial(run_wrk, url, "customers")),
            "GET by id": partial(self._loaded, server, partial(run_wrk, url, str(ids))),
            "kill → next reply": partial(self._kill, restarts),
            "resident after the load": lambda: {MB: server.resident_mb()},
        }

    def _boot(self, tree: Path, folder: Path) -> Found:
        number = sum(1 for _ in folder.glob("boot-*.log"))
        server = self._launch(tree, folder, f"boot-{number}")
        ready_s = server.wait_ready("/readyz")[1]
        found = {SECONDS: ready_s, CPU_S: server.cpu_s(), MB: server.resident_mb()}
        server.stop()
        return found

    def _kill(self, restarts: ServiceRestarts) -> Found:
        return {P50_MS: at_percentile(restarts.run(KILLS), 50)}


class TweetsPart(Servers):
    """The tutorial's /insert with all that follows, and X's stream."""

    def start(self, tree: Path, folder: Path) -> Measures:
        """Start the server that is loaded."""
        server, _ = self._serve(tree, folder)
        load = partial(run_wrk, server.url("tweets"), "insert", str(write_texts(folder)))
        scored = ScoredFiles(folder / "data")
        return {
            "/insert": partial(self._loaded, server, load, scored.wait),
            "X's stream": partial(self._stream, tree, folder),
        }

    def _stream(self, tree: Path, folder: Path) -> Found:
        found = self._probe("stream", self._effort.tweets, tree, folder)
        (samples,) = found.values()
        return _one_of(samples)


class SagaPart(Servers):
    """Whole bookings at 16 and 64 connections; durable messages one by one and in bulk."""

    def start(self, tree: Path, folder: Path) -> Measures:
        """Start the server that is loaded."""
        server, url = self._serve(tree, folder)
        bookings = Bookings(url, Catalogue.create(url, folder))
        measures: Measures = {
            f"bookings at {connections}": partial(self._loaded, server, bookings.at(connections))
            for connections in (16, 64)
        }
        measures["durable messages"] = partial(self._messages, tree, folder)
        return measures

    def _messages(self, tree: Path, folder: Path) -> Found:
        found = self._probe("messages", self._effort.messages, tree, folder)
        return {
            msgspec.structs.replace(figure, name=f"{sent_by}, {figure.name}"): value
            for sent_by, samples in found.items()
            for figure, value in _one_of(samples).items()
        }


class Probes:
    """A part whose sides are programs that run and end."""

    def __init__(self, effort: Effort, placement: Placement) -> None:
        """As `Servers`."""
        self._effort = effort
        self._placement = placement

    def stop(self) -> None:
        """Nothing runs on."""


class KernelPart(Probes):
    """Asks."""

    def start(self, tree: Path, folder: Path) -> Measures:
        """Nothing is kept between rounds."""
        del folder
        return {"asks": partial(self._asks, tree)}

    def _asks(self, tree: Path) -> Found:
        samples = run_probe(
            "asks", "uvloop", self._placement.server, cwd=tree, rounds=1, count=self._effort.asks
        )
        return {
            Figure(name=f"{kind}, {CPU_US.name}"): _one_of(samples[f"ours, {kind}"])[CPU_US]
            for kind in ("awaited", "pipelined")
        }


class SimulationPart(Probes):
    """Schedules, by the processor's time."""

    def start(self, tree: Path, folder: Path) -> Measures:
        """Nothing is kept between rounds."""
        del folder
        return {
            f"{self._effort.schedules} schedules of the {system}, {faults}": partial(
                self._campaign, tree, system, faults
            )
            for system, faults in (("hotel", "kills"), ("tweets", "chaos"))
        }

    def _campaign(self, tree: Path, system: str, faults: str) -> Found:
        words = [
            "--seed=1",
            f"--seeds={self._effort.schedules}",
            f"--system={system}",
            f"--faults={faults}",
        ]
        took = campaign(tree, [*words, *one_process(tree)])
        if took is None:
            sys.exit(f"{tree}: a schedule of the {system} did not hold")
        return {CPU_S: took[0]}


PARTS: Final[Mapping[str, Callable[[Effort, Placement], Part]]] = {
    "kernel": KernelPart,
    "edge": EdgePart,
    "saga": SagaPart,
    "tweets": TweetsPart,
    "simulation": SimulationPart,
}


def _one_of(samples: Sequence[tuple[float, float]]) -> Found:
    ((per_second, cpu_us),) = samples
    return {RATE: per_second, CPU_US: cpu_us}
