"""The brand monitor and its X in one simulation: what breaks their wire costs no tweet."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.config import load_config
from actors.errors import Busy
from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from actors.simulation.script.knobs import Knob
from actors.simulation.script.schedule import Schedule, Step
from actors.simulation.script.script import Script
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.machine import Machine
from actors.simulation.stage.rehearsal import Rehearsal
from actors.simulation.time.virtual_clock import START_US
from actors.systems import SYSTEMS
from actors.systems.tweets.actions import TOO_LATE
from actors.systems.tweets.scenario.call import TweetsCall
from actors.systems.tweets.scenario.scenario import TweetsScenario
from actors.systems.tweets.system import TWEETS
from actors.systems.tweets.x.stream_adapter import StreamAdapter
from actors.systems.x_platform.messages import TweetAs
from actors.systems.x_platform.x_platform import XPlatformService

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from actors.simulation.stage.staging import Played
    from actors.store.transaction import Transaction
    from actors.systems.tweets.x.stream_adapter import Said

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

DELIGHTED = TweetsCall("say", mood=1)
ANGRY = TweetsCall("say", mood=2, author=1)


class Watched(TweetsScenario):
    """Keeps what the files held at the end of the last run, as lists of rows."""

    rows: dict[str, list[Any]] = {}  # noqa: RUF012 - the last run's, whoever played it

    def violations(self, folder: Path, *others: Any) -> list[str]:
        """Look into the files before they are gone."""
        for name, service, sql in (
            ("gaps", "reader", "SELECT from_us, to_us FROM gap"),
            ("stored", "tweets", "SELECT author FROM tweet WHERE x_kind IS NOT NULL ORDER BY seq"),
            ("liked", "favouriter", "SELECT status FROM action"),
            ("answered", "responder", "SELECT status FROM action"),
            ("flagged", "flagger", "SELECT author FROM flag ORDER BY author"),
        ):
            with closing(sqlite3.connect(folder / f"{service}.db")) as connection:
                self.rows[name] = [value for value, *_ in connection.execute(sql)]
        return super().violations(folder, *others)


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    watched = replace(TWEETS, scenario=lambda: Watched)
    with scratch_folder() as place, without_logs():
        yield Rehearsal(watched, load_config(systems=SYSTEMS), place, profile="network")


def play(rehearsal: Rehearsal, calls: list[ClientRequest[Any]], *steps: Step) -> Played:
    """Play it; nothing may be wrong."""
    script = Script(seed=1, workload=tuple(calls), schedule=Schedule(steps))
    played = rehearsal.play(script, keep=True)
    assert played.troubles == ()
    return played


def commits(played: Played, message_type: str) -> int:
    return sum(line.text.startswith(f"{message_type} ") for line in played.lines)


def test_a_tweet_goes_all_the_way(rehearsal: Rehearsal) -> None:
    """Read through tweepy, scored by a replica, liked or flagged, answered: X's books agree."""
    play(rehearsal, [ClientRequest(0, 0, DELIGHTED), ClientRequest(SECOND, 1, ANGRY)])
    assert Watched.rows["stored"] == ["ann", "bob"]
    assert Watched.rows["liked"] == ["done"]
    assert Watched.rows["answered"] == ["done", "done"]
    assert Watched.rows["flagged"] == ["bob", "old"]


@pytest.mark.parametrize("link", ["x<>edge", "x>edge", "edge>x"])
def test_what_is_tweeted_while_the_wire_is_cut_comes_later(rehearsal: Rehearsal, link: str) -> None:
    """Cut both ways or one: two minutes are within what X sends again, and no gap is noted."""
    calls = [ClientRequest(MINUTE, 0, DELIGHTED), ClientRequest(SECOND, 1, ANGRY)]
    steps = Step(0, "partition", link), Step(2 * MINUTE, "heal", link)
    play(rehearsal, calls, *steps)
    assert Watched.rows["stored"] == ["ann", "bob"]
    assert Watched.rows["gaps"] == []


@pytest.mark.parametrize(
    "fault", [Step(0, "reset", "x<>edge"), Step(0, "truncate", "x>edge"), Step(0, "drop", "x>edge")]
)
def test_what_breaks_the_stream_costs_no_tweet(rehearsal: Rehearsal, fault: Step) -> None:
    """Reset, cut amid a line, silently dead: each tweet is stored once all the same."""
    calls = [
        ClientRequest(SECOND, 0, DELIGHTED),
        ClientRequest(0, 1, ANGRY),
        ClientRequest(0, 2, DELIGHTED),
    ]
    steps = (
        Step(SECOND - 1_000, fault.fault, fault.target),
        Step(MINUTE, "heal", fault.target),
    )
    played = play(rehearsal, calls, *steps)
    assert sorted(Watched.rows["stored"]) == ["ann", "ann", "bob"]
    assert commits(played, "NoteOpened") > 1
    assert Watched.rows["gaps"] == []


