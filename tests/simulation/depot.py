"""A system whose messages have every shape that a message can have, and what holds of it.

The hotel, the brand monitor and the workshop ask for texts and numbers. Here there are lists, words
of a few, anything at all, a list in one go, an answer that is a text, and services without a store
that stand and fall with those that were started before them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from actors import (
    Address,
    Command,
    Group,
    Later,
    Query,
    ReadTransaction,
    Refusal,
    Replicas,
    Service,
    StatelessService,
    System,
    Transaction,
    command,
    query,
    service,
    stream,
)
from actors.simulation import check_exactly_once
from actors.simulation.stage.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client, ClientReply

# How long what is looked for is looked for, in seconds: within a request, and beyond it.
LOOKS_S: Final = (0.2, 8.0)
PAGE_MAX: Final = 3
ROWS_MAX: Final = 1_000


PAGE: Final = (
    "SELECT number AS seq, label, kind, place, said FROM thing"
    " WHERE number > ? AND (? IS NULL OR kind = ?) ORDER BY number LIMIT ?"
)


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    size: Literal["small", "medium", "large"]
    count: int = 1


class PutThing(Command):
    label: str
    kind: Literal["box", "bag"]
    parts: Annotated[list[Part], Meta(max_length=5)] = msgspec.field(default_factory=list)
    marks: dict[str, Literal["red", "blue"]] = msgspec.field(default_factory=dict)
    words: list[str] = msgspec.field(default_factory=list)
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class MoveThing(Command):
    number: int
    place: Annotated[str, Meta(max_length=20)]
    times: list[Annotated[int, Meta(ge=0, le=9)]] = msgspec.field(default_factory=list)


class LookFor(Command):
    label: Annotated[str, Meta(max_length=50)]
    look_s: float


class Found(Command):
    request: str
    label: str


class ListThings(Query):
    after: int = 0
    limit: int = PAGE_MAX
    kind: str | None = None


class Weigh(Query):
    label: str


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    label: str
    kind: str
    place: str
    said: Any


class Things(msgspec.Struct, frozen=True, kw_only=True):
    items: list[Thing]
    next: str | None


class Shelf(Service):
    schema = """
        CREATE TABLE thing (
            number INTEGER PRIMARY KEY, label TEXT NOT NULL, kind TEXT NOT NULL,
            place TEXT NOT NULL, said TEXT NOT NULL
        ) STRICT;
    """

    @command
    def put(self, tx: Transaction, cmd: PutThing) -> Thing:
        said = msgspec.json.encode((cmd.parts, cmd.marks, cmd.words, cmd.extra)).decode()
        sql = "INSERT INTO thing (label, kind, place, said) VALUES (?, ?, '', ?) RETURNING *"
        return _thing(tx.one(sql, cmd.label, cmd.kind, said))

    @command
    def move(self, tx: Transaction, cmd: MoveThing) -> Thing | Refusal:
        sql = "UPDATE thing SET place = ? WHERE number = ? RETURNING *"
        row = tx.one(sql, cmd.place, cmd.number)
        return Refusal.not_found(f"there is no {cmd.number}") if row is None else _thing(row)

    @command
    def look(self, tx: Transaction, cmd: LookFor) -> str | Later:
        request = tx.new_id()
        tx.after(cmd.look_s, Found(request=request, label=cmd.label))
        return Later(request=request, so_far=f"looking for {cmd.label}")

    @command
    def found(self, tx: Transaction, cmd: Found) -> None:
        tx.reply(cmd.request, f"{cmd.label} is here")

    @query
    def things(self, tx: ReadTransaction, question: ListThings) -> Things:
        after, kind = question.after, question.kind
        rows, following = tx.page(PAGE, after, kind, kind, limit=question.limit)
        return Things(items=[_thing(row) for row in rows], next=following)


class Scale(StatelessService):
    @query
    def weigh(self, question: Weigh) -> int:
        return len(question.label)


def _thing(row: Any) -> Thing:
    assert row is not None, "it was asked for what is there"
    number, label, kind, place, said = row
    return Thing(number=number, label=label, kind=kind, place=place, said=msgspec.json.decode(said))


class DepotCall(msgspec.Struct, frozen=True):
    """What is asked for, and a number that tells its particulars."""

    sort: Literal["put", "move", "list", "all", "look", "weigh"] = "put"
    number: int = 0


SORTS: Final = ("put", "put", "put", "put", "move", "list", "all", "look", "weigh")


class DepotScenario(Scenario):
    """People put things there, move them, and look."""

    call_type = DepotCall

    def __init__(self) -> None:
        self._troubles: list[str] = []
        self._put: dict[str, Any] = {}

    def configure(self, config: Config) -> Config:
        edge = msgspec.structs.replace(
            config.edge, page_items_max=PAGE_MAX, page_items_default=PAGE_MAX
        )
        return msgspec.structs.replace(config, edge=edge)

    def choose_call(self, choose: Chooser) -> DepotCall:
        return DepotCall(SORTS[choose(len(SORTS))], choose(8))

    async def perform(self, client: Client, number: int, call: DepotCall, history: History) -> None:
        label = f"thing-{number}"
        match call.sort:
            case "put":
                await self._put_thing(client, label, call.number, history)
            case "move":
                await self._move(client, label, call.number)
            case "list":
                await self._list(client, call.number)
            case "all":
                await self._list_all(client)
            case "look":
                await self._look(client, label, call.number)
            case "weigh":
                reply = await client.ask("GET", f"/api/v1/weights?label={label}")
                self._compare(reply, 200, len(label))

    async def _put_thing(self, client: Client, label: str, number: int, history: History) -> None:
        parts = [{"size": "small", "count": each} for each in range(number % 3)]
        marks = {"top": "red"} if number % 2 else {}
        extra = [{}, {"a": [number]}, {"b": [[1], "ä"]}, {"c": "x"}][number % 4]
        body: dict[str, Any] = {"label": label, "kind": ("box", "bag")[number % 2], "parts": parts}
        body |= {"marks": marks, "words": ["go", label], "extra": extra}
        with history.invoke(client.name, "put", label) as attempt:
            reply = await client.ask("POST", "/api/v1/things", body, key=label)
            if reply.status == 201:
                attempt.ok()
                self._put[label] = reply.body
        said = [parts, marks, ["go", label], extra]
        if reply.status and (reply.status, reply.body.get("said")) != (201, said):
            self._troubles.append(f"{body} was answered {reply}")

    async def _move(self, client: Client, label: str, number: int) -> None:
        body = {"place": label, "times": [number]}
        reply = await client.ask("PATCH", f"/api/v1/things/{number}", body, key=f"m-{label}")
        if reply.status == 200 and (reply.body["place"], reply.body["number"]) != (label, number):
            self._troubles.append(f"{number} was moved to {label}, and is {reply.body}")
        elif reply.status not in {0, 200, 404}:
            self._troubles.append(f"{number} was moved to {label}: {reply}")

    async def _list(self, client: Client, number: int) -> None:
        kind = ("", "&kind=box", "&kind=bag", "&kind=chest")[number % 4]
        known = [each for each in self._put.values() if f"&kind={each['kind']}".startswith(kind)]
        items: list[Any] = []
        after: str | None = "0"
        while after is not None:
            path = f"/api/v1/things?limit={1 + number % PAGE_MAX}&after={after}{kind}"
            reply = await client.ask("GET", path)
            if reply.status != 200:
                return
            items += reply.body["items"]
            after = reply.body["next"]
        self._are_all_there(items, known)

    async def _list_all(self, client: Client) -> None:
        """It is complete, or visibly broken off; which a client does not take for an answer."""
        known = list(self._put.values())
        reply = await client.ask("GET", "/api/v1/all")
        if reply.status == 200:
            self._are_all_there(reply.body, known)

    def _are_all_there(self, items: list[Any], known: list[Any]) -> None:
        numbers = [each["number"] for each in items]
        missing = {each["number"] for each in known} - {*numbers}
        if missing or numbers != sorted({*numbers}):
            self._troubles.append(f"{missing} are missing in {numbers}")

    async def _look(self, client: Client, label: str, number: int) -> None:
        """Without a key nobody can ask again: what comes of it is heard of now, or never."""
        body = {"label": f"{label}", "look_s": LOOKS_S[number % len(LOOKS_S)]}
        if number % 4 == 1:
            reply = await client.ask("POST", "/api/v1/looks", body, key=f"l-{label}")
            self._compare(reply, 200, f"{label} is here")
        elif number % 2 == 0:
            reply = await client.ask("POST", "/api/v1/looks", body)
            if reply.status and reply.status != 202:
                self._compare(reply, 200, f"{label} is here")
        await asyncio.sleep(0.1)

    def _compare(self, reply: ClientReply, status: int, body: Any) -> None:
        said = int(reply.body) if isinstance(body, int) and reply.status == status else reply.body
        if reply.status and (reply.status, said) != (status, body):
            self._troubles.append(f"{reply} should be {status} {body!r}")

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        del config, clock
        with closing(sqlite3.connect(folder / "shelf.db")) as connection:
            rows = connection.execute("SELECT number, label, kind FROM thing").fetchall()
        labels = [label for _, label, _ in rows]
        found = [*check_exactly_once(history.operations, labels, effect_of=_label)]
        kinds = {(number, label): kind for number, label, kind in rows}
        for label, thing in self._put.items():
            if kinds.get((thing["number"], label)) != thing["kind"]:
                found.append(f"{thing} was put there, and there are {kinds}")
        many = Counter(label for _, label, _ in rows).most_common(1)
        if many and many[0][1] > 1:
            found.append(f"there are {many[0][1]} of {many[0][0]}")
        return [*self._troubles, *found]


def _label(operation: Operation) -> Any:
    return operation.argument


DEPOT: Final = System(
    name="depot",
    services={
        "shelf": Shelf,
        "scale": Replicas(Scale, 2),
        "second_scale": Scale,
    },
    supervision=(Group(name="pair", services=("shelf", "second_scale"), strategy="rest_for_one"),),
    addresses=[
        Address("POST", "/api/v1/things", service("shelf", PutThing, 201)),
        Address("PATCH", "/api/v1/things/{number}", service("shelf", MoveThing)),
        Address("GET", "/api/v1/things", service("shelf", ListThings)),
        Address("GET", "/api/v1/all", stream("shelf", ListThings, msgspec.to_builtins)),
        Address("POST", "/api/v1/looks", service("shelf", LookFor)),
        Address("GET", "/api/v1/weights", service("scale", Weigh)),
    ],
    scenario=lambda: DepotScenario,
)
