"""A dead letter is run again as what it was, once, or forgotten; till then it is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import (
    ActorError,
    DeadLettered,
    LetterNotReplayable,
    MailboxFull,
    NoSuchLetter,
    ServiceUnavailable,
    StoreRefused,
)
from actors.kernel.messages import Accepted, Command, Later, Query, Refusal, Refused
from actors.service.operator_calls import OperatorCalls
from actors.service.service import command, on, query
from actors.store.inline_store import InlineStore
from actors.store.store import WriteResult
from actors.store.transaction import ReadTransaction, Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, Do, HoppingStore, Note, SteppingClock, note, office
from tests.store.ledger import Mishap, writer_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.kernel.envelope import Envelope
    from actors.kernel.rng import Rng
    from tests.service.desks import Office

NO_ID = "00000000-0000-7000-8000-000000000000"


class Wish(Command):
    label: str


class Defer(Command):
    label: str


class Ponder(Query):
    pass


class Mood:
    """How the wells take wishes at present."""

    def __init__(self) -> None:
        self.crashes = True
        self.refuses = False
        self.runs = 0
        self.starts = True


class Well(Desk):
    """Grants wishes by the mood."""

    def __init__(self, mood: Mood) -> None:
        super().__init__()
        if not mood.starts:
            raise Mishap("told not to start")
        self.mood = mood

    @command
    def wish(self, tx: Transaction, cmd: Wish) -> str | Refusal:
        self.mood.runs += 1
        note(tx, cmd.label)
        if self.mood.crashes:
            raise Mishap(cmd.label)
        return Refusal.conflict(f"no {cmd.label}") if self.mood.refuses else f"have {cmd.label}"

    @command
    def defer(self, tx: Transaction, cmd: Defer) -> str | Later:
        if self.mood.crashes:
            raise Mishap(cmd.label)
        return Later(request=cmd.label, so_far="pending")

    @query
    def ponder(self, tx: ReadTransaction, question: Ponder) -> None:
        raise Mishap("too deep")


def send_all(tx: Transaction, cmd: Do) -> None:
    for label in cmd.what:
        tx.send("well", Wish(label=label))


class Wisher(Desk):
    """Sends wishes, and hears when they are refused."""

    def __init__(self) -> None:
        super().__init__(send_all)

    @on(Refused[Wish])
    def refused(self, tx: Transaction, event: Refused[Wish]) -> None:
        note(tx, f"{event.command.label}: {event.refusal.detail}")


@pytest.fixture
def mood() -> Mood:
    return Mood()


def wells(mood: Mood) -> dict[str, Any]:
    return {"wisher": Wisher, "well": lambda: Well(mood)}


async def buried(run: Office, label: str, key: str | None = None) -> str:
    """Have a wish become a dead letter; return its id."""
    with pytest.raises(DeadLettered) as raised:
        await run.through(run.ask("well", Wish(label=label), key=key))
    assert raised.value.letter_id is not None
    return raised.value.letter_id


async def test_replay_runs_the_message_and_removes_the_letter(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """In one transaction; the id is gone with it."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "a pony")
        (letter,) = await run.letters()
        assert (letter.id, letter.actor, letter.attempts) == (letter_id, "well", 3)
        mood.crashes = False
        replayed = await run.system.replay(letter_id)
        assert (replayed.letter_id, replayed.actor) == (letter_id, "well")
        assert (replayed.outcome, replayed.detail) == ("handled", None)
        assert run.labels("well") == ["a pony"]
        assert await run.letters() == []
        with pytest.raises(NoSuchLetter, match=letter_id):
            await run.system.replay(letter_id)
        with pytest.raises(NoSuchLetter, match=letter_id):
            await run.system.discard(letter_id)
        assert run.labels("well") == ["a pony"]


