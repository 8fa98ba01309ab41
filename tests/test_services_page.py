"""docs/SERVICES.md: its files, as printed, boot and do what it says; it leaves out no name."""

from __future__ import annotations

import importlib
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import actors
from tests.documented import FENCED, NAMED, ROOT, commands_of, files_of, importable, read
from tests.service.callers import NO_BREAKER
from tests.service.desks import SteppingClock, office
from tests.test_docs import console_steps, matches, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.testing.live import Live

PAGE = "docs/SERVICES.md"


def test_every_name_is_told_of_and_used() -> None:
    """Each that `from actors import ...` offers: what is not on the page is not known."""
    table = read(PAGE).partition("## What there is to import")[2].partition("\n## ")[0]
    assert set(actors.__all__) <= set(re.findall(r"`(\w+)`", table))
    code = "\n".join(files_of(PAGE).values())
    unused = {name for name in actors.__all__ if not re.search(rf"\b{name}\b", code)}
    assert unused == {"App", "GaveUp"}  # of them a sentence tells


def test_every_block_is_a_file_and_three_are_examples() -> None:
    """With its name in its first line, so that a reader knows where it goes."""
    code = [block for kind, block in FENCED.findall(read(PAGE)) if kind in {"python", "sql"}]
    assert [block for block in code if not NAMED.match(block)] == []
    for name in ("notes.py", "shop.py", "stock_server.py"):
        example = (ROOT / "docs" / "examples" / name).read_text(encoding="utf-8")
        assert files_of(PAGE)[name] == f"# {name}\n{example}"


# --- As processes ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The page's files."""
    with importable(PAGE, tmp_path_factory.mktemp("services")) as written:
        yield written


@pytest.mark.real_time
def test_the_first_service_answers_as_printed(live: Live, folder: Path) -> None:
    """And what it answered is there after a SIGKILL."""
    notes = live(f"{folder}/notes.py")
    steps = list(console_steps(read(PAGE)))
    assert len(steps) >= 3
    for command, written in steps:
        printed = typed(command.replace("localhost:9000", notes.url), folder)
        assert matches(written, printed), f"$ {command}\nprinted: {printed}\nnot: {written}"
    notes.kill_process()
    assert notes.restart().client.get("/notes").json() == ["milk"]


@pytest.mark.real_time
def test_the_cafe_does_what_the_page_says(live: Live, folder: Path) -> None:
    """Served, refused by either service, found, listed, tasted; and the gauge reads by itself."""
    cafe = live.prepare(f"{folder}/cafe.py", data_dir=folder / "data").start()
    ask = cafe.client
    order = ask.post("/orders", json={"cups": 2})
    made = order.json()
    assert (order.status, made["state"]) == (201, "ready")
    assert order.headers["Location"] == f"/orders/{made['id']}"
    many = ask.post("/orders", json={"cups": 5})
    assert (many.status, many.json()["detail"]) == (409, "4 cups at most")
    none = ask.post("/orders", json={"cups": 1, "wish": "decaf"})
    assert (none.status, none.json()["field"]) == (422, "wish")
    assert ask.post("/orders", json={"cups": 0}).status == 422
    assert ask.get(f"/orders/{made['id']}").json() == made
    assert ask.get("/orders/nobody").status == 404
    assert ask.get("/orders?limit=1").json() == {"items": [made], "next": "1"}
    assert ask.get("/all").json()[0] == made["id"]
    assert ask.get("/taste/5").json() == {"bitter": True}
    assert ask.get("/menu").text == "coffee\n"
    assert ask.request("DELETE", f"/orders/{made['id']}").status == 200
    for written in commands_of("docs/UPGRADES.md"):
        if "/let-go" in written.command:
            refused = typed(written.command.replace("localhost:9000", cafe.url), folder)
            assert "waits unreadable" in refused, refused  # but all else was right
    assert cafe.audit() == []
    with closing(sqlite3.connect(cafe.data_dir / "gauge.db")) as connection:
        read_off = connection.execute("SELECT celsius FROM temperature").fetchall()
    assert read_off[:2] == [(90.5,), (92.0,)]  # its `run` began with it


@pytest.mark.real_time
def test_an_answer_that_is_put_off_outlives_the_process(live: Live, folder: Path) -> None:
    """202 with what there is; killed, and asked again with the key, the answer comes."""
    cafe = live(f"{folder}/cafe.py", "edge.deadline_s=0.5")
    cafe.suspend("kitchen")
    waiting = cafe.client.post("/orders", json={"cups": 1}, key="one")
    assert (waiting.status, waiting.json()["state"]) == (202, "brewing")
    cafe.kill_process()
    cafe.restart()
    reply = cafe.client.post("/orders", json={"cups": 1}, key="one")
    while reply.status == 202:  # half a second is not much for a busy machine
        reply = cafe.client.post("/orders", json={"cups": 1}, key="one")
    assert (reply.status, reply.json()) == (201, {**waiting.json(), "state": "ready"})


