"""Whoever keeps something in memory of a transaction hears of its end, however it ends."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, get_args

import pytest

from actors.kernel.messages import Refusal
from actors.service.caching.forgetting import Forgetting
from actors.store import group_commit
from actors.store.participant import Participant, Step, hearing, nothing
from tests.store.ledger import Crash, Do, Ledger, Refuse, Unknown, handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


STEPS: tuple[Step, ...] = get_args(Step)
ORPHAN = "INSERT INTO entry (label, account) VALUES ('x', 'nobody')"

Heard = dict[type[Participant], list[str]]


def concrete(kind: Any) -> Iterator[type[Participant]]:
    if not inspect.isabstract(kind):
        yield kind
    for each in kind.__subclasses__():
        yield from concrete(each)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What each participant has been told, of a store made from now on."""
    heard: Heard = {}

    def overhearing(
        participants: Iterable[Participant], step: Step
    ) -> tuple[Callable[..., None], ...]:
        def telling(each: Participant) -> Callable[..., None]:
            def tell(*args: Any) -> None:
                heard.setdefault(type(each), []).append(step)
                getattr(each, step)(*args)

            return tell

        return tuple(map(telling, participants))

    monkeypatch.setattr(group_commit, "hearing", overhearing)
    return heard


def do(tx: Any, cmd: Do) -> Any:
    return cmd.what(tx)


def looks_away(tx: Any) -> None:
    """SQLite has rolled back by itself: a full disk, say."""
    tx._connection.execute("ROLLBACK")


REFUSED = "begin savepoint savepoint_undone before_commit committed"
# What a batch comes to, and what everybody hears of it.
ENDS: dict[str, tuple[Any, str]] = {
    "commit": (Do(what=lambda tx: tx.execute(ORPHAN.replace("nobody", "cash"))),
               "begin savepoint before_commit committed"),
    "refusal": (Do(what=lambda tx: Refusal.conflict("no")), REFUSED),
    "refusal of what is written": (Refuse(label="a"),
                f"begin savepoint savepoint_undone rolled_back {REFUSED}"),
    "crash": (Do(what=lambda tx: 1 / 0),
              "begin savepoint savepoint_undone before_commit committed"),
    "crash of what has written": (Crash(label="a"),
              "begin savepoint savepoint_undone rolled_back begin before_commit committed"),
    "dead letter": (Unknown(), "begin before_commit committed"),
    "lost transaction": (Do(what=looks_away), "begin savepoint savepoint_undone rolled_back"),
    # Once together, and once by itself, to know whose it was.
    "failed commit": (Do(what=lambda tx: tx.execute(ORPHAN)),
                      " ".join(["begin savepoint before_commit rolled_back"] * 2)),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
async def test_each_participant_hears_each_step_in_order(
    end: str, heard: Heard, tmp_path: Path
) -> None:
    """All of them, of everything that a batch can come to."""
    ledger = Ledger("inline", tmp_path)
    message, steps = ENDS[end]
    async with ledger.opened() as store:
        heard.clear()
        await store.write(ledger.batch(message), handlers(do))
        assert heard == {each: steps.split() for each in taking_part(store)}


async def test_an_opening_is_heard_once_and_a_fenced_batch_as_rolled_back(
    heard: Heard, tmp_path: Path
) -> None:
    """The first step, and the only one of a batch that never begins."""
    ledger = Ledger("inline", tmp_path)
    dead = await ledger.open()
    everybody = taking_part(dead)
    assert heard == {each: ["opened"] for each in everybody}
    async with ledger.opened():
        heard.clear()
        await dead.write(ledger.batch(Refuse(label="a")), handlers())
        assert heard == {each: ["rolled_back"] for each in everybody}
    await dead.abandon()


async def test_whoever_can_take_part_does(tmp_path: Path) -> None:
    """Nobody writes into the transaction's memory who is not told of its end."""
    async with Ledger("inline", tmp_path).opened() as store:
        ours = {each for each in concrete(Participant) if each.__module__.startswith("actors.")}
        # This store keeps no answers; where one does, tests/service/test_caching.py has it.
        assert taking_part(store) == ours - {Forgetting}


@pytest.mark.parametrize("step", STEPS)
def test_a_participant_that_leaves_a_step_out_cannot_be_made(step: Step) -> None:
    """There is no default to forget: having nothing to do is said."""
    steps: dict[str, Any] = dict.fromkeys(STEPS, nothing)
    hearing([type("Whole", (Participant,), dict(steps))()], step)
    del steps[step]
    with pytest.raises(TypeError, match=step):
        type("Half", (Participant,), dict(steps))()


def test_who_has_nothing_to_do_is_not_called() -> None:
    """A step costs what is done in it: a commit goes through many."""
    steps: dict[str, Any] = dict.fromkeys(STEPS, nothing)
    idle = type("Idle", (Participant,), steps)
    assert [hearing([idle()], step) for step in STEPS] == [()] * len(STEPS)


def taking_part(store: Any) -> set[type[Participant]]:
    commit = store._commit
    assert commit is not None
    return {type(each) for each in commit.participants}