def test_a_mailbox_of_one_holds_up_no_reader(rehearsal: Rehearsal) -> None:
    """What X sends again is more than that: it waits for its turn, and ends no connection."""
    calls = [ClientRequest(MINUTE, 0, DELIGHTED), ClientRequest(SECOND, 1, ANGRY)]
    calls += [ClientRequest(SECOND, number % 3, DELIGHTED) for number in range(8)]
    cut = Step(0, "partition", "x<>edge"), Step(2 * MINUTE, "heal", "x<>edge")
    script = Script(
        seed=1,
        workload=tuple(calls),
        schedule=Schedule(cut),
        knobs=(Knob("mailbox.capacity", 1),),
    )
    played = rehearsal.play(script, keep=True)
    assert played.troubles == ()
    assert len(Watched.rows["stored"]) == len(calls)
    assert commits(played, "NoteOpened") == 2


def test_a_crash_is_filled(rehearsal: Rehearsal) -> None:
    """The process dies amid the stream; the next one asks X for what this one has not committed."""
    calls = [ClientRequest(SECOND, 0, DELIGHTED), ClientRequest(0, 1, ANGRY)]
    played = play(
        rehearsal, calls, Step(0, "stall_at", "reader.TweetRead.before", 30_000),
        Step(2 * SECOND, "crash", "process"),
    )  # fmt: skip
    assert sorted(Watched.rows["stored"]) == ["ann", "bob"]
    assert played.applied["crash"] == 1


def test_a_reader_that_is_held_up_while_it_connects_has_no_gap(rehearsal: Rehearsal) -> None:
    """What it has planned to ask for is too little by then: it asks again, for more."""
    calls = [ClientRequest(SECOND, 0, DELIGHTED)]
    steps = (
        Step(2 * SECOND, "stall_at", "reader.PlanConnection.after", 55_000),
        Step(0, "reset", "x<>edge"),
    )
    played = play(rehearsal, calls, *steps)
    assert Watched.rows["stored"] == ["ann"]
    assert Watched.rows["gaps"] == []
    assert commits(played, "NoteOpened") > 2


@pytest.mark.parametrize("hours", [-1, 1, -6, 6])
def test_a_clock_that_is_set_deafens_nobody(rehearsal: Rehearsal, hours: int) -> None:
    """Set, with tweets before and behind it, and set right again: the stream goes on at once."""
    calls = [
        ClientRequest(0, 0, DELIGHTED),
        ClientRequest(0, 1, ANGRY),
        ClientRequest(SECOND, 2, DELIGHTED),
    ]
    steps = (
        Step(0, "step_clock", "clock", hours * 3_600_000),
        Step(2 * SECOND, "step_clock", "clock", -hours * 3_600_000),
        Step(0, "reset", "x<>edge"),
    )
    played = play(rehearsal, calls, *steps)
    assert sorted(Watched.rows["stored"]) == ["ann", "ann", "bob"]
    assert commits(played, "NoteLost") <= 2


