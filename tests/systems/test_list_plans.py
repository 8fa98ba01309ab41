"""Every list costs its page: no query of any service scans a table, or sorts what it has found.

Nobody lists the queries: each service's handlers are called with every choice of their optional
fields, and what they ask of SQLite is explained by SQLite.
"""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.messages import Refusal
from actors.service.stateless.replicas import Replicas
from actors.store.transaction import ReadTransaction
from actors.system import services_of, unbooted
from actors.systems import SYSTEMS
from actors.systems.hotel.card_processor import card_processor
from actors.systems.hotel.messages import CreateRoom, Money
from actors.systems.x_platform.messages import ACCOUNT_ID
from tests.systems.stage import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.service.service import Service

# What a type alone does not say.
EXAMPLES: dict[str, Any] = {
    "check_in": "2031-05-01",
    "check_out": "2031-05-04",
    "user_id": ACCOUNT_ID,
    "limit": 10,
}
# Tables that stay small, each with what keeps them so.
BOUNDED = {
    "rule": "x_platform.rules_max stand, and those deleted within matches_kept_s",
    "progress": "one row",
    "gap": "gap_rows.GAPS_KEPT_MAX",
    "state": "one row",
}
# Without these a query of theirs ends before it has asked for all that it may ask for.
THERE = {
    "room": CreateRoom(type="1", rate=Money(amount=1, currency="EUR")),
}
# What is about all rows, and no list: no address asks for it.
ABOUT_ALL = {card_processor.SUMS}


def services() -> dict[str, Service]:
    """Return one of each service of every system that has a store."""
    config = load_config(systems=SYSTEMS)
    makers: dict[str, Any] = services_of(SYSTEMS, unbooted(SYSTEMS, config, Path()))
    return {name: make() for name, make in makers.items() if not isinstance(make, Replicas)}


SERVICES = services()
QUERIES = [
    (name, message)
    for name, service in SERVICES.items()
    for message, spec in type(service).handlers.items()
    if spec.kind == "query"
]


def example(name: str, kind: Any) -> Any:
    if name in EXAMPLES:
        return EXAMPLES[name]
    match kind:
        case msgspec.inspect.UnionType():
            return example(name, kind.types[0])
        case msgspec.inspect.LiteralType():
            return kind.values[0]
        case msgspec.inspect.BoolType() | msgspec.inspect.IntType():
            return isinstance(kind, msgspec.inspect.BoolType) or 1
        case msgspec.inspect.StrType():
            return "1"
        case _:  # a tuple of ids
            return [example(name, kind.item_type)]


def questions(message: Any) -> Iterator[Any]:
    """Yield one for each choice of optional fields."""
    info = msgspec.inspect.type_info(message)
    assert isinstance(info, msgspec.inspect.StructType)
    required = {each.name: example(each.name, each.type) for each in info.fields if each.required}
    optional = {
        each.name: example(each.name, each.type) for each in info.fields if not each.required
    }
    for count in range(len(optional) + 1):
        for names in combinations(optional, count):
            chosen = {name: optional[name] for name in names}
            yield msgspec.convert({**required, **chosen}, message)


def walks(sql: str, plan: list[str]) -> list[str]:
    """Return the steps of the plan that take longer as the table grows."""
    if sql in ABOUT_ALL:
        return []
    # From the table's beginning, up to a limit, and nothing left out: that is a page.
    page = "WHERE" not in sql and "LIMIT" in sql
    found = []
    for step in plan:
        scan = re.match(r"SCAN (\w+)(.*)", step)
        sorts = "TEMP B-TREE" in step
        bounded = scan and (scan[1] in BOUNDED or "VIRTUAL TABLE" in scan[2])
        if sorts or (scan and not page and not bounded):
            found.append(step)
    # What is asked for by no index is looked for in all that the index finds.
    names = re.findall(r"(\w+)(?: COLLATE \w+)? = \?", sql)
    searched = " ".join(plan)
    found += [
        f"{name} is in no index"
        for name in names
        if f"{name}=?" not in searched and "rowid=?" not in searched
    ]
    return found


@pytest.mark.parametrize(("name", "message"), QUERIES)
async def test_no_query_walks_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: Any
) -> None:
    """Whatever is filtered by; an index has what is looked for, in the order that is wanted."""
    asked: list[tuple[str, tuple[Any, ...]]] = []
    for method in ("one", "all"):
        original = getattr(ReadTransaction, method)

        def record(tx: Any, sql: str, *params: Any, original: Any = original) -> Any:
            asked.append((sql, params))
            return original(tx, sql, *params)

        monkeypatch.setattr(ReadTransaction, method, record)
    types = {other: type(service) for other, service in SERVICES.items()}
    async with stage(SERVICES[name], tmp_path, name=name, others=types) as on:
        if name in THERE:
            await on.ask(THERE[name])
            asked.clear()
        replies = [await on.ask(question) for question in questions(message)]
        if "limit" in message.__struct_fields__:
            assert not all(isinstance(reply, Refusal) for reply in replies), "nothing was listed"
        assert asked
        for sql, params in asked:
            plan = [row["detail"] for row in on.rows(f"EXPLAIN QUERY PLAN {sql}", *params)]
            assert not walks(sql, plan), (sql, plan)


@pytest.mark.parametrize(
    ("sql", "complaints"),
    [
        ("SELECT * FROM room WHERE number = '1' ORDER BY seq LIMIT 5", 1),
        ("SELECT * FROM room WHERE seq > 1 ORDER BY number LIMIT 5", 1),
        ("SELECT * FROM room ORDER BY number LIMIT 5", 1),
        ("SELECT * FROM room", 1),
        ("SELECT * FROM room WHERE type = ? AND number = ? AND seq > 1 ORDER BY seq LIMIT 5", 1),
        ("SELECT * FROM room ORDER BY seq LIMIT 5", 0),
        ("SELECT * FROM room WHERE id = '1'", 0),
    ],
)
async def test_a_walk_is_noticed(tmp_path: Path, sql: str, complaints: int) -> None:
    """A scan by a filter and a sort are; a page from the beginning is none."""
    async with stage(SERVICES["room"], tmp_path, name="room", others={}) as on:
        params = ["1"] * sql.count("?")
        plan = [row["detail"] for row in on.rows(f"EXPLAIN QUERY PLAN {sql}", *params)]
        assert len(walks(sql, plan)) == complaints, plan
