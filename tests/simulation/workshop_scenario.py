"""What is asked of the workshop, and what must have come of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.kernel.messages import type_name, type_of
from actors.simulation import check_exactly_once
from actors.simulation.stage.scenario import Scenario
from tests.simulation.workshop import (
    ATTEMPTS_MAX,
    DELAYS_S,
    SILENT,
    PlaceJob,
    Ring,
    part_of,
    workshop,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client

SORTS: Final = (
    "plain", "later", "timers", "fetch", "many", "refused", "invalid", "wanting", "again", "quiet",
    "burst", "pages", "counts", "keyless", "keyless", "letter", "rings", "parts",
    "asking",
)  # fmt: skip
# How a client asks once more: not at all, at once, both together, soon, when its key is forgotten.
AGAIN: Final = ("", "", "at once", "together", "soon", "late")
# Longer than a client asks for one thing, and its requests are on their way: later they would run
# again.
KEYS_KEPT_S: Final = 300.0
BURST: Final = 5
# What brings parts, or says that there are none.
FETCHED: Final = ("fetch", "again", "parts", "asking")
# What ends a job, and what brings a part, by service and message.
ENDS: Final = (("mill", "DoJob"), ("desk", "JobDone"), ("desk", "Refused[DoJob]"))
PARTS: Final = (
    ("desk", "EffectOutcome[FetchPart]"),
    ("desk", "GaveUp[FetchPart]"),
    ("desk", "EffectOutcome[FetchAgain]"),
    ("desk", "EffectOutcome[AskMill]"),
    ("desk", "GaveUp[AskMill]"),
)


class WorkshopCall(msgspec.Struct, frozen=True):
    """One job of that sort; `count` is how many, or how often what it needs fails."""

    sort: str = "plain"
    count: int = 0
    again: str = ""
    other: bool = False

    def __str__(self) -> str:
        more = f", once more {self.again}" if self.again else ""
        return f"{self.sort} {self.count}{more}{', another under its key' if self.other else ''}"


class WorkshopScenario(Scenario):
    """Clients place jobs and look at them; limits are reached by a few."""

    name = "workshop"
    call_type = WorkshopCall
    rest_s = 30.0
    roomy = False

    def __init__(self) -> None:
        self._troubles: list[str] = []
        self._placed: list[str] = []

    def configure(self, config: Config) -> Config:
        replace = msgspec.structs.replace
        store = replace(
            config.store, outbox_messages_max=3, client_keys_kept_s=KEYS_KEPT_S,
            edge_keys_kept_s=KEYS_KEPT_S, events_kept_max=4, prune_rows_max=2,
        )  # fmt: skip
        return replace(
            config,
            store=store,
            mailbox=replace(config.mailbox, capacity=4),
            service=replace(config.service, batch_messages_max=3, dead_letters_max=3),
            channel=replace(config.channel, window_messages=2),
            timer=replace(config.timer, window_timers=2),
            effect=replace(config.effect, running_max=2, waiting_max=2),
        )

    async def furnish(self, system: ServiceSystem) -> None:
        for number in range(3):
            message = PlaceJob(label=f"old-{number}", sort="timers")
            await system.ask("desk", message, timeout_s=10.0, key=f"old-{number}")
            await asyncio.sleep(1.0)

    def age(self, folder: Path) -> None:
        """The book is new: nobody has ever sent it anything."""
        with closing(sqlite3.connect(folder / "desk.db")) as desk:
            desk.execute("DELETE FROM subscription WHERE subscriber = 'book'")
            desk.commit()
        with closing(sqlite3.connect(folder / "book.db")) as book:
            book.execute("DELETE FROM heard")
            book.commit()

    def choose_call(self, choose: Chooser) -> WorkshopCall:
        return WorkshopCall(
            sort=SORTS[choose(len(SORTS))],
            count=(0, 1, 2, 3, 5, SILENT)[choose(6)],
            again=AGAIN[choose(len(AGAIN))],
            other=not choose(4),
        )

    async def perform(
        self, client: Client, number: int, call: WorkshopCall, history: History
    ) -> None:
        if call.sort == "invalid":
            call = msgspec.structs.replace(call, count=call.count % 2)
        match call.sort:
            case "pages":
                await self._read_pages(client, 1 + call.count % 3)
            case "counts":
                await self._count(client)
            case "keyless":  # as often as it takes, each time another job
                await self._keyless(client, f"u{number}", "plain")
            case "burst":
                jobs = [self._job(client, f"b{number}-{n}", call, history) for n in range(BURST)]
                more = [self._keyless(client, f"u{number}-{n}", "quiet") for n in range(2)]
                await asyncio.gather(*jobs, *more)
            case "letter":
                await self._job(client, f"j{number}", call, history)
                if not self.is_calm:
                    await self._open_letters(client, replay=call.count % 2 == 0)
            case "wanting":
                await self._job(client, f"no-{number}", call, history)
            case _:
                await self._job(client, f"j{number}", call, history)

    async def _keyless(self, client: Client, label: str, sort: str) -> None:
        await client.ask("POST", "/jobs", {"label": label, "sort": sort})

    async def _job(self, client: Client, label: str, call: WorkshopCall, history: History) -> None:
        sort = "quiet" if call.sort == "burst" else call.sort
        count = call.count % SILENT if sort == "again" else call.count  # that would have no end
        body = {"label": label, "sort": sort, "count": count}
        with history.invoke(client.name, sort, label) as attempt:
            if call.again == "together":
                both = [client.ask("POST", "/jobs", body, key=label) for _ in range(2)]
                reply, second = await asyncio.gather(*both)
                self._compare(call, reply, second)
            else:
                reply = await client.ask("POST", "/jobs", body, key=label)
            if reply.status == 201 or (reply.status == 409 and sort == "wanting"):
                attempt.ok(reply.status)
                self._placed.append(label)
            elif reply.status in {409, 422}:
                attempt.fail(f"{reply.status}")
        self._look(call, label, reply)
        if sort == "invalid" and reply.status == 422:
            corrected = await client.ask("POST", "/jobs", {**body, "count": 1}, key=label)
            if corrected.status not in {0, 201}:
                self._troubles.append(f"{label}, corrected, was answered {corrected}")
        elif call.again == "at once" and reply.status:
            self._compare(call, reply, await client.ask("POST", "/jobs", body, key=label))
        elif call.again == "soon" and reply.status:
            await asyncio.sleep(KEYS_KEPT_S / 30)
            again = await client.ask("POST", "/jobs", body, key=label)
            self._compare(call, reply, again)
        elif call.other and reply.status:
            other = {**body, "count": call.count + 1}
            third = await client.ask("POST", "/jobs", other, key=label)
            if third.status not in {0, 422}:
                self._troubles.append(f"another job under the key {label} was answered {third}")

    def _compare(self, call: WorkshopCall, reply: Any, again: Any) -> None:
        if reply.status and again.status and again != reply:
            self._troubles.append(f"{call} was answered {reply}, then {again}")

    def _look(self, call: WorkshopCall, label: str, reply: Any) -> None:
        wanted = {"refused": 409, "wanting": 409}.get(call.sort, 201)
        if call.sort == "invalid" and not call.count:
            wanted = 422
        if reply.status not in {0, wanted}:
            self._troubles.append(f"{call} was answered {reply}, and not {wanted}")
        state = {"later": "done"}.get(call.sort, "open")
        if reply.status == 201 and reply.body != {"label": label, "state": state}:
            self._troubles.append(f"{call} was answered {reply.body}")

    async def _open_letters(self, client: Client, *, replay: bool) -> None:
        """Have one run again, by two who do not know of each other, or let it go."""
        found = await client.administer("GET", "/admin/dead-letters")
        if found.status != 200 or not found.body["items"]:
            return
        path = f"/admin/dead-letters/{found.body['items'][0]['id']}"
        if replay:
            both = [client.administer("POST", f"{path}/replay") for _ in range(2)]
            await asyncio.gather(*both)
        else:
            await client.administer("DELETE", path)

    async def _read_pages(self, client: Client, limit: int) -> None:
        before, found, path = list(self._placed), [], f"/jobs?limit={limit}"
        while True:
            page = await client.ask("GET", path)
            if page.status != 200:
                return
            found += [each["label"] for each in page.body["items"]]
            if len(page.body["items"]) > limit:
                self._troubles.append(f"a page of {limit} has {len(page.body['items'])} jobs")
            if page.body["next"] is None:
                break
            path = f"/jobs?limit={limit}&after={page.body['next']}"
        missing = sorted({"old-0", "old-1", "old-2", *before} - set(found))
        # What is asked for without a key may be there twice.
        twice = sorted(
            label for label, count in Counter(found).items() if count > 1 and label[:1] != "u"
        )
        if missing or twice:
            self._troubles.append(f"pages of {limit} lack {missing} and have {twice} twice")

    async def _count(self, client: Client) -> None:
        before = len(self._placed)
        reply = await client.ask("GET", "/counts")
        if reply.status != 200:
            return
        if reply.body["jobs"] != reply.body["shadows"] or reply.body["jobs"] < before:
            self._troubles.append(f"there were {before} jobs, and {reply.body} are counted")

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        found = list(self._troubles)
        sql = "SELECT label, sort, count, at_us, state FROM job ORDER BY seq"
        jobs = _rows(folder / "desk.db", sql)
        ours = [label for label, sort, *_ in jobs if sort != "invalid" and label[:1] not in "ou"]
        found += check_exactly_once(history.operations, ours, effect_of=_label)
        gone = self._gone()
        placed = [label for label, sort, *_ in jobs if sort != "quiet"]
        for name, wanted in (("ledger", placed), ("book", [x for x in placed if x[:4] != "old-"])):
            heard = [row[0] for row in _rows(folder / f"{name}.db", "SELECT label FROM heard")]
            # What was given up, and run again later, comes behind others.
            is_whole = Counter(heard) == Counter(wanted) - gone[name, "JobPlaced"]
            if not is_whole or (self.is_calm and heard != wanted):
                found.append(f"{name} has heard of {heard}, and should of {wanted}")
        milled = Counter(row[0] for row in _rows(folder / "mill.db", "SELECT label FROM milled"))
        rung = _rows(folder / "desk.db", "SELECT label, ring, at_us FROM rung")
        parts = Counter(row[0] for row in _rows(folder / "desk.db", "SELECT label FROM part"))
        for label, sort, count, at_us, state in jobs:
            often = {"plain": 1, "later": 1, "asking": 1, "many": count}.get(sort, 0)
            often *= sum(label == each[0] for each in jobs)
            if often:  # what is wanting is not milled
                often -= gone["mill", "DoJob"][label]
            if milled[label] != often:
                found.append(f"{label} was milled {milled[label]} times, and not {often}")
            ends = [gone[end][label] for end in ENDS]
            if sort in {"later", "wanting"} and state == "open" and not any(ends):
                found.append(f"{label} is open for ever")
            rings = [(index, then_us) for name, index, then_us in rung if name == label]
            unrung = self._unrung(label)
            delays_s = {"timers": DELAYS_S, "rings": (0.0,) * count}.get(sort, ())
            found += _rings(label, delays_s, at_us if self.is_calm else 0, rings, unrung)
            for name in _parts(label, sort, count):
                got = [gone[part][name] for part in PARTS]
                if parts[name] != (sort in FETCHED) - sum(got):
                    found.append(f"{name} is there {parts[name]} times")
        return [*found, *(self._values(folder, jobs) if self.is_calm else ())]

    def _values(self, folder: Path, jobs: list[Any]) -> list[str]:
        return [
            f"{label} got the part {value}"
            for label, value in _rows(folder / "desk.db", "SELECT label, value FROM part")
            for name, sort, count, *_ in jobs
            if name == label and sort == "fetch" and (value < 0) != (count >= ATTEMPTS_MAX)
        ]

    def _gone(self) -> defaultdict[tuple[str, str], Counter[str]]:
        """Return which jobs' messages were let go, and how often, by service and type."""
        gone: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for service, message in self.let_go:
            about = getattr(message, "command", message)  # an outcome, or a refusal
            gone[service, type_name(type_of(message))][getattr(about, "label", "")] += 1
        return gone

    def _unrung(self, label: str) -> list[int]:
        rings = [each.message for each in self.let_go if isinstance(each.message, Ring)]
        return [each.index for each in rings if each.label == label]


def _rings(
    label: str,
    delays_s: Sequence[float],
    at_us: int,
    rings: list[tuple[int, int]],
    unrung: list[int],
) -> list[str]:
    if sorted([*(index for index, _ in rings), *unrung]) != list(range(len(delays_s))):
        return [f"{label} has rung {rings}"]
    return [
        f"{label} has rung {(then_us - at_us) / 1e6:.3f} s after, and not {delays_s[index]}"
        for index, then_us in rings
        if then_us < at_us + delays_s[index] * 1e6
    ]


def _parts(label: str, sort: str, count: int) -> list[str]:
    return [part_of(label, part) for part in range(count)] if sort == "parts" else [label]


def _label(operation: Operation) -> Any:
    return None if operation.name == "invalid" else operation.argument


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


WORKSHOP: Final = workshop(WorkshopScenario)
