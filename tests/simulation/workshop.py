"""A system of small limits, whose handlers say all that a handler can say.

The hotel and the brand monitor use of the platform what they need. Here each call is one promise:
a refusal after much was said, an answer that comes later, timers near and far, an outside world
that fails so often and no more, more messages than an outbox takes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from actors import (
    Address,
    Command,
    Dependency,
    Event,
    GaveUp,
    Later,
    Query,
    ReadTransaction,
    Refusal,
    Refused,
    Service,
    System,
    Transaction,
    Wiring,
    command,
    effect,
    on,
    outcome,
    query,
    service,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.system import Ask

# Seconds: at once, soon, beyond a commit, and beyond ten seconds.
DELAYS_S: Final = (0.0, 0.25, 3.0, 20.0, 20.0)
ATTEMPTS_MAX: Final = 4
FETCH_S_MAX: Final = 0.4
# What the supplier is asked for and never answers.
SILENT: Final = 9


class PlaceJob(Command):
    label: str
    sort: str
    count: int = 0


class DoJob(Command):
    label: str


class Ring(Command):
    label: str
    index: int


class FetchPart(Command):
    label: str
    fails: int


class FetchAgain(Command):
    label: str
    fails: int


class FetchOnce(Command):
    label: str


class AskMill(Command):
    label: str


class CountMilled(Query):
    label: str


class JobPlaced(Event):
    label: str


class JobDone(Event):
    label: str


class ListJobs(Query):
    after: int = 0
    limit: int


class CountJobs(Query):
    pass


class Job(msgspec.Struct, frozen=True, kw_only=True):
    label: str
    state: str


class Jobs(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Job]
    next: str | None


class JobCounts(msgspec.Struct, frozen=True, kw_only=True):
    jobs: int
    shadows: int


class Supplies(Protocol):
    async def fetch(self, label: str, fails: int) -> int: ...


class Supplier:
    """Fails `fails` times at each thing that it is asked for, and knows it then."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    async def fetch(self, label: str, fails: int) -> int:
        self._asked[label] += 1
        await asyncio.sleep(0.01)
        if fails == SILENT:
            await asyncio.sleep(FETCH_S_MAX * 5)
        if self._asked[label] <= fails:
            raise ConnectionError(f"{label} is not to be had")
        return len(label)


class Neighbour:
    """The way to the mill, as to somebody else's: it may be down, and is asked again then."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def milled(self, label: str) -> int:
        count: int = await self._ask("mill", CountMilled(label=label))
        return count


def part_of(label: str, part: int) -> str:
    """Return what one of a job's many parts is called."""
    return f"{label} part {part}"


