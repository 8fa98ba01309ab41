"""What the code at hand cannot read waits, in order and in sight, until code can."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from actors.errors import LetterNotReplayable, LettersFull, NoSuchActor, NothingWaits
from actors.kernel.messages import Refused
from actors.service.scheduler import Scheduler
from actors.service.service import on
from actors.store.transaction import Transaction
from tests.kernel.kernel_harness import turns
from tests.service.desks import Desk, Do, HoppingStore, Note, SteppingClock, note, office
from tests.service.versions import first, second, third

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from actors.kernel.rng import Rng
    from tests.service.desks import Office


class Eager(Desk):
    """Hears what was told before it came."""

    def __init__(self) -> None:
        super().__init__(first.do)

    @on(first.Told, start="beginning")
    def told(self, tx: Transaction, event: first.Told) -> None:
        note(tx, f"told {event.label}")


async def leave(run: Office, service: str, what: Callable[[Transaction], Any]) -> None:
    """Have the service do something whose messages stay on their way to `back`."""
    run.system.suspend("back")
    await turns()
    await run.ask(service, Do(what=what))


def send_four(tx: Transaction) -> None:
    tx.send("back", Note(label="before"))
    tx.send("back", first.Put(label="1"))
    tx.send("back", Note(label="between"))
    tx.send("back", first.Put(label="2"))


async def channel_of(run: Office) -> Any:
    (channel,) = await run.system.channels()
    return channel


# --- Channels --------------------------------------------------------------------------------


async def test_channel_waits_in_order_at_what_its_receiver_cannot_read(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What is behind it waits too, and all goes on by code that knows the type."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", send_four)
    for _ in range(2):  # however often such code boots
        async with office(tmp_path, second.SERVICES, clock=clock) as run:
            await run.advance(5.0, steps=50)
            assert run.labels("back") == ["before"]
            run.system.kill("front")
            await run.advance(5.0, steps=50)
            await run.ask("front", Do(what=lambda tx: tx.send("back", Note(label="new"))))
            await run.advance(5.0, steps=50)
            assert run.labels("back") == ["before"]
            channel = await channel_of(run)
            assert (channel.state, channel.in_flight) == ("unreadable", 0)
            (rows,) = channel.unreadable
            assert (rows.message_type, rows.count, rows.first) == ("Put", 2, 2)
            assert rows.reason == "back has no handler for Put"
            assert await run.letters() == []
            assert run.system.unhealthy() == []
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("back") == ["before", "put 1", "between", "put 2", "new", "new"]
        assert (await channel_of(run)).state == "open"


async def test_message_of_a_changed_type_waits(tmp_path: Path, clock: SteppingClock) -> None:
    """The reason says what is wrong with it; code that is as it was reads it."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(
            run, "front", lambda tx: tx.send("back", first.Paint(label="door", shade="red"))
        )
    async with office(tmp_path, second.SERVICES, clock=clock) as run:
        await turns(100)
        (rows,) = (await channel_of(run)).unreadable
        assert "back cannot read this Paint: Expected `int`, got `str`" in rows.reason
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("back") == ["paint door red 1"]  # a field more has its default


async def test_message_with_a_field_too_many_waits(tmp_path: Path, clock: SteppingClock) -> None:
    """Newer code wrote it: older code, after a rollback, does not guess what it may leave out."""
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        paint = third.Paint(label="door", shade="red", coats=2)
        await leave(run, "front", lambda tx: tx.send("back", paint))
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await turns(100)
        (rows,) = (await channel_of(run)).unreadable
        assert "unknown field `coats`" in rows.reason
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("back") == ["paint door red 2"]