async def test_replay_takes_the_letters_key(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """The client that asks again gets the replay's reply, and nothing runs twice."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "peace", key="k")
        mood.crashes = False
        await run.system.replay(letter_id)
        runs = mood.runs
        assert await run.ask("well", Wish(label="peace"), key="k") == "have peace"
        assert mood.runs == runs
        assert run.labels("well") == ["peace"]


async def test_letter_whose_client_has_succeeded_meanwhile_is_not_run_again(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """The replay finds the key's reply; the letter has served its time."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "peace", key="k")
        mood.crashes = False
        assert await run.ask("well", Wish(label="peace"), key="k") == "have peace"
        runs = mood.runs
        assert (await run.system.replay(letter_id)).outcome == "handled"
        assert mood.runs == runs
        assert run.labels("well") == ["peace"]
        assert await run.letters() == []


async def test_refusal_of_a_replay_goes_back_to_the_sender(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """Whoever sent it by channel is told, once, as if it had been refused at first."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        await run.ask("wisher", Do(what=["one", "two"]))
        await turns(200)
        two, one = await run.letters()
        assert '"one"' in one.message
        mood.crashes, mood.refuses = False, True
        replayed = await run.system.replay(one.id)
        assert (replayed.outcome, replayed.detail) == ("refused", "no one")
        await turns()
        assert run.labels("wisher") == ["one: no one"]
        assert [letter.id for letter in await run.letters()] == [two.id]
        mood.refuses = False
        assert (await run.system.replay(two.id)).outcome == "handled"
        await turns()
        assert run.labels("well") == ["two"]
        assert run.labels("wisher") == ["one: no one"]


async def test_refusal_of_a_replay_that_nobody_sent_is_the_operators_to_read(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A client that asked has left long ago; with its key it gets the refusal."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "luck", key="k")
        mood.crashes, mood.refuses = False, True
        replayed = await run.system.replay(letter_id)
        assert (replayed.outcome, replayed.detail) == ("refused", "no luck")
        mood.refuses = False
        assert await run.ask("well", Wish(label="luck"), key="k") == Refusal.conflict("no luck")


async def test_replay_that_crashes_again_keeps_the_letter_and_sums_its_attempts(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """It is the same letter, with the reason of the last crash, where it stood in the list."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        first = await buried(run, "first")
        second = await buried(run, "second")
        for times in (2, 3):
            with pytest.raises(DeadLettered, match="Mishap: first") as raised:
                await run.through(run.system.replay(first))
            assert raised.value.letter_id == first
            after, before = await run.letters()
            assert (before.id, before.attempts) == (first, 3 * times)
            assert (after.id, after.attempts) == (second, 3)
        assert run.labels("well") == []
        assert run.system.unhealthy() == []
        mood.crashes = False
        await run.system.replay(first)
        assert run.labels("well") == ["first"]


async def test_attempts_are_those_that_were_made_whatever_was_killed(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A burial that was committed and not heard of is not a second one."""
    async with office(tmp_path, wells(mood), clock=clock, store=HoppingStore) as run:
        for number in range(20):
            asked = run.ask("well", Wish(label=str(number)))
            for _ in range(4):
                await turns(number % 20)
                run.system.kill("well")
            with pytest.raises(DeadLettered):
                await run.through(asked)
        assert {letter.attempts for letter in await run.letters()} == {3}
        assert len(await run.letters()) == 20
        letters = [letter.id for letter in await run.letters()]
        for number, letter_id in enumerate(letters):
            replay = asyncio.ensure_future(run.system.replay(letter_id))
            for _ in range(4):
                await turns(number % 20)
                run.system.kill("well")
            with pytest.raises((DeadLettered, ServiceUnavailable)):
                await run.through(replay)
        assert {letter.attempts for letter in await run.letters()} <= {3, 6}
        assert len(await run.letters()) == 20


async def test_attempts_are_those_that_were_made_whatever_was_refused_meanwhile(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A full disk sends a message back to its sender's outbox; it comes again as what it was."""
    refusals = iter([False, True, False, True, True])

    class OftenFullStore(InlineStore):
        async def write(self, batch: Sequence[Envelope], *args: Any) -> WriteResult:
            if any(isinstance(each.message, Wish) for each in batch) and next(refusals, False):
                return WriteResult(outcomes=[StoreRefused("disk full")] * len(batch))
            return await super().write(batch, *args)

    async with office(tmp_path, wells(mood), clock=clock, store=OftenFullStore) as run:
        await run.ask("wisher", Do(what=["luck", "love"]))
        await run.advance(2.0, steps=20)
        assert next(refusals, None) is None
        assert mood.runs == 2 * 3
        assert [letter.attempts for letter in await run.letters()] == [3, 3]


async def test_replay_happens_once_whenever_the_service_is_killed(
    tmp_path: Path, clock: SteppingClock, mood: Mood, rng: Rng
) -> None:
    """Before the commit it runs again; after it, whoever asks is told that it is gone."""
    seed = rng.getrandbits(32)
    async with office(tmp_path, wells(mood), clock=clock, seed=seed, store=HoppingStore) as run:
        labels = [str(number) for number in range(30)]
        letters = {label: await buried(run, label) for label in labels}
        mood.crashes = False
        outcomes: list[str] = []
        for number, (label, letter_id) in enumerate(letters.items()):
            replay = asyncio.ensure_future(run.system.replay(letter_id))
            await turns(number % 30)
            run.system.kill("well")
            while label not in run.labels("well"):
                try:
                    outcomes.append((await run.through(replay)).outcome)
                except NoSuchLetter as gone:
                    outcomes.append(str(gone))
                except ServiceUnavailable:  # it was just down: the operator tries again
                    replay = asyncio.ensure_future(run.system.replay(letter_id))
            await asyncio.wait([replay])
            replay.exception()
        assert run.labels("well") == labels
        assert await run.letters() == []
        assert "handled" in outcomes


async def test_replay_that_is_asked_for_twice_happens_once(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """Of many operators at a time one is told that it was run, the others that it is gone."""
    async with office(tmp_path, wells(mood), clock=clock, store=HoppingStore) as run:
        for label in map(str, range(20)):
            mood.crashes = True
            letter_id = await buried(run, label)
            mood.crashes = False
            asked = [run.system.replay(letter_id) for _ in range(5)]
            ends = await asyncio.gather(*asked, return_exceptions=True)
            assert sorted(type(end).__name__ for end in ends) == ["NoSuchLetter"] * 4 + ["Replayed"]
        assert run.labels("well") == [str(number) for number in range(20)]


async def test_operators_wait_in_the_mailbox_like_everybody_else(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A suspended service takes as many replays and discards as it has room for, and no more."""
    async with office(tmp_path, wells(mood), clock=clock, settings=["mailbox.capacity=4"]) as run:
        letter_id = await buried(run, "luck")
        run.system.suspend("well")
        await turns()
        actions = [
            asyncio.ensure_future(action(letter_id))
            for action in [run.system.replay, run.system.discard] * 4
        ]
        await turns()
        assert run.system.registry.actor("well").actor_inbox.depth == 4
        run.system.resume("well")
        mood.crashes = False
        ends = await run.through(asyncio.gather(*actions, return_exceptions=True))
        assert [type(end) for end in ends].count(MailboxFull) == 4
        assert run.labels("well") == ["luck"]


async def test_discarded_letter_is_forgotten_and_its_message_never_run(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """Once; the second time there is none."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "gone")
        kept = await buried(run, "kept")
        await run.system.discard(letter_id)
        assert [letter.id for letter in await run.letters()] == [kept]
        with pytest.raises(NoSuchLetter):
            await run.system.discard(letter_id)
        mood.crashes = False
        with pytest.raises(NoSuchLetter):
            await run.system.replay(letter_id)
        assert run.labels("well") == []


async def test_letter_survives_the_process(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """With its message, its key and its sender."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        await buried(run, "asked", key="k")
        await run.ask("wisher", Do(what=["sent"]))
        await turns(200)
    mood.crashes, mood.refuses = False, True
    async with office(tmp_path, wells(mood), clock=clock) as run:
        sent, asked = await run.letters()
        assert (asked.request_key, sent.request_key) == ("k", None)
        for letter in (asked, sent):
            assert (await run.system.replay(letter.id)).outcome == "refused"
        await turns()
        assert run.labels("wisher") == ["sent: no sent"]


async def test_letter_kept_in_memory_can_be_discarded_and_not_replayed(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A query's, for one: there is only its text."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        with pytest.raises(DeadLettered):
            await run.through(run.ask("well", Ponder()))
        (letter,) = await run.letters()
        assert not letter.durable
        with pytest.raises(LetterNotReplayable):
            await run.system.replay(letter.id)
        await run.system.discard(letter.id)
        assert await run.letters() == []
        with pytest.raises(NoSuchLetter):
            await run.system.discard(letter.id)


@pytest.mark.parametrize("letter_id", [NO_ID, "", "memory-1", "memory-0", "'", "\ud800"], ids=ascii)
async def test_unknown_letter_is_neither_replayed_nor_discarded(
    tmp_path: Path, clock: SteppingClock, mood: Mood, letter_id: str
) -> None:
    """Whatever the id looks like; no service minds."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        with pytest.raises(NoSuchLetter):
            await run.system.replay(letter_id)
        with pytest.raises(NoSuchLetter):
            await run.system.discard(letter_id)
        assert run.system.unhealthy() == []
        assert [stats.restarts for stats in run.system.actors()] == [0, 0, 0]


async def test_letter_that_no_program_can_read_says_so_and_stays(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A later program may read it; discarding it is possible."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "x")
        other = await buried(run, "y")
        running = run.hosted["well"].current
        assert running is not None
        update = "UPDATE dead_letter SET {} WHERE id = ?"
        connection = writer_of(running.store)
        connection.execute(update.format("message = CAST('{}' AS BLOB)"), (letter_id,))
        connection.execute(update.format("message_type = 'Gone'"), (other,))
        with pytest.raises(LetterNotReplayable, match="cannot read this Wish"):
            await run.system.replay(letter_id)
        with pytest.raises(LetterNotReplayable, match="no handler for Gone"):
            await run.system.replay(other)
        assert len(await run.letters()) == 2
        await run.system.discard(letter_id)
        assert len(await run.letters()) == 1


async def test_put_off_answer_of_a_replay_counts_as_handled(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """The letter is gone when it has run; who waits for the answer asks with the key."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        with pytest.raises(DeadLettered) as raised:
            await run.through(run.ask("well", Defer(label="r"), key="k"))
        mood.crashes = False
        assert raised.value.letter_id is not None
        replay = asyncio.ensure_future(run.system.replay(raised.value.letter_id))
        await turns()
        assert await run.letters() == []
        assert (await run.through(replay)).outcome == "handled"
        asked = run.ask("well", Defer(label="r"), key="k", timeout_s=1.0)
        await turns()
        await run.advance(1.1)
        assert await asked == Accepted(value="pending")


async def test_letters_of_one_service_can_be_handled_while_another_is_down(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """A parked neighbour is no reason to leave them; an unknown one may be the neighbour's."""
    other = Mood()
    services = {
        "down": lambda: Well(other),
        "well": lambda: Well(mood),
        "also_down": lambda: Well(other),
    }
    settings = ["supervisor.intensity=0"]
    async with office(tmp_path, services, clock=clock, settings=settings) as run:
        letters = [await buried(run, "one"), await buried(run, "two")]
        other.starts = False
        for name in ("down", "also_down"):
            run.system.kill(name)
        await turns()
        assert sorted(run.system.unhealthy()) == ["also_down", "down"]
        mood.crashes = False
        assert (await run.system.replay(letters[0])).outcome == "handled"
        await run.system.discard(letters[1])
        assert await run.letters() == []
        for act in (run.system.replay, run.system.discard):
            with pytest.raises(ServiceUnavailable):
                await act(NO_ID)


async def test_replay_at_a_service_that_does_not_answer_ends_and_leaves_nothing_behind(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """Suspended, it ends at its deadline; the letter is still there, and was not run."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "x")
        mood.crashes = False
        run.system.suspend("well")
        with pytest.raises(ActorError, match="reply within"):
            await run.through(run.system.replay(letter_id))
        await run.advance(0.1)
        run.system.resume("well")
        await turns()
        assert run.labels("well") == []
        assert len(await run.letters()) == 1
        assert (await run.system.replay(letter_id)).outcome == "handled"


async def test_replay_that_is_not_accepted_ends_at_once(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """Where the service stops just then; nothing of it is left to end later."""
    async with office(tmp_path, wells(mood), clock=clock) as run:
        letter_id = await buried(run, "x")
        operator = OperatorCalls(run.hosted["well"])
        inbox = run.system.registry.actor("well").actor_inbox
        inbox.closed = lambda: ServiceUnavailable("not now", retry_after_s=1.0)
        with pytest.raises(ServiceUnavailable, match="not now"):
            await operator.replay(letter_id, timeout_s=5.0)
        with pytest.raises(ServiceUnavailable, match="not now"):
            await operator.discard(letter_id, timeout_s=5.0)
        await run.advance(10.0)
        inbox.closed = None
        assert len(await run.letters()) == 1


async def test_figures_of_channels_and_timers_are_right(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """What is committed and not applied, how much of it is with the receiver, and how old it is."""
    mood.crashes = False
    settings = ["channel.window_messages=4", "channel.retry_s=0.1", "supervisor.intensity=0"]
    async with office(tmp_path, wells(mood), clock=clock, settings=settings) as run:
        assert await run.system.channels() == []
        run.system.suspend("well")
        await run.ask("wisher", Do(what=["a", "b"]))
        await run.advance(3.0)
        await run.ask("wisher", Do(what=["c", "d", "e", "f"]))
        await run.advance(2.0)
        (stats,) = await run.system.channels()
        assert (stats.sender, stats.receiver, stats.state) == ("wisher", "well", "waiting")
        assert (stats.depth, stats.in_flight) == (6, 4)
        assert stats.lag_s == pytest.approx(5.0)
        run.system.resume("well")
        await turns(200)
        (stats,) = await run.system.channels()
        assert (stats.depth, stats.in_flight, stats.lag_s) == (0, 0, 0.0)
        mood.starts = False
        run.system.kill("well")
        await turns()
        assert run.system.unhealthy() == ["well"]
        await run.ask("wisher", Do(what=["g"]))
        await run.advance(1.0)
        (stats,) = await run.system.channels()
        assert (stats.depth, stats.in_flight, stats.state) == (1, 0, "waiting")
        assert stats.lag_s == pytest.approx(1.0)
        # A service that is down shows neither its channels nor its timers; the others do.
        assert [each.service for each in await run.system.timers()] == ["wisher"]
        mood.starts = True
        run.system.restart("well")
        await run.advance(1.0, steps=20)
        assert run.labels("well") == ["a", "b", "c", "d", "e", "f", "g"]
        (stats,) = await run.system.channels()
        assert (stats.depth, stats.in_flight, stats.state) == (0, 0, "open")


async def test_message_without_a_handler_is_kept_as_it_was(
    tmp_path: Path, clock: SteppingClock, mood: Mood
) -> None:
    """No attempt is made of it; run again by a program that knows it, it is handled."""

    class Newer(Well):
        @command
        def do_more(self, tx: Transaction, cmd: More) -> None:
            note(tx, f"more {cmd.label}")

    async with office(tmp_path, wells(mood), clock=clock) as run:
        with pytest.raises(DeadLettered, match="no handler for More"):
            await run.ask("well", More(label="x"), key="k")
        assert run.system.actors()[2].restarts == 0
        with pytest.raises(LetterNotReplayable):
            await run.system.replay((await run.letters())[0].id)
    async with office(tmp_path, {"well": lambda: Newer(mood)}, clock=clock) as run:
        (letter,) = await run.letters()
        assert (letter.message_type, letter.attempts) == ("More", 0)
        assert (await run.system.replay(letter.id)).outcome == "handled"
        assert run.labels("well") == ["more x"]
        assert await run.ask("well", Note(label="fine")) is None


class More(Command):
    label: str
