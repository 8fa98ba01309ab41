"""What is kept of a traced request: steps in their files, and what commits nothing in memory."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from actors.config import load_config
from actors.errors import DeadLettered
from actors.kernel.messages import Command, Refusal
from actors.log import ids_of, request_id
from actors.service.service import Service, command
from actors.store.transaction import Transaction
from actors.tracing.tracing import context_of
from tests.booting import app_of
from tests.service.hosted import Add, Labels, Poison, Running, running
from tests.store.ledger import query_file

if TYPE_CHECKING:
    from pathlib import Path

    from actors.tracing.trace_tree import TraceNode, TraceTree

CALLER = "00f067aa0ba902b7"
ROWS = "SELECT spans, commit_us FROM trace_span ORDER BY seq"


class Tick(Command):
    left: int


class Ticker(Service):
    """Sets itself again until nothing is left; notes what its log lines are found by."""

    schema = ""
    ticked: ClassVar[dict[int, str | None]] = {}

    @command
    def tick(self, tx: Transaction, cmd: Tick) -> None:
        if cmd.left:
            tx.after(0.0, Tick(left=cmd.left - 1))
        if cmd.left in {6, 0}:
            self.ticked[cmd.left] = ids_of(request_id.get())["request_id"]


def traceparent(number: int, flags: str = "01") -> str:
    return f"00-{number:032x}-{CALLER}-{flags}"


async def ask_traced(run: Running, number: int, message: Any, **end: Any) -> Any:
    """Ask as the edge does for a request that is traced; return the reply, or what it ended in."""
    tracing = run.system.tracing
    now_s = run.system.clock.monotonic()
    span = tracing.begin(traceparent(number), "my-request", name="POST /entries", arrived_s=now_s)
    assert span is not None

    async def ask() -> Any:
        request_id.set(context_of(span, "my-request"))
        return await run.ask("a", message)

    replies: Any = await asyncio.gather(asyncio.create_task(ask()), return_exceptions=True)
    tracing.ended(span, outcome="201", duration_s=0.5, **end)
    return replies[0]


async def tree_of(run: Running, number: int) -> TraceTree:
    tree = await run.system.trace(f"{number:032x}", spans_max=100)
    assert tree is not None
    return tree


def told(node: TraceNode) -> tuple[Any, ...]:
    return node.service, node.kind, node.name, node.outcome, node.attempts


async def test_a_step_is_kept_below_the_request_that_it_was_done_for(
    tmp_path: Path, seed: int
) -> None:
    """With how long each waited and took; what is not in the file yet is shown all the same."""
    async with running(tmp_path, seed, "a") as run:
        await ask_traced(run, 1, Add(label="x"))
        tree = await tree_of(run, 1)
        assert tree.sampled
        (request,) = tree.spans
        assert told(request) == ("edge", "request", "POST /entries", "201", 1)
        assert (request.parent_id, request.duration_us) == (CALLER, 500_000)
        assert tree.request_id == "my-request"
        (step,) = request.spans
        assert told(step) == ("a", "command", "Add", "handled", 1)
        assert step.wait_us is not None
        assert step.duration_us is not None
        assert step.commit_us is not None
        assert step.start_us >= request.start_us
        assert not any(each.parent_is_missing for each in (request, step))
        await run.ask("a", Add(label="y"))  # whose commit writes the request's end
        (listed,) = (await run.system.slowest_requests(5)).items
        assert (listed.trace_id, listed.duration_us) == (f"{1:032x}", 500_000)
    (begun, _), (ended, commit_us), *_ = query_file(tmp_path / "a.db", ROWS)
    assert ("500000" in begun, "500000" in ended) == (False, True)
    assert commit_us == step.commit_us


async def test_who_is_not_traced_leaves_nothing(tmp_path: Path, seed: int) -> None:
    """Neither a row nor anything in memory."""
    async with running(tmp_path, seed, "a") as run:
        now_s = run.system.clock.monotonic()
        for header in (None, traceparent(1, "00"), "nonsense"):
            assert run.system.tracing.begin(header, "r", name="GET /", arrived_s=now_s) is None
        await run.ask("a", Add(label="x"))
        await run.ask("a", Labels())
        assert (await run.system.slowest_requests(5)).items == []
        assert await run.system.trace(f"{1:032x}", spans_max=100) is None
    assert query_file(tmp_path / "a.db", ROWS) == []


async def test_a_no_and_a_dead_letter_are_steps_too(tmp_path: Path, seed: int) -> None:
    """What a refused command did is undone, but not that it was refused."""
    async with running(tmp_path, seed, "a") as run:
        assert isinstance(await ask_traced(run, 1, Add(label="")), Refusal)
        assert isinstance(await ask_traced(run, 2, Poison()), DeadLettered)
        found = [(await tree_of(run, number)).spans[0].spans[0] for number in (1, 2)]
        assert [(each.outcome, each.attempts) for each in found] == [
            ("refused", 1),
            ("dead_letter", 3),
        ]


async def test_a_query_is_kept_in_memory_alone(tmp_path: Path, seed: int) -> None:
    """It commits nothing that it could be written with."""
    async with running(tmp_path, seed, "a", trace={"memory_spans_max": 4}) as run:
        for number in (1, 2, 3):
            await ask_traced(run, number, Labels())
        (request,) = (await tree_of(run, 3)).spans
        assert [told(each) for each in request.spans] == [("a", "query", "Labels", "handled", 1)]
        assert await run.system.trace(f"{1:032x}", spans_max=100) is None, "the oldest go"
    assert query_file(tmp_path / "a.db", ROWS) == []


async def test_what_erred_is_kept_from_memory(tmp_path: Path, seed: int) -> None:
    """Of a request that was not traced, for as long as it is remembered, and after that."""
    config = {"sample_share": 1e-9, "recent_requests_max": 2, "errors_max": 1}
    async with running(tmp_path, seed, "a", trace=config) as run:
        tracing, now_s = run.system.tracing, run.system.clock.monotonic()
        for given in ("one", "two", "three"):
            request_id.set(given)
            await run.ask("a", Add(label="x"))
            await run.ask("a", Labels())
            if given == "three":
                await run.ask("a", Add(label=""))
        end: dict[str, Any] = {"arrived_s": now_s, "outcome": "503", "duration_s": 0.5}
        for given in ("one", "two", "three", "four"):  # of these the first is forgotten
            tracing.erred(given, name="POST /entries", **end)
        (listed,) = (await run.system.slowest_requests(5)).items
        assert (listed.request_id, listed.outcome) == ("three", "503")
        tree = await run.system.trace(listed.trace_id, spans_max=100)
        assert tree is not None
        assert not tree.sampled
        (request,) = tree.spans
        assert [(each.name, each.outcome) for each in request.spans] == [
            ("Add", "handled"),
            ("Labels", "handled"),
            ("Add", "refused"),
        ]
    assert query_file(tmp_path / "a.db", ROWS) == []


async def test_rows_are_bounded_and_the_oldest_go(tmp_path: Path, seed: int) -> None:
    """At most `trace.rows_max` of them, whatever was traced."""
    async with running(tmp_path, seed, "a", trace={"rows_max": 16}) as run:
        for number in range(1, 12):
            await ask_traced(run, number, Add(label=str(number)))
        assert await run.system.trace(f"{1:032x}", spans_max=100) is None
        assert (await tree_of(run, 11)).spans
        cut = await run.system.trace(f"{11:032x}", spans_max=1)
        assert cut is not None
        assert cut.cut
    rows = query_file(tmp_path / "a.db", ROWS)
    assert sum(len(json.loads(spans)) for spans, _ in rows) <= 17 + 2, "a sixteenth, and a commit"


async def test_a_service_that_is_down_is_named(tmp_path: Path) -> None:
    """Part of a trace is told for what it is."""
    system = app_of({"a": Ticker}, tmp_path, load_config()).tree
    span = system.tracing.begin(traceparent(1), "r", name="GET /", arrived_s=0.0)
    assert span is not None
    system.tracing.ended(span, outcome="503", duration_s=0.1)
    tree = await system.trace(span.trace_id, spans_max=100)
    assert tree is not None
    assert tree.unread == (await system.slowest_requests(1)).unread == ["a"]


async def test_a_trace_ends_somewhere(tmp_path: Path) -> None:
    """A timer that sets itself again for ever is not one trace for ever."""
    config = load_config()
    trace = msgspec.structs.replace(config.trace, hops_max=3)
    config = msgspec.structs.replace(config, trace=trace)
    system = app_of({"a": Ticker}, tmp_path, config).tree
    await system.start()
    try:
        run = Running(system, tmp_path, [])
        await ask_traced(run, 1, Tick(left=6))
        async with asyncio.timeout(60):
            while 0 not in Ticker.ticked:  # noqa: ASYNC110 - the last one commits nothing more
                await asyncio.sleep(0.005)
        node, names = (await tree_of(run, 1)).spans[0], []
        while node.spans:
            (node,) = node.spans
            names.append(node.name)
        assert names == ["Tick"] * 4, "the first and three that it led to"
        assert Ticker.ticked == {6: "my-request", 0: None}, "what it logs carries the ids"
    finally:
        await system.stop()
