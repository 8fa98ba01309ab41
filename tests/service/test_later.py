"""An answer that is put off comes to whoever waits for it, whatever is killed in between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from actors.errors import ActorError, DeadLettered
from actors.kernel.clock import SystemClock
from actors.kernel.messages import Accepted, Command, Later, Refusal
from actors.service.service import command
from actors.store.aiosqlite_store import AiosqliteStore
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, Do, HoppingStore, Note, SteppingClock, note, office

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng
    from tests.service.desks import Office


class Apply(Command):
    """Is answered later, under the name `request`."""

    request: str


class Renew(Command):
    """The same, of a handler that has nothing to say so far."""

    request: str


class Decide(Command):
    """Answers the request."""

    request: str
    answer: str = "yes"
    refuses: bool = False


class Clerk(Desk):
    """Puts off, and decides."""

    @command
    def apply(self, tx: Transaction, cmd: Apply) -> str | Refusal | Later:
        note(tx, f"applied {cmd.request}")
        return Later(request=cmd.request, so_far=f"pending {cmd.request}")

    @command
    def renew(self, tx: Transaction, cmd: Renew) -> Later | None:
        return Later(request=cmd.request, so_far=None)

    @command
    def decide(self, tx: Transaction, cmd: Decide) -> None:
        note(tx, f"decided {cmd.request}")
        tx.reply(cmd.request, Refusal.conflict(cmd.answer) if cmd.refuses else cmd.answer)


def nobody_waits(run: Office) -> bool:
    return not run.hosted["a"].deferred._waiters and run.count("a", "later") == 0


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("refuses", [False, True])
async def test_answer_may_come_in_the_same_batch_or_in_a_later_one(
    tmp_path: Path, clock: SteppingClock, key: str | None, refuses: bool
) -> None:
    """A reply or a refusal; a retry with the key gets the same, and runs nothing."""
    expected = Refusal.conflict("final") if refuses else "final"
    decide = {"answer": "final", "refuses": refuses}
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        applied = run.ask("a", Apply(request="same"), key=key)
        decided = run.ask("a", Decide(request="same", **decide))  # type: ignore[arg-type]
        assert await applied == expected
        await decided
        later = key and f"{key} later"
        applied = run.ask("a", Apply(request="later"), key=later)
        await run.advance(10.0)
        assert not applied.done()
        await run.ask("a", Decide(request="later", **decide))  # type: ignore[arg-type]
        assert await applied == expected
        assert nobody_waits(run)
        if key is not None:
            assert await run.ask("a", Apply(request="later"), key=later) == expected
            assert await run.ask("a", Apply(request="same"), key=key) == expected
            assert run.labels("a").count("applied later") == 1


async def test_what_was_put_off_and_has_no_answer_is_left_behind_until_it_has(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Once its caller waits no longer; through kills, and in the next process."""
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        asked = [run.ask("a", Apply(request=each), timeout_s=1.0) for each in ("1", "2")]
        await run.advance(0.5)
        assert run.system.left_behind("a") == 0
        await run.advance(1.0)
        assert [type(each.result()) for each in asked] == [Accepted, Accepted]
        assert run.system.left_behind("a") == 2
        run.system.kill("a")
        await run.ask("a", Note(label="is up"))
        assert run.system.left_behind("a") == 2
        await run.ask("a", Decide(request="1"))
        assert run.system.left_behind("a") == 1
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        await run.ask("a", Note(label="is up"))
        assert run.system.left_behind("a") == 1
        await run.ask("a", Decide(request="2"))
        assert run.system.left_behind("a") == 0