async def test_what_was_applied_before_holds_nothing_up(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Its sender had not heard of that when it was killed; only the receiver's file knows."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    async with office(before, first.SERVICES, clock=clock) as run:
        await run.ask("front", Do(what=send_four))
        await turns(100)
        assert len(run.labels("back")) == run.count("front", "outbox") == 4
        shutil.copytree(before, after)  # as a kill -9 leaves it
    async with office(after, second.SERVICES, clock=clock) as run:
        await turns(100)
        channel = await channel_of(run)
        assert (channel.state, channel.depth) == ("open", 0)
        await run.ask("front", Do(what=lambda tx: tx.send("back", Note(label="new"))))
        await turns(100)
        assert run.labels("back") == ["before", "put 1", "between", "put 2", "new"]


async def test_messages_to_a_service_that_keeps_nothing_wait(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """It is gone: that is said; it cannot be let go, for nobody is there to keep the letter."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", send_four)
    async with office(tmp_path, {"front": second.Front}, clock=clock) as run:
        await run.advance(5.0, steps=50)
        channel = await channel_of(run)
        assert (channel.state, channel.depth) == ("unreadable", 4)
        assert {rows.message_type: rows.count for rows in channel.unreadable} == {
            "Note": 2,
            "Put": 2,
        }
        assert {rows.reason for rows in channel.unreadable} == {"no service is called back"}
        with pytest.raises(NothingWaits, match="it goes on when back is back"):
            await run.system.let_messages_go("front", "back", "Note")
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("back") == ["before", "put 1", "between", "put 2"]


async def test_subscription_that_is_gone_waits_too(tmp_path: Path, clock: SteppingClock) -> None:
    """What was published while it was there was promised to it."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", lambda tx: tx.publish(first.Told(label="news")))
    async with office(tmp_path, second.SERVICES, clock=clock) as run:
        await turns(100)
        assert [rows.message_type for rows in (await channel_of(run)).unreadable] == ["Told"]
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("back") == ["told news"]


async def test_refusal_of_a_command_that_is_called_otherwise_waits(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And is read by who knows the new name."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        put = first.Put(label="not that")
        await leave(run, "front", lambda tx: tx.send("back", put))
        run.system.suspend("front")
        await turns()
        run.system.resume("back")
        await turns(100)
    assert run.count("back", "outbox") == 1
    async with office(tmp_path, second.SERVICES, clock=clock) as run:
        await turns(100)
        channels = {each.sender: each for each in await run.system.channels()}
        assert [rows.message_type for rows in channels["back"].unreadable] == ["Refused[Put]"]
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("front") == ["refused not that"]
        assert await run.letters() == []


async def leave_a_refusal(run: Office) -> None:
    """Leave one, and a command behind it, on their way from `back` to `front`."""
    await leave(run, "front", lambda tx: tx.send("back", first.Put(label="not that")))
    run.system.suspend("front")
    await turns()
    run.system.resume("back")
    await turns(100)
    await run.ask("back", Do(what=lambda tx: tx.send("front", Note(label="behind"))))
    assert run.count("back", "outbox") == 2


BY_EARLIER_CODE = "UPDATE outbox SET message_type = replace(message_type, 'Unheard', 'Refused')"


@pytest.mark.parametrize("stored", ["as unheard", "by earlier code"])
@pytest.mark.parametrize("back", [first.Back, third.Back, second.Back])
async def test_refusal_that_nobody_listened_to_holds_nothing_up(
    tmp_path: Path, clock: SteppingClock, back: type[Desk], stored: str
) -> None:
    """It is a dead letter, whatever its command is called by then, or whether there is one."""
    async with office(tmp_path, {"front": second.Front, "back": first.Back}, clock=clock) as run:
        await leave_a_refusal(run)
    if stored == "by earlier code":
        with closing(sqlite3.connect(tmp_path / "back.db")) as connection, connection:
            connection.execute(BY_EARLIER_CODE)
    async with office(tmp_path, {"front": second.Front, "back": back}, clock=clock) as run:
        await turns(100)
        (letter,) = await run.letters()
        assert (letter.actor, letter.message_type) == ("front", "Refused[Put]")
        assert run.labels("front") == ["behind"]


async def test_refusal_that_was_wanted_waits_for_who_wants_it_again(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Where the handler is gone and the command is not; what is refused from then on does not."""
    services = {"front": second.Front, "back": first.Back}
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave_a_refusal(run)
    async with office(tmp_path, services, clock=clock) as run:
        await turns(100)
        channels = {each.sender: each for each in await run.system.channels()}
        assert [rows.message_type for rows in channels["back"].unreadable] == ["Refused[Put]"]
        put = first.Put(label="not this")
        await run.ask("front", Do(what=lambda tx: tx.send("back", put)))
        await turns(100)
        assert await run.letters() == []
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await turns(100)
        assert run.labels("front") == ["refused not that", "behind"]
        (letter,) = await run.letters()  # of the second nobody wanted to know when it was made
        assert "not this" in letter.message


async def test_waiting_is_said_once(tmp_path: Path, clock: SteppingClock) -> None:
    """A warning for each kind of row says what to do, however often its sender restarts."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", send_four)
        await run.ask("front", Do(what=lambda tx: tx.after(1.0, Note(label="later"))))
    with structlog.testing.capture_logs() as logs:
        async with office(tmp_path, second.SERVICES, clock=clock) as run:
            for _ in range(5):
                await run.advance(2.0, steps=20)
                run.system.kill("front")
            await run.advance(2.0, steps=20)
    (line,) = [line for line in logs if line["event"] == "unreadable message waits"]
    assert (line["log_level"], line["sender"], line["receiver"]) == ("warning", "front", "back")
    assert line["message_type"] == "Put"
    assert "docs/UPGRADES.md" in line["advice"]
    assert "/admin/channels" in line["advice"]


# --- Letting go ------------------------------------------------------------------------------


async def test_what_an_operator_lets_go_is_a_dead_letter(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Of its receiver; the rest goes on. It cannot be run again by this code, but by other."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", send_four)
    async with office(tmp_path, second.SERVICES, clock=clock) as run:
        await turns(100)
        for sender, receiver, message_type in (
            ("front", "back", "Note"),
            ("front", "front", "Put"),
            ("back", "front", "Put"),
        ):
            with pytest.raises(NothingWaits):
                await run.system.let_messages_go(sender, receiver, message_type)
        with pytest.raises(NoSuchActor):
            await run.system.let_messages_go("nobody", "back", "Put")
        await run.system.let_messages_go("front", "back", "Put")
        await turns(100)
        assert run.labels("back") == ["before", "between"]
        assert (await channel_of(run)).state == "open"
        two, one = await run.letters()
        assert [one.message, two.message] == ['{"label":"1"}', '{"label":"2"}']
        assert {(each.actor, each.message_type, each.sender) for each in (one, two)} == {
            ("back", "Put", "front")
        }
        with pytest.raises(LetterNotReplayable, match="back has no handler for Put"):
            await run.system.replay(one.id)
        await run.system.discard(two.id)
    async with office(tmp_path, third.SERVICES, clock=clock) as run:
        assert (await run.system.replay(one.id)).outcome == "handled"
        assert run.labels("back") == ["before", "between", "put 1"]


async def test_nothing_is_lost_or_doubled_whoever_is_killed_meanwhile(
    tmp_path: Path, clock: SteppingClock, rng: Rng
) -> None:
    """While it waits, while it is let go, and while it goes on: all in order, each once."""
    labels = [str(number) for number in range(60)]

    def send_all(tx: Transaction) -> None:
        for label in labels:
            odd = int(label) % 5 == 4
            tx.send("back", first.Put(label=label) if odd else Note(label=label))

    async def with_kills(run: Office, kills: int) -> None:
        for _ in range(kills):
            await turns(rng.randrange(40))
            run.system.kill(rng.choice(["front", "back"]))
        await run.advance(5.0, steps=50)

    settings = ["channel.window_messages=8"]
    async with office(tmp_path, first.SERVICES, clock=clock, settings=settings) as run:
        await leave(run, "front", send_all)
    gone = 0
    async with office(
        tmp_path, second.SERVICES, clock=clock, settings=settings, store=HoppingStore
    ) as run:
        await with_kills(run, 20)
        assert run.labels("back") == labels[:4]
        while gone < 5:  # what a killed sender did not get to say waits again
            await run.system.let_messages_go("front", "back", "Put")
            await with_kills(run, 1)
            gone = len(await run.letters())
    async with office(
        tmp_path, third.SERVICES, clock=clock, settings=settings, store=HoppingStore
    ) as run:
        await with_kills(run, 20)
        letters = [json.loads(letter.message)["label"] for letter in await run.letters()]
        assert [*reversed(letters)] == labels[4::5][:gone]
        noted = [label.removeprefix("put ") for label in run.labels("back")]
        assert noted == [label for label in labels if label not in letters]
        assert (await channel_of(run)).depth == 0


async def test_timers_that_an_operator_lets_go_are_dead_letters(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Those alone that cannot be read, due or not; how many is the answer."""

    def put_off(tx: Transaction) -> None:
        for number in range(700):
            tx.after(1000.0 + number, first.Ring(label=str(number)))
        tx.after(1.0, Note(label="note"))

    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await run.ask("back", Do(what=put_off))
    async with office(tmp_path, second.SERVICES, clock=clock) as run:
        with pytest.raises(NothingWaits):
            await run.system.let_timers_go("back", "Note")
        with pytest.raises(NoSuchActor):
            await run.system.let_timers_go("nobody", "Ring")
        assert await run.system.let_timers_go("back", "Ring") == 700
        assert [each.message_type for each in await run.letters()] == ["Ring"] * 700
        await run.advance(2.0, steps=20)
        assert run.labels("back") == ["note"]
        assert run.count("back", "timer") == 0


LETTERS_MAX = 5


async def discard_all(run: Office) -> list[str]:
    """Make room; return what was there, the oldest first."""
    letters = await run.letters()
    for letter in letters:
        await run.system.discard(letter.id)
    return [json.loads(letter.message)["label"] for letter in reversed(letters)]


async def test_no_more_messages_are_let_go_than_can_be_kept(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """The rest waits, in order, and is let go once there is room."""
    settings = [f"service.dead_letters_max={LETTERS_MAX}"]
    labels = [str(number) for number in range(12)]

    def send_all(tx: Transaction) -> None:
        for label in labels:
            tx.send("back", first.Put(label=label))
            tx.send("back", Note(label=label))

    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await leave(run, "front", send_all)
    async with office(tmp_path, second.SERVICES, clock=clock, settings=settings) as run:
        found: list[str] = []
        with structlog.testing.capture_logs() as logs:
            for rounds in range(1, 4):
                await turns(100)
                await run.system.let_messages_go("front", "back", "Put")
                await turns(200)
                if rounds < 3:
                    channel = await channel_of(run)
                    assert (channel.state, channel.unreadable[0].count) == (
                        "unreadable",
                        12 - LETTERS_MAX * rounds,
                    )
                    assert run.labels("back") == labels[: LETTERS_MAX * rounds]
                    with pytest.raises(LettersFull, match=r"service\.dead_letters_max is 5"):
                        await run.system.let_messages_go("front", "back", "Put")
                found += await discard_all(run)
        assert found == run.labels("back") == labels
        full = [line for line in logs if line["event"] == "no room for more dead letters"]
        assert len(full) == 2
        assert "service.dead_letters_max" in full[0]["advice"]


async def test_no_more_timers_are_let_go_than_can_be_kept(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """What does not fit is a timer still, and the answer says so."""
    settings = [f"service.dead_letters_max={LETTERS_MAX}", "service.batch_messages_max=2"]
    rings = [first.Ring(label=str(number)) for number in range(12)]
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await run.ask("back", Do(what=lambda tx: [tx.after(9.0, each) for each in rings] and None))
    async with office(tmp_path, second.SERVICES, clock=clock, settings=settings) as run:
        found: list[str] = []
        for waiting in (7, 2):
            with pytest.raises(LettersFull, match=r"5 timers .* service\.dead_letters_max is 5"):
                await run.system.let_timers_go("back", "Ring")
            assert run.count("back", "timer") == waiting
            found += await discard_all(run)
        assert await run.system.let_timers_go("back", "Ring") == 2
        assert [*found, *await discard_all(run)] == [each.label for each in rings]


# --- Timers ----------------------------------------------------------------------------------


async def test_timers_that_cannot_be_read_wait_and_hold_up_no_others(
    tmp_path: Path, clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred windows full of them, due at once and at a time; and nobody looks all the time."""

    def put_off(tx: Transaction) -> None:
        for number in range(200):
            tx.after(1.0, first.Ring(label=str(number)))
            tx.after(1.0, first.Call(label=str(number)))
        tx.after(1.0, Note(label="timed"))

    settings = ["timer.window_timers=2"]
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await run.ask("back", Do(what=put_off))
    with closing(sqlite3.connect(tmp_path / "back.db")) as connection, connection:
        connection.execute("UPDATE timer SET due_us = 0 WHERE seq <= 200")  # as if sent at once
    loads: list[None] = []
    load = Scheduler._load

    def counted(scheduler: Scheduler, now_us: int, room: int) -> None:
        loads.append(None)
        load(scheduler, now_us, room)

    monkeypatch.setattr(Scheduler, "_load", counted)
    async with office(tmp_path, second.SERVICES, clock=clock, settings=settings) as run:
        await run.advance(5.0, steps=50)
        assert run.labels("back") == ["timed"]
        found = len(loads)
        for number in range(20):
            await run.ask("back", Do(what=lambda tx: tx.after(1.0, Note(label="later"))))
            await run.advance(2.0, steps=20)
            assert run.labels("back").count("later") == number + 1
        assert len(loads) - found < 100
        (stats,) = [each for each in await run.system.timers() if each.service == "back"]
        assert stats.state == "unreadable"
        counts = {rows.message_type: rows.count for rows in stats.unreadable}
        assert counts == {"Ring": 200, "Call": 200}
        assert run.system.unhealthy() == []
    async with office(tmp_path, third.SERVICES, clock=clock, settings=settings) as run:
        await run.advance(5.0, steps=50)
        labels = run.labels("back")
        numbers = [int(label.split()[1]) for label in labels if label.startswith("ring")]
        assert numbers == list(range(200))
        called = Counter(label for label in labels if label.startswith("called"))
        assert called == Counter(f"called {number}" for number in range(200))
        assert run.count("back", "timer") == 0


async def test_effect_that_is_called_otherwise_goes_on_under_its_new_name(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """Its outcome, and its GaveUp, are those of the new one."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        for label in ("home", "not home"):
            call = first.Call(label=label)
            await run.ask("back", Do(what=lambda tx, call=call: tx.after(5.0, call)))
    clock.step(5.0)
    settings = ["effect.attempts_max=1"]
    async with office(tmp_path, third.SERVICES, clock=clock, settings=settings) as run:
        await run.advance(5.0, steps=50)
        assert sorted(run.labels("back")) == ["called home", "gave up not home"]
        assert run.count("back", "timer") == 0


# --- Subscriptions ---------------------------------------------------------------------------


async def test_event_that_is_called_otherwise_is_heard_once(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A subscriber has had what it was sent under the old name; a new one gets all that is kept."""
    async with office(tmp_path, first.SERVICES, clock=clock) as run:
        await run.ask("front", Do(what=lambda tx: tx.publish(first.Told(label="old"))))
        await turns(100)
    services = {**third.SERVICES, "side": third.Back}
    for _ in range(2):
        async with office(tmp_path, services, clock=clock) as run:
            await turns(100)
            assert run.labels("back") == run.labels("side") == ["told old"]
    async with office(tmp_path, {"front": first.Front, "side": first.Back}, clock=clock) as run:
        await run.ask("front", Do(what=lambda tx: tx.publish(first.Told(label="meanwhile"))))
        await turns(100)
    async with office(tmp_path, services, clock=clock) as run:
        await run.ask("front", Do(what=lambda tx: tx.publish(third.Heard(label="new"))))
        await turns(100)
        assert run.labels("back") == ["told old", "told meanwhile", "told new"]
        assert run.labels("side") == ["told old", "told meanwhile", "told new"]


async def test_event_is_heard_once_by_code_that_goes_back_to_its_old_name(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """And comes again: what it was sent under either name, it has had."""
    old = {"front": first.Front, "back": Eager}
    async with office(tmp_path, old, clock=clock) as run:
        await run.ask("front", Do(what=lambda tx: tx.publish(first.Told(label="1"))))
        await turns(100)
    for services in (third.SERVICES, old, third.SERVICES, old):
        async with office(tmp_path, services, clock=clock) as run:
            await turns(100)
            assert run.labels("back") == ["told 1"]


async def test_event_that_is_new_under_its_new_name_is_heard_once_by_the_code_before(
    tmp_path: Path, clock: SteppingClock
) -> None:
    """A subscriber that began with the later code was sent what was kept under the old name."""
    async with office(tmp_path, {"front": first.Front, "back": Desk}, clock=clock) as run:
        await run.ask("front", Do(what=lambda tx: tx.publish(first.Told(label="1"))))
    for services in (third.SERVICES, {"front": first.Front, "back": Eager}):
        async with office(tmp_path, services, clock=clock) as run:
            await turns(100)
            assert run.labels("back") == ["told 1"]


# --- Found at class time ---------------------------------------------------------------------


@pytest.mark.parametrize("names", ["Put", ("Odd", 1), ["Put"], ("Odd",), ("a b",)])
def test_former_names_are_a_tuple_of_other_names(names: Any) -> None:
    """Anything else is a TypeError that says what to write."""
    with pytest.raises(TypeError, match=r"Odd: write `formerly` as a tuple"):

        class Odd(first.Put):
            formerly = names


def test_name_that_two_types_are_stored_under_is_refused() -> None:
    """The handlers are named; a query is stored nowhere."""
    with pytest.raises(TypeError, match=r"Both\.\w+ and \.\w+ both read what is stored as Put"):
        type("Both", (third.Back,), {"put": first.Back.put})
    with pytest.raises(TypeError, match=r"both read what is stored as Refused\[Put\]"):
        type("Both", (third.Front,), {"refused_put": first.Front.refused})
    assert Refused[third.Place] in third.Front.handlers
    assert issubclass(third.Front, Desk)
