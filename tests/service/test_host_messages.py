"""What a bad message costs its service: itself, and neither its neighbours nor the budget."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import DeadLettered, MailboxFull
from actors.kernel import lifecycle
from actors.kernel.messages import Refusal
from tests.service.books import Shelf, hosted
from tests.store.ledger import ADD, ENDLESS, Add, Added, Count, Crash, Do, Look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.kernel.messages import Message

pytestmark = [
    pytest.mark.real_time,
    # A strike that meets a finalizer, run by the garbage collector in the handler, is lost there:
    # Python prints it and the next strike follows, but pytest would make it an error.
    pytest.mark.filterwarnings(
        "ignore:(?s)Exception ignored in.*_Struck:pytest.PytestUnraisableExceptionWarning"
    ),
]

# No restart is allowed: one that was charged would park the service.
TRIES = 10
NO_BUDGET = "supervisor.intensity=0"


async def test_each_of_many_poisons_runs_attempts_max_times_and_all_else_is_answered(
    tmp_path: Path,
) -> None:
    """Mixed into one batch: every poison is listed, every neighbour applied once, in order."""
    runs: Counter[str] = Counter()

    def do(tx: Any, cmd: Do) -> None:
        runs[cmd.what] += 1
        tx.execute(ADD, "half done")
        raise RuntimeError(cmd.what)

    async with hosted(tmp_path, "a", settings=[NO_BUDGET], do=do) as shelf:
        poison = [f"poison {number}" for number in range(7)]
        asked: list[asyncio.Future[Any]] = []
        for number, what in enumerate(poison):
            asked.append(shelf.send("a", Add(label=f"before {number}")))
            asked.append(shelf.send("a", Do(what=what)))
        asked.append(shelf.send("a", Add(label="last")))
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(end) for end in ends] == [Added, DeadLettered] * len(poison) + [Added]
        assert runs == dict.fromkeys(poison, shelf.config.service.attempts_max)
        assert shelf.labels("a") == [*[f"before {n}" for n in range(len(poison))], "last"]
        stats = shelf.stats("a")
        assert (stats.state, stats.dead_lettered, stats.handled) == ("running", 7, 8)
        letters = await shelf.system.dead_letters(limit=100)
        assert sorted(letter.id for letter in letters) == sorted(
            str(end.letter_id) for end in ends if isinstance(end, DeadLettered)
        )
        assert {letter.reason for letter in letters} == {f"RuntimeError: {w}" for w in poison}


async def test_a_crash_says_where_in_its_authors_code_it_was(tmp_path: Path) -> None:
    """Not where in ours, of which the handler's statement was run; and what is known by then."""

    def do(tx: Any, _cmd: Do) -> None:
        tx.execute("INSERT INTO nowhere VALUES (1)")

    async with hosted(tmp_path, "a", settings=[NO_BUDGET], do=do) as shelf:
        with pytest.raises(DeadLettered):
            await shelf.ask("a", Do(what="poison"))
        crashes = shelf.happened(lifecycle.Crashed, "a")
    place = f"{__file__}, line {do.__code__.co_firstlineno + 1}"
    assert [(each.at, each.again) for each in crashes] == [
        (place, False),
        (place, True),
        (place, True),
    ]


async def test_poisonous_query_costs_the_commands_beside_it_nothing(tmp_path: Path) -> None:
    """What was in hand in the other lane when the incarnation ended is answered, once."""
    runs: list[int] = []

    def look(_tx: Any, _question: Look) -> None:
        runs.append(1)
        raise RuntimeError

    async with hosted(tmp_path, "a", settings=[NO_BUDGET], look=look) as shelf:
        asked = [shelf.send("a", message) for message in (Count(), Look(), Count())]
        asked += [shelf.send("a", Add(label=str(number))) for number in range(20)]
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert len(runs) == shelf.config.service.attempts_max
        assert isinstance(ends[1], DeadLettered)
        assert all(isinstance(end, int) for end in (ends[0], ends[2]))
        assert shelf.labels("a") == [str(number) for number in range(20)]