def test_a_reply_that_is_given_up_is_at_rest(rehearsal: Rehearsal) -> None:
    """X was away when it was to be posted, and half a day has gone by in a second."""
    calls = [ClientRequest(0, 0, TweetsCall("stop", number=1, lasts=1))]
    play(rehearsal, calls, Step(6 * SECOND + SECOND // 2, "step_clock", "clock", 86_400_000))
    assert Watched.rows["answered"] == ["failed"]


@pytest.mark.parametrize(("hours", "is_told"), [(24, False), (1, True)])
def test_a_reply_is_given_up_where_its_time_has_run_out(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, hours: int, *, is_told: bool
) -> None:
    """Half a day, by a clock that was set forward: with that, it is at rest; without, it is not."""
    stop = Machine.stop

    async def give_up(self: Machine) -> None:
        await stop(self)
        with closing(sqlite3.connect(self.folder / "responder.db")) as connection, connection:
            sql = "UPDATE action SET status = 'failed', reply_id = NULL, doubt_us = 0, detail = ?"
            connection.execute(sql, [TOO_LATE])

    monkeypatch.setattr(Machine, "stop", give_up)
    schedule = Schedule((Step(SECOND, "step_clock", "clock", hours * 3_600_000),))
    workload = (ClientRequest(0, 0, DELIGHTED),)
    troubles = rehearsal.play(Script(seed=1, workload=workload, schedule=schedule)).troubles
    assert any("was given up" in each for each in troubles) is is_told


@pytest.mark.parametrize("step_ms", [-3_600_000, -1_000, 3_600_000])
def test_a_clock_that_is_set_while_the_rule_lacks_costs_no_tweet(
    rehearsal: Rehearsal, step_ms: int
) -> None:
    """X's ids do not go back with it: what was tweeted lies behind the gap's end by our clock."""
    calls = [
        ClientRequest(MINUTE + SECOND, 0, TweetsCall("unrule")),
        ClientRequest(SECOND, 1, DELIGHTED),
        ClientRequest(SECOND, 1, ANGRY),
    ]
    play(rehearsal, calls, Step(MINUTE + 3 * SECOND // 2, "step_clock", "clock", step_ms))
    assert sorted(Watched.rows["stored"]) == ["ann", "bob"]
    assert len(Watched.rows["gaps"]) == 1


def test_an_edit_that_is_made_while_the_rule_lacks_is_found(rehearsal: Rehearsal) -> None:
    """The stream has had the versions before it alone; what stands is the newest all the same."""
    edit = TweetsCall("edit", mood=1)
    calls = [
        ClientRequest(SECOND, 0, DELIGHTED),
        ClientRequest(SECOND, 0, edit),
        ClientRequest(MINUTE, 0, TweetsCall("unrule")),
        ClientRequest(SECOND, 0, edit),
    ]
    play(rehearsal, calls)
    assert Watched.rows["stored"] == ["ann"]
    assert len(Watched.rows["gaps"]) == 1


@pytest.mark.real_time
def test_hours_of_backing_off_take_no_time(rehearsal: Rehearsal) -> None:
    """Two hours cut off: hundreds of attempts; what X does not send again is a gap, and found."""
    calls = [ClientRequest(HOUR, 0, DELIGHTED), ClientRequest(HOUR + MINUTE, 1, ANGRY)]
    steps = Step(0, "partition", "x<>edge"), Step(2 * HOUR, "heal", "x<>edge")
    begun = time.process_time()
    played = play(rehearsal, calls, *steps)
    assert time.process_time() - begun < 30.0  # it takes one
    assert played.virtual_s > 7_200
    assert commits(played, "NoteLost") > 100
    stored = Watched.rows["stored"]  # and what X's own authors said
    assert [stored.count(who) for who in ("ann", "bob")] == [1, 1]
    assert len(Watched.rows["gaps"]) == 1
    assert commits(played, "NoteFound") == 1


@pytest.mark.parametrize(("gap_s", "is_told"), [(50, False), (70, True)])
def test_a_gap_is_excused_by_no_more_than_the_clock_went_forward(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch, gap_s: int, *, is_told: bool
) -> None:
    """A minute, here: what is longer had no outage, and X was there."""
    stop = Machine.stop

    async def leave_a_gap(self: Machine) -> None:
        await stop(self)
        file = self.folder / "reader.db"
        with closing(sqlite3.connect(file)) as connection, connection:
            span = (START_US, START_US + gap_s * SECOND)
            sql = "INSERT INTO gap (from_us, to_us, reason, state) VALUES (?, ?, '', 'filled')"
            connection.execute(sql, span)

    # Before anybody looks: who looks takes it that nobody writes any more.
    monkeypatch.setattr(Machine, "stop", leave_a_gap)
    schedule = Schedule((Step(SECOND, "step_clock", "clock", 60_000),))
    troubles = rehearsal.play(Script(seed=1, workload=(), schedule=schedule)).troubles
    assert any("and X was there" in each for each in troubles) is is_told


def test_what_a_system_serves_its_operators_disturbs_no_calm(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the tweets of X's people: who finds no room then should have been served."""
    refused: list[TweetAs] = []

    def refuse_once(self: XPlatformService, tx: Transaction, cmd: TweetAs) -> Any:
        if not refused:
            refused.append(cmd)
            raise Busy("no room", retry_after_s=1.0)
        return handlers[TweetAs].function(self, tx, cmd)

    handlers = XPlatformService.handlers
    refusing = msgspec.structs.replace(handlers[TweetAs], function=refuse_once)
    monkeypatch.setattr(XPlatformService, "handlers", {**handlers, TweetAs: refusing})
    script = Script(seed=1, workload=(ClientRequest(0, 0, DELIGHTED),), schedule=Schedule())
    troubles = rehearsal.play(script).troubles
    assert "calm: x_platform refused TweetAs: no room" in troubles


def test_an_escape_of_the_reader_is_found(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the signing of requests may ask for time and chance: it gets the simulation's."""
    follow = StreamAdapter.follow

    async def look_at_the_clock(self: StreamAdapter, **options: Any) -> AsyncGenerator[Said]:
        time.time()
        async for said in follow(self, **options):
            yield said

    monkeypatch.setattr(StreamAdapter, "follow", look_at_the_clock)
    script = Script(seed=1, workload=(), schedule=Schedule())
    troubles = rehearsal.play(script).troubles
    assert any("Escape: time.time()" in each for each in troubles), troubles