async def test_what_goes_on_for_long_is_not_left_behind_any_more(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Nobody may ever answer it: it must not close its service, also where it is asked again."""
    async with office(
        tmp_path, {"a": Clerk}, clock=clock, settings=["edge.admission.saga_s_max=60.0"]
    ) as run:
        asked = run.ask("a", Apply(request="forgotten"), key="k", timeout_s=1.0)
        await run.advance(50.0, steps=100)
        also = run.ask("a", Apply(request="later"), timeout_s=1.0)
        await run.advance(9.0, steps=18)
        assert [type(each.result()) for each in (asked, also)] == [Accepted, Accepted]
        assert run.system.left_behind("a") == 2
        await run.advance(2.0)
        assert run.system.left_behind("a") == 1
        again = run.ask("a", Apply(request="forgotten"), key="k", timeout_s=1.0)
        await run.advance(2.0, steps=4)
        assert type(again.result()) is Accepted
        run.system.kill("a")
        await run.ask("a", Note(label="is up"))
        assert run.system.left_behind("a") == 1
        await run.ask("a", Decide(request="forgotten"))
        await run.ask("a", Decide(request="later"))
        assert run.system.left_behind("a") == 0


async def test_handler_may_answer_what_it_puts_off(tmp_path: Path, clock: SteppingClock) -> None:
    """All in one transaction: the answer is the reply."""

    class Hasty(Clerk):
        @command
        def apply(self, tx: Transaction, cmd: Apply) -> str | Refusal | Later:
            tx.reply(cmd.request, "at once")
            return Later(request=cmd.request, so_far="pending")

    async with office(tmp_path, {"a": Hasty}, clock=clock) as run:
        assert await run.ask("a", Apply(request="r"), key="k") == "at once"
        assert await run.ask("a", Apply(request="r"), key="k") == "at once"
        assert nobody_waits(run)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize(
    ("store", "between"),
    [
        (HoppingStore, 2),
        # Turns of the loop are no measure of what threads do: any number is as good as another.
        pytest.param(AiosqliteStore, 6, marks=pytest.mark.real_time),
        pytest.param(HoppingStore, 1, marks=pytest.mark.long),
        pytest.param(AiosqliteStore, 1, marks=[pytest.mark.real_time, pytest.mark.long]),
    ],
)
async def test_answer_arrives_whenever_the_service_is_killed(
    tmp_path: Path,
    rng: Rng,
    key: str | None,
    store: type[AiosqliteStore | HoppingStore],
    between: int,
) -> None:
    """Before either commit, between a commit and its news, and in between the two."""
    clock = SteppingClock() if store is HoppingStore else SystemClock()
    seed = rng.getrandbits(32)
    async with office(tmp_path, {"a": Clerk}, clock=clock, seed=seed, store=store) as run:
        requests = []
        for before in range(0, 12, between):
            for after in range(0, 12, between):
                request = f"{before} {after}"
                requests.append(request)
                applied = run.ask("a", Apply(request=request), key=key and key + request)
                await turns(before)
                run.system.kill("a")
                await run.until(lambda r=request: f"applied {r}" in run.labels("a"))  # type: ignore[misc]
                decided = run.ask("a", Decide(request=request, answer=request))
                await turns(after)
                run.system.kill("a")
                assert await run.through(applied) == request
                await run.through(decided)
        assert nobody_waits(run)
        for what in ("applied", "decided"):
            labels = [label for label in run.labels("a") if label.startswith(what)]
            assert labels == [f"{what} {request}" for request in requests]


async def test_retry_after_a_restart_of_the_process_waits_for_the_answer(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """With its key, the retry stands where the first one stood; nothing is run again."""
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        lost = [run.ask("a", Apply(request=request), key=request) for request in "pd"]
        without = run.ask("a", Apply(request="no key"))
        await run.ask("a", Decide(request="d", answer="decided"))
        assert await lost[1] == "decided"
        await turns()
        lost[0].cancel()
        without.cancel()
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        assert await run.ask("a", Apply(request="d"), key="d") == "decided"
        waits = run.ask("a", Apply(request="p"), key="p")
        await run.advance(10.0)
        assert not waits.done()
        # The one without a key is nobody's any more, and its answer no error.
        await run.ask("a", Decide(request="no key"))
        await run.ask("a", Decide(request="p", answer="at last"))
        assert await waits == "at last"
        assert run.labels("a").count("applied p") == 1
        assert nobody_waits(run)


@pytest.mark.parametrize("killed", [False, True])
async def test_deadline_is_told_what_is_known_so_far_and_the_key_gets_the_rest(
    tmp_path: Path, clock: SteppingClock, killed: bool
) -> None:
    """Accepted is no answer: the same key waits again, or has it at once when it is there."""
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        for _ in range(2):
            asked = run.ask("a", Apply(request="r"), key="k", timeout_s=5.0)
            await turns()
            if killed:
                run.system.kill("a")
            await run.advance(4.9)
            assert not asked.done()
            await run.advance(0.2)
            assert await asked == Accepted(value="pending r")
            assert not run.hosted["a"].deferred._waiters
        await run.ask("a", Decide(request="r", answer="final"))
        assert await run.ask("a", Apply(request="r"), key="k") == "final"
        assert run.labels("a") == ["applied r", "decided r"]


async def test_nothing_so_far_is_accepted_too(tmp_path: Path, clock: SteppingClock) -> None:
    """A handler may have nothing to show; that the request stands is still news."""
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        asked = run.ask("a", Renew(request="r"), timeout_s=5.0)
        await turns()
        await run.advance(5.1)
        assert await asked == Accepted(value=None)


async def test_every_caller_of_the_same_key_gets_the_answer(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """In one batch or many, before and after kills; another body under the key is refused."""
    async with office(tmp_path, {"a": Clerk}, clock=clock, store=HoppingStore) as run:
        asked = []
        for round_ in range(4):
            asked += [run.ask("a", Apply(request="r"), key="k") for _ in range(5)]
            await turns(5 * round_)
            run.system.kill("a")
            await turns(50)
        other = await run.ask("a", Apply(request="other"), key="k")
        assert isinstance(other, Refusal)
        early = run.ask("a", Apply(request="r"), key="k", timeout_s=5.0)
        await turns()
        await run.advance(6.0)
        assert await early == Accepted(value="pending r")
        await run.ask("a", Decide(request="r", answer="all"))
        assert await asyncio.gather(*asked) == ["all"] * 20
        assert run.labels("a") == ["applied r", "decided r"]
        assert nobody_waits(run)


async def test_second_open_request_of_a_name_is_that_commands_crash(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """The first is answered as if nothing had been; closed, the name is free."""
    settings = ["supervisor.intensity=0"]
    async with office(tmp_path, {"a": Clerk}, clock=clock, settings=settings) as run:
        first = run.ask("a", Apply(request="r"))
        second = run.ask("a", Apply(request="r"))
        with pytest.raises(DeadLettered, match=r"Later\(request='r'\): .* is open already"):
            await run.through(second)
        await run.ask("a", Decide(request="r", answer="the first"))
        assert await first == "the first"
        third = run.ask("a", Apply(request="r"))
        await turns()
        await run.ask("a", Decide(request="r", answer="the third"))
        assert await third == "the third"


async def test_answer_that_nobody_waits_for_is_no_error(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Never asked, answered already, or the caller has left."""
    async with office(tmp_path, {"a": Clerk}, clock=clock) as run:
        assert await run.ask("a", Decide(request="never asked")) is None
        asked = run.ask("a", Apply(request="r"))
        await turns()
        asked.cancel()
        assert await run.ask("a", Decide(request="r")) is None
        assert await run.ask("a", Decide(request="r")) is None
        assert nobody_waits(run)
        assert await run.letters() == []


async def test_waiters_do_not_accumulate(tmp_path: Path, clock: SteppingClock, rng: Rng) -> None:
    """Whether answered, expired or gone, with retries of one key and with kills in between."""
    async with office(tmp_path, {"a": Clerk}, clock=clock, store=HoppingStore) as run:
        asked = []
        for number in range(200):
            request = str(number % 20)
            asked.append(run.ask("a", Apply(request=request), key=request, timeout_s=1.0))
            await turns(rng.randrange(1, 10))
            match rng.randrange(4):
                case 0:
                    asked[-1].cancel()
                case 1:
                    run.system.kill("a")
                case 2:
                    await run.advance(rng.random())
        await run.advance(5.0, steps=5)
        for each in asked:
            with contextlib.suppress(asyncio.CancelledError, ActorError):
                assert isinstance(await each, Accepted)
        assert run.hosted["a"].deferred._waiters == {}
        assert run.count("a", "later") <= 20


async def test_what_was_put_off_and_rolled_back_waits_for_nobody(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A reply in a command that is refused or crashes is none either."""

    def do(tx: Transaction, cmd: Do) -> Refusal:
        tx.reply("r", "not this")
        if cmd.what == "crash":
            raise RuntimeError
        return Refusal.conflict("no")

    async with office(tmp_path, {"a": lambda: Clerk(do)}, clock=clock) as run:
        asked = run.ask("a", Apply(request="r"))
        assert await run.ask("a", Do()) == Refusal.conflict("no")
        with pytest.raises(DeadLettered):
            await run.through(run.ask("a", Do(what="crash")))
        assert not asked.done()
        await run.ask("a", Decide(request="r", answer="this"))
        assert await asked == "this"


async def test_handler_that_is_not_typed_to_put_off_may_not(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A retry would take what is known so far for the answer."""

    def do(_tx: Transaction, _cmd: Do) -> Later:
        return Later(request="r", so_far="pending")

    async with office(tmp_path, {"a": lambda: Clerk(do)}, clock=clock) as run:
        with pytest.raises(DeadLettered, match="Later"):
            await run.through(run.ask("a", Do(), key="k"))
        assert nobody_waits(run)


@pytest.mark.parametrize(
    "answer", [object(), "\ud800", {object(): 1}], ids=["object", "text", "map"]
)
async def test_answer_that_cannot_be_stored_is_the_commands_own_crash(
    tmp_path: Path, clock: SteppingClock, answer: Any
) -> None:
    """Not its batch's: it cannot park the service."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.reply("r", answer)

    settings = ["supervisor.intensity=0"]
    async with office(tmp_path, {"a": lambda: Clerk(do)}, clock=clock, settings=settings) as run:
        asked = run.ask("a", Apply(request="r"))
        crashes = run.ask("a", Do())
        beside = run.ask("a", Note(label="beside"))
        with pytest.raises(DeadLettered):
            await run.through(crashes)
        await run.through(beside)
        await run.ask("a", Decide(request="r", answer="fine"))
        assert await asked == "fine"
        assert run.system.unhealthy() == []


async def test_answer_of_another_type_costs_its_callers_and_not_the_service(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Told from the commit it is passed on as it is; read back, it is their error."""

    def do(tx: Transaction, cmd: Do) -> None:
        tx.reply("r", 5)

    class Deaf(HoppingStore):
        """Never tells of a commit that answers."""

        async def write(self, batch: Any, handlers: Any) -> Any:
            result = await super().write(batch, handlers)
            if any(output.replies for output in result.outputs):
                await asyncio.get_running_loop().create_future()
            return result

    settings = ["supervisor.intensity=0"]
    async with office(
        tmp_path, {"a": lambda: Clerk(do)}, clock=clock, settings=settings, store=Deaf
    ) as run:
        asked = run.ask("a", Apply(request="r"), key="k")
        await turns(50)
        answered = run.ask("a", Do())
        await turns(50)
        run.system.kill("a")
        with pytest.raises(ActorError, match="r"):
            await run.through(asked)
        await run.through(answered)
        assert run.system.unhealthy() == []
        assert len(run.hosted["a"].deferred._waiters) == 0