async def test_bad_input_cannot_park_a_service(tmp_path: Path) -> None:
    """Keys, bodies and replies that cannot be stored cost their own request and no restart."""
    odd: list[tuple[Message, str | None]] = [
        (Add(label="a"), "\udcff"),
        (Add(label="\ud800"), None),
        (Add(label="\ud800"), "k1"),
        (Do(what="\ud800"), "k2"),
        (Do(what=object()), None),
        (Do(what=object()), "k3"),
    ]
    async with hosted(tmp_path, "a", settings=[NO_BUDGET], do=lambda _tx, cmd: cmd.what) as shelf:
        asked = [shelf.send("a", message, key=key) for message, key in odd]
        asked.append(shelf.send("a", Add(label="good")))
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(end, DeadLettered | Refusal) for end in ends[:-1]), ends
        assert isinstance(ends[-1], Added)
        assert shelf.labels("a") == ["good"]
        assert shelf.stats("a").state == "running"


async def test_crash_of_a_message_is_forgotten_by_the_next(tmp_path: Path) -> None:
    """Instances are made anew for every incarnation; what is in the store stays."""
    async with hosted(tmp_path, "a", settings=[NO_BUDGET]) as shelf:
        for number in range(5):
            with pytest.raises(DeadLettered):
                await shelf.ask("a", Crash(label="x"))
            assert await shelf.ask("a", Add(label="y")) == Added(label="y", count=number + 1)


async def answers(shelf: Shelf, name: str, until: Callable[[], bool]) -> int:
    """Ask the service again and again until something else has happened; return how often."""
    count = 0
    while not until():
        for message in (Add(label="x"), Count()):
            await shelf.ask(name, message)
            count += 1
    return count


def spin(_tx: Any, _message: Any) -> None:
    while True:
        pass


def search(tx: Any, _message: Any) -> None:
    tx.all(ENDLESS)


@pytest.mark.parametrize("hang", [spin, search])
async def test_hung_service_does_not_hold_up_its_neighbour(tmp_path: Path, hang: Any) -> None:
    """While a handler hangs, one ask after the other is answered next door."""
    settings = ["service.handler_s_max=0.2", NO_BUDGET]
    async with hosted(tmp_path, "a", "b", settings=settings, do=hang) as shelf:
        most = 0
        for tries in range(1, TRIES + 1):
            hung = shelf.send("a", Do())
            behind = shelf.send("a", Add(label="behind"))
            most = max(most, await answers(shelf, "b", hung.done))
            with pytest.raises(DeadLettered, match="HandlerTimeout"):
                await hung
            assert isinstance(await behind, Added)
            assert await shelf.ask("a", Count()) == tries
            if most > 10:  # on a machine so slow that few fit into the hang, it is tried again
                break
        assert most > 10


async def test_queries_answer_while_a_command_of_the_same_service_hangs(tmp_path: Path) -> None:
    """A service's own readers do not wait for its writer."""
    leave = threading.Event()

    def do(tx: Any, _cmd: Do) -> None:
        tx.execute(ADD, "unseen")
        leave.wait(10.0)

    async with hosted(tmp_path, "a", settings=["service.handler_s_max=20"], do=do) as shelf:
        await shelf.ask("a", Add(label="seen"))
        writing = shelf.send("a", Do())
        for _ in range(10):
            assert await shelf.ask("a", Count()) == 1
        assert not writing.done()
        leave.set()
        await writing
        assert await shelf.ask("a", Count()) == 2


async def test_overload_of_a_busy_service_is_refused_with_a_hint(tmp_path: Path) -> None:
    """A full mailbox says when to come back; what it accepted is answered, in order."""
    inside, leave = threading.Event(), threading.Event()

    def do(_tx: Any, _cmd: Do) -> bool:
        inside.set()
        return leave.wait(100.0)

    settings = ["mailbox.capacity=16", "service.handler_s_max=200"]
    async with hosted(tmp_path, "a", "b", settings=settings, do=do) as shelf:
        asked = [shelf.send("a", Do())]
        await asyncio.to_thread(inside.wait)  # the queue behind it is all of the capacity
        asked += [shelf.send("a", Add(label=str(number))) for number in range(40)]
        for number in range(1, 11):
            await shelf.ask("b", Add(label="x"))
            assert await shelf.ask("b", Count()) == number
        assert shelf.stats("a").rejected == 24
        leave.set()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(end) for end in ends] == [bool] + [Added] * 16 + [MailboxFull] * 24
        last = ends[-1]
        assert isinstance(last, MailboxFull)
        assert last.retry_after_s == shelf.config.mailbox.retry_after_s
        assert shelf.labels("a") == [str(number) for number in range(16)]
