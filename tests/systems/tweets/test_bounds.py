"""How often one author, one conversation, and everybody is answered; and that clocks may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from actors.systems.tweets.bounds import PRUNE_ROWS_MAX
from actors.systems.tweets.messages import Action, ListActions
from actors.systems.tweets.responder import A_REPLY
from tests.systems.tweets.scored import OURSELVES, scored
from tests.systems.tweets.test_actions import CONFIG, LIKE, REPLY, Kind, XWrites

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systems.stage import Stage

HOUR_S = 3_600.0
DAY_S = 24 * HOUR_S
AUTHOR_MAX = CONFIG.replies_author_hour_max
TALK_MAX = CONFIG.replies_conversation_day_max
both = pytest.mark.parametrize("kind", [LIKE, REPLY], ids=["like", "reply"])


async def tell(on: Stage, numbers: range, **about: Any) -> list[Action]:
    """Tell of so many tweets that everybody would like; return what became of these."""
    await on.send(*[scored(number, 0.9, **about) for number in numbers])
    page = await on.ask(ListActions(limit=200))
    wanted = {f"t{number}" for number in numbers}
    return [each for each in page.items if each.tweet_id in wanted]


def count(actions: list[Action], status: str = "pending") -> int:
    return sum(each.status == status for each in actions)


@both
async def test_an_author_is_bounded_by_the_hour(tmp_path: Path, kind: Kind) -> None:
    """What is withheld is on record, with its reason; the next hour is another."""
    async with kind.on(tmp_path, XWrites()) as on:
        actions = await tell(on, range(25))
        assert (count(actions), count(actions, "withheld")) == (AUTHOR_MAX, 25 - AUTHOR_MAX)
        what = "likes" if kind is LIKE else "answers"
        reason = f"the bound of {AUTHOR_MAX} {what} to this author in an hour is reached"
        assert {each.detail for each in actions if each.status == "withheld"} == {reason}
        assert len(on.timers) == AUTHOR_MAX
        assert count(await tell(on, range(25, 27), author_id="43")) == 2
        on.clock.advance(HOUR_S - 1)
        assert count(await tell(on, range(30, 32))) == 0
        on.clock.advance(1)
        assert count(await tell(on, range(40, 42))) == 2


async def test_a_conversation_is_bounded_by_the_day(tmp_path: Path) -> None:
    """Whoever writes there."""
    async with REPLY.on(tmp_path, XWrites()) as on:
        for number in range(2 * TALK_MAX):
            await tell(on, range(number, number + 1), author_id=f"{number}", conversation_id="7")
        page = await on.ask(ListActions(limit=200))
        assert count(page.items) == TALK_MAX
        assert "this conversation in a day" in page.items[-1].detail
        on.clock.advance(HOUR_S)
        assert count(await tell(on, range(50, 51), author_id="a", conversation_id="7")) == 0
        assert count(await tell(on, range(60, 61), author_id="b", conversation_id="8")) == 1
        on.clock.advance(DAY_S)
        assert count(await tell(on, range(70, 71), author_id="c", conversation_id="7")) == 1


async def test_all_are_bounded_by_the_hour(tmp_path: Path) -> None:
    """However many they are."""
    async with REPLY.on(tmp_path, XWrites()) as on:
        most = CONFIG.replies_hour_max
        told = [scored(number, author_id=f"{number}") for number in range(most + 3)]
        await on.send(*told)
        (row,) = on.rows("SELECT count(*) AS n FROM action WHERE status = 'withheld'")
        assert row["n"] == 3
        (last,) = on.rows("SELECT detail FROM action ORDER BY seq DESC LIMIT 1")
        assert last["detail"] == f"the bound of {most} answers to everybody in an hour is reached"


async def test_what_answers_an_answer_of_ours_is_withheld(tmp_path: Path) -> None:
    """Also where nothing is sent; another's answer may be answered, and is counted alone."""
    for writer in (XWrites(), None):
        (folder := tmp_path / str(writer is None)).mkdir()
        async with REPLY.on(folder, writer) as on:
            (action,) = await tell(on, range(1), answers_replies_of=(OURSELVES,))
            assert (action.status, action.detail, action.text) == ("withheld", A_REPLY, None)
            (other,) = await tell(on, range(1, 2), answers_replies_of=("43",))
            assert other.status == ("dry_run" if writer is None else "pending")
            assert len(on.rows("SELECT * FROM acted")) == 1


@both
async def test_an_edit_is_acted_on_once_and_counted_once(tmp_path: Path, kind: Kind) -> None:
    """Whatever its version: the first that there was reason to."""
    async with kind.on(tmp_path, XWrites()) as on:
        event = scored(1, 0.9)
        edits = [msgspec.structs.replace(event, version_id=f"{number}") for number in range(5)]
        await on.send(event, *edits)
        (action,) = (await on.ask(ListActions(limit=9))).items
        assert action.external_id == event.external_id
        assert len(on.rows("SELECT * FROM acted")) == 1


async def test_a_version_that_is_acted_on_is_the_newest(tmp_path: Path) -> None:
    """What X would have an answer go to is the version that was read."""
    async with LIKE.on(tmp_path, XWrites()) as on:
        event = scored(1, 0.9)
        await on.ask(msgspec.structs.replace(event, score=0.0))
        await on.ask(msgspec.structs.replace(event, version_id="7"))
        (action,) = (await on.ask(ListActions(limit=9))).items
        assert action.external_id == "7"


@both
@pytest.mark.parametrize("days", [400, -400])
async def test_a_clock_that_was_wrong_binds_nobody_for_long(
    tmp_path: Path, kind: Kind, days: int
) -> None:
    """Set right again, its rows count no more, and go: they never fill the table."""
    async with kind.on(tmp_path, XWrites()) as on:
        now_us = on.clock.now_us()
        on.clock.advance(days * DAY_S)
        assert count(await tell(on, range(3 * AUTHOR_MAX))) == AUTHOR_MAX
        on.clock.advance(-days * DAY_S)
        assert on.clock.now_us() == now_us
        assert count(await tell(on, range(40, 60))) == AUTHOR_MAX
        wrong = "SELECT count(*) AS n FROM acted WHERE abs(at_us - ?) > 86400000000"
        (row,) = on.rows(wrong, now_us)
        assert row["n"] == max(0, AUTHOR_MAX - AUTHOR_MAX * PRUNE_ROWS_MAX)


@both
async def test_a_clock_that_is_set_back_a_little_still_binds(tmp_path: Path, kind: Kind) -> None:
    """What lies in its future counts, as what is as far in the past does."""
    async with kind.on(tmp_path, XWrites()) as on:
        assert count(await tell(on, range(AUTHOR_MAX))) == AUTHOR_MAX
        on.clock.advance(-60.0)
        assert count(await tell(on, range(40, 50))) == 0