async def test_a_code_is_told_as_long_as_it_is_good(folder: Path, tmp_path: Path) -> None:
    """Whoever is down for a minute tells none of before, and the one who made it knows."""
    codes: Any = importlib.import_module("codes")
    assert folder in Path(codes.__file__).parents
    told: list[str] = []

    async def send(phone: str, _code: int) -> None:
        told.append(phone)

    services = {"codes": codes.Codes, "texts": lambda: codes.Texts(send)}
    clock = SteppingClock()
    async with office(tmp_path, services, clock=clock) as run:
        await run.through(run.ask("codes", codes.MakeCode(phone="1"), timeout_s=5.0))
        await run.until(lambda: told == ["1"])
        run.system.suspend("texts")
        await run.through(run.ask("codes", codes.MakeCode(phone="2"), timeout_s=5.0))
        await run.advance(61.0, steps=4)
        run.system.resume("texts")
        states = "SELECT state FROM code ORDER BY state"
        await run.until(lambda: run.rows("codes", states) == [("made",), ("untold",)])
    assert told == ["1"]


async def test_a_price_is_read_once_until_it_changes(folder: Path, tmp_path: Path) -> None:
    """And another's stays known meanwhile; the list goes with any of them."""
    prices: Any = importlib.import_module("prices")
    assert folder in Path(prices.__file__).parents
    async with office(tmp_path, {"a": prices.Prices}, clock=SteppingClock()) as run:
        for cents in (90, 100):
            for drink in ("tea", "milk") if cents == 90 else ("tea",):
                await run.ask("a", prices.SetPrice(drink=drink, cents=cents))
            for _ in range(3):
                assert await run.ask("a", prices.FindPrice(drink="tea")) == cents
                assert await run.ask("a", prices.FindPrice(drink="milk")) == 90
                listed = await run.ask("a", prices.ListPrices(cents_max=95))
                assert len(listed) == {90: 2, 100: 1}[cents]
        misses = {name: each.misses for name, each in run.hosted["a"].cache_counts.items()}
    assert misses == {"FindPrice": 3, "ListPrices": 2}


async def test_the_pager_calls_those_of_one_commit_together(folder: Path, tmp_path: Path) -> None:
    """Ten at a time; and alone, where one of them cannot be called."""
    pager: Any = importlib.import_module("pager")
    assert folder in Path(pager.__file__).parents
    calls: list[list[str]] = []

    async def page(order_ids: list[str]) -> list[int]:
        calls.append(order_ids)
        if "gone" in order_ids:
            raise ConnectionError
        return [int(order_id) for order_id in order_ids]

    services = {"pager": lambda: pager.Pager(page)}
    async with office(tmp_path, services, clock=SteppingClock(), settings=[*NO_BREAKER]) as run:
        await run.ask("pager", pager.CallGuests(order_ids=[*map(str, range(10)), "gone", "11"]))
        await run.until(lambda: run.count("pager", "called") == 11)
    assert calls[:4] == [[*map(str, range(10))], ["gone", "11"], ["gone"], ["11"]]


async def test_tabs_are_in_shards(folder: Path, tmp_path: Path, clock: SteppingClock) -> None:
    """What is moved arrives, whichever shard has it; one list has all, page by page."""
    tabs = importlib.import_module("tabs")
    async with office(tmp_path, tabs.BAR.services, clock=clock) as run:
        made = [await run.ask("tabs", tabs.OpenTab(guest=str(n)), key=f"{n}") for n in range(9)]
        for tab in made:
            await run.ask("tabs", tabs.PutOnTab(tab_id=tab.id, cents=5))
        await run.ask("tabs", tabs.MoveTab(tab_id=made[0].id, to=made[8].id))
        assert await run.ask("tabs", tabs.PutOnTab(tab_id="x", cents=1)) is not None
        await run.until(lambda: not run.system.background().requests)
        listed: list[Any] = []
        page: Any = None
        while page is None or page.next is not None:
            after = "0" if page is None else page.next
            page = await run.ask("tabs", tabs.ListTabs(limit=2, after=after))
            listed += page.items
        assert sorted(each.id for each in listed) == sorted(each.id for each in made)
        assert (await run.ask("tabs", tabs.FindGuest(guest="8"))).cents == 10
        assert await run.ask("tabs", tabs.CountCents()) == 45
        assert sorted(run.hosted) == ["tabs-1", "tabs-2", "tabs-3", "tabs-4"]