class WorkshopDesk(Service):
    """Takes jobs; writes each down twice, so that half of it would be seen."""

    schema = """
        CREATE TABLE job (
            seq INTEGER PRIMARY KEY, label TEXT NOT NULL, sort TEXT NOT NULL,
            count INTEGER NOT NULL, state TEXT NOT NULL, at_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE shadow (label TEXT NOT NULL) STRICT;
        CREATE TABLE rung (
            label TEXT NOT NULL, ring INTEGER NOT NULL, at_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE part (label TEXT NOT NULL, value INTEGER NOT NULL) STRICT;
    """

    def __init__(self, supplier: Supplies, neighbour: Neighbour) -> None:
        self._supplier = supplier
        self._neighbour = neighbour

    @command
    def place(self, tx: Transaction, cmd: PlaceJob) -> Job | Refusal | Later:
        job = "INSERT INTO job (label, sort, count, state, at_us) VALUES (?, ?, ?, ?, ?)"
        tx.execute(job, cmd.label, cmd.sort, cmd.count, "open", tx.now_us)
        placed = Job(label=cmd.label, state="open")
        if cmd.sort != "quiet":
            tx.publish(JobPlaced(label=cmd.label))
        self._say(tx, cmd)
        if cmd.sort == "invalid" and not cmd.count:
            return Refusal.invalid("a count is needed", field="count")
        tx.execute("INSERT INTO shadow (label) VALUES (?)", cmd.label)
        if cmd.sort == "refused":
            tx.after(0.1, Ring(label=cmd.label, index=0))
            waiting = tx.one("SELECT label FROM job WHERE sort = 'later' AND state = 'open'")
            if waiting is not None:
                tx.reply(waiting["label"], Job(label=waiting["label"], state="refused"))
            return Refusal.conflict("this is not to be")
        if cmd.sort in {"later", "wanting"}:
            return Later(request=cmd.label, so_far=placed)
        return placed

    def _say(self, tx: Transaction, cmd: PlaceJob) -> None:
        label = cmd.label
        match cmd.sort:
            case "refused" | "plain" | "later" | "wanting":
                tx.send("mill", DoJob(label=label))
            case "many":
                for _ in range(cmd.count):
                    tx.send("mill", DoJob(label=label))
            case "timers":
                for index, delay_s in enumerate(DELAYS_S):
                    tx.after(delay_s, Ring(label=label, index=index))
            case "rings":  # more at once than a scheduler has in hand
                for index in range(cmd.count):
                    tx.after(0.0, Ring(label=label, index=index))
            case _:
                self._run(tx, cmd)

    def _run(self, tx: Transaction, cmd: PlaceJob) -> None:
        label = cmd.label
        match cmd.sort:
            case "fetch":
                tx.run(FetchPart(label=label, fails=cmd.count))
            case "parts":
                for part in range(cmd.count):
                    tx.run(FetchPart(label=part_of(label, part), fails=0))
            case "letter":
                tx.run(FetchOnce(label=label))
                tx.run(FetchOnce(label=f"another {label}"))
            case "asking":  # while what comes before it may kill who is asked
                tx.send("mill", DoJob(label=label))
                tx.run(AskMill(label=label))
            case "again":
                tx.run(FetchAgain(label=label, fails=cmd.count))

    @command
    def ring(self, tx: Transaction, cmd: Ring) -> None:
        tx.execute("INSERT INTO rung VALUES (?, ?, ?)", cmd.label, cmd.index, tx.now_us)

    @on(JobDone)
    def done(self, tx: Transaction, event: JobDone) -> None:
        self._end(tx, event.label, "done", Job(label=event.label, state="done"))

    @on(Refused[DoJob])
    def not_done(self, tx: Transaction, event: Refused[DoJob]) -> None:
        self._end(tx, event.command.label, "refused", event.refusal)

    def _end(self, tx: Transaction, label: str, state: str, answer: Job | Refusal) -> None:
        tx.execute("UPDATE job SET state = ? WHERE label = ?", state, label)
        tx.reply(label, answer)

    @effect(limit_s=FETCH_S_MAX, attempts_max=ATTEMPTS_MAX)
    async def fetch(self, cmd: FetchPart) -> int:
        return await self._supplier.fetch(cmd.label, cmd.fails)

    @outcome(fetch)
    def fetched(self, tx: Transaction, cmd: FetchPart, value: int) -> None:
        tx.execute("INSERT INTO part VALUES (?, ?)", cmd.label, value)

    @on(GaveUp[FetchPart])
    def not_fetched(self, tx: Transaction, event: GaveUp[FetchPart]) -> None:
        tx.execute("INSERT INTO part VALUES (?, ?)", event.command.label, -1)

    @effect(limit_s=FETCH_S_MAX, attempts_max=2, again_s=1.5)
    async def fetch_again(self, cmd: FetchAgain) -> int:
        return await self._supplier.fetch(cmd.label, cmd.fails)

    @outcome(fetch_again)
    def fetched_again(self, tx: Transaction, cmd: FetchAgain, value: int) -> None:
        tx.execute("INSERT INTO part VALUES (?, ?)", cmd.label, value)

    @effect(limit_s=FETCH_S_MAX, attempts_max=1)
    async def fetch_once(self, cmd: FetchOnce) -> None:
        await self._supplier.fetch(cmd.label, 1)

    @effect(limit_s=FETCH_S_MAX, attempts_max=1)
    async def ask_mill(self, cmd: AskMill) -> int:
        return await self._neighbour.milled(cmd.label)

    @outcome(ask_mill)
    def mill_has_said(self, tx: Transaction, cmd: AskMill, value: int) -> None:
        tx.execute("INSERT INTO part VALUES (?, ?)", cmd.label, value)

    @on(GaveUp[AskMill])
    def mill_says_nothing(self, tx: Transaction, event: GaveUp[AskMill]) -> None:
        tx.execute("INSERT INTO part VALUES (?, ?)", event.command.label, -1)

    @query
    def jobs(self, tx: ReadTransaction, question: ListJobs) -> Jobs:
        sql = "SELECT seq, label, state FROM job WHERE seq > ? ORDER BY seq LIMIT ?"
        rows, following = tx.page(sql, question.after, limit=question.limit)
        items = [Job(label=label, state=state) for _, label, state in rows]
        return Jobs(items=items, next=following)

    @query
    def counts(self, tx: ReadTransaction, _question: CountJobs) -> JobCounts:
        jobs, shadows = tx.all("SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM shadow)")[
            0
        ]
        return JobCounts(jobs=jobs, shadows=shadows)


class Mill(Service):
    """Does what it is sent, but what is wanting."""

    schema = "CREATE TABLE milled (seq INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;"

    @command
    def do(self, tx: Transaction, cmd: DoJob) -> Refusal | None:
        tx.execute("INSERT INTO milled (label) VALUES (?)", cmd.label)
        tx.publish(JobDone(label=cmd.label))
        return Refusal.conflict("there is no wood") if cmd.label.startswith("no-") else None

    @query
    def milled(self, tx: ReadTransaction, question: CountMilled) -> int:
        return len(tx.all("SELECT 1 FROM milled WHERE label = ?", question.label))


class JobBook(Service):
    """Writes down what it hears of."""

    schema = "CREATE TABLE heard (seq INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;"

    @on(JobPlaced)
    def placed(self, tx: Transaction, event: JobPlaced) -> None:
        tx.execute("INSERT INTO heard (label) VALUES (?)", event.label)


def _services(wiring: Wiring) -> Mapping[str, Any]:
    supplier, neighbour = wiring.outside["supplier"], wiring.outside["neighbour"]
    return {
        "desk": lambda: WorkshopDesk(supplier, neighbour),
        "mill": Mill,
        "ledger": JobBook,
        "book": JobBook,
    }


def workshop(scenario: Any) -> System:
    """Return the system, as its scenario plays it."""
    return System(
        name="workshop",
        services=_services,
        addresses=[
            Address("POST", "/jobs", service("desk", PlaceJob, 201)),
            Address("GET", "/jobs", service("desk", ListJobs)),
            Address("GET", "/counts", service("desk", CountJobs)),
        ],
        outside={
            "supplier": Dependency(live=lambda _: Supplier(), simulated=lambda _: Supplier()),
            "neighbour": Dependency(
                live=lambda wiring: Neighbour(wiring.ask),
                simulated=lambda wiring: Neighbour(wiring.ask),
            ),
        },
        scenario=lambda: scenario,
    )
