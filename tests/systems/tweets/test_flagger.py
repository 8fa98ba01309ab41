"""The PR team's queue: each negative tweet once, and no way back."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.kernel.messages import Refusal
from actors.systems.tweets.flagger import ORDER, FlaggerService
from actors.systems.tweets.messages import ChangeFlag, Flag, GetFlag, ListFlags
from tests.systems.stage import Stage, stage
from tests.systems.tweets.scored import scored

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path


def flagging(folder: Path) -> AbstractAsyncContextManager[Stage]:
    return stage(FlaggerService(), folder, name="flagger")


async def flags(on: Stage, **fields: Any) -> list[Flag]:
    return [flag for page in await on.pages(ListFlags(limit=2, **fields)) for flag in page]


async def flag_in(on: Stage, status: str, number: int = 1) -> Flag:
    """Make a flag and move it to that status."""
    await on.ask(scored(number, -0.5))
    (*_, flag) = await flags(on)
    if status == "open":
        return flag
    change = ChangeFlag(flag_id=flag.id, status=status, assignee="eve", note="n")  # type: ignore[arg-type]
    changed = await on.ask(change)
    assert isinstance(changed, Flag)
    return changed


async def test_a_negative_tweet_is_flagged_once(tmp_path: Path) -> None:
    """However often it is told of, and wherever it came from; no other tweet is."""
    async with flagging(tmp_path) as on:
        await on.send(scored(1, -0.5), scored(1, -0.5), scored(2, 0.0), scored(3, 0.9))
        await on.send(scored(4, -0.05, from_x=False), scored(1, -0.5))
        first, second = await flags(on)
        assert first == Flag(
            id=first.id,
            status="open",
            assignee=None,
            note=None,
            tweet_id="t1",
            author="ada",
            text="tutorialedge",
            score=-0.5,
        )
        assert second.tweet_id == "t4"
        assert await on.ask(GetFlag(flag_id=first.id)) == first


@pytest.mark.parametrize(("before", "after"), list(product(ORDER, ORDER)))
async def test_a_flag_moves_forward_only(tmp_path: Path, before: Any, after: Any) -> None:
    """Where it stands counts as forward, so that a repeated request is harmless."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, before)
        reply = await on.ask(ChangeFlag(flag_id=flag.id, status=after))
        if after == "assigned" and before != "resolved" and flag.assignee is None:
            assert isinstance(reply, Refusal)
            assert (reply.kind, reply.field) == ("invalid", "assignee")
            assert await on.ask(GetFlag(flag_id=flag.id)) == flag
        elif ORDER.index(after) < ORDER.index(before):
            detail = f"the flag is {before} and does not become {after}"
            assert reply == Refusal.conflict(detail)
            assert await on.ask(GetFlag(flag_id=flag.id)) == flag
        else:
            assert reply.status == after
            assert (reply.assignee, reply.note) == (flag.assignee, flag.note)
            assert await on.ask(GetFlag(flag_id=flag.id)) == reply


async def test_whose_it_is_may_change_until_it_is_resolved(tmp_path: Path) -> None:
    """Also with the move that resolves it; afterwards only to what it is already."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        for assignee in ("eve", "bob"):
            changed = await on.ask(ChangeFlag(flag_id=flag.id, assignee=assignee))
            assert (changed.status, changed.assignee) == ("assigned", assignee)
        wish = ChangeFlag(flag_id=flag.id, status="resolved", assignee="cyd")
        resolved = await on.ask(wish)
        assert (resolved.status, resolved.assignee) == ("resolved", "cyd")
        assert await on.ask(wish) == resolved
        late = await on.ask(ChangeFlag(flag_id=flag.id, assignee="dee", note="lost"))
        assert late == Refusal.conflict("the flag is resolved: it is nobody's any more")
        assert await on.ask(GetFlag(flag_id=flag.id)) == resolved


async def test_a_flag_is_assigned_to_somebody_or_not_at_all(tmp_path: Path) -> None:
    """Whoever it was assigned to before will do."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        for wish in ({}, {"assignee": None}):
            reply = await on.ask(ChangeFlag(flag_id=flag.id, status="assigned", **wish))
            assert isinstance(reply, Refusal)
            assert (reply.kind, reply.field) == ("invalid", "assignee")
        reply = await on.ask(ChangeFlag(flag_id=flag.id, status="open", assignee="eve"))
        assert isinstance(reply, Refusal)
        assert (reply.kind, reply.field) == ("invalid", "status")
        await on.ask(ChangeFlag(flag_id=flag.id, assignee="eve"))
        changed = await on.ask(ChangeFlag(flag_id=flag.id, status="assigned"))
        assert (changed.status, changed.assignee) == ("assigned", "eve")


async def test_an_open_flag_that_was_somebodys_can_be_worked_on(tmp_path: Path) -> None:
    """As older files may hold them: it is assigned when it is given to somebody again."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        on.execute("UPDATE flag SET assignee = 'eve'")
        noted = await on.ask(ChangeFlag(flag_id=flag.id, note="hers?", status="open"))
        assert (noted.status, noted.assignee) == ("open", "eve")
        taken = await on.ask(ChangeFlag(flag_id=flag.id, assignee="eve"))
        assert (taken.status, taken.assignee) == ("assigned", "eve")


async def test_a_flag_can_be_unassigned(tmp_path: Path) -> None:
    """It is nobody's and open again, with its note; said again, nothing changes."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        eves = ChangeFlag(flag_id=flag.id, status="assigned", assignee="eve", note="hers")
        wishes: tuple[dict[str, Any], ...] = ({}, {"status": "open"})
        for wish in wishes:
            await on.ask(eves)
            for _ in range(2):
                free = await on.ask(ChangeFlag(flag_id=flag.id, assignee=None, **wish))
                assert (free.status, free.assignee, free.note) == ("open", None, "hers")
        await on.ask(eves)
        resolved = await on.ask(ChangeFlag(flag_id=flag.id, status="resolved", assignee=None))
        assert (resolved.status, resolved.assignee) == ("resolved", None)
        again = await on.ask(ChangeFlag(flag_id=flag.id, assignee=None))
        assert again == resolved


async def test_a_flag_that_was_assigned_to_nobody_can_be_worked_on(tmp_path: Path) -> None:
    """As older files may hold them: noted, given to somebody, or opened again."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        on.execute("UPDATE flag SET status = 'assigned'")
        noted = await on.ask(ChangeFlag(flag_id=flag.id, note="whose?"))
        assert (noted.status, noted.note) == ("assigned", "whose?")
        opened = await on.ask(ChangeFlag(flag_id=flag.id, assignee=None))
        assert opened.status == "open"


async def test_null_takes_a_note_away(tmp_path: Path) -> None:
    """An empty one is one."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "open")
        for note in ("x", "", None):
            assert (await on.ask(ChangeFlag(flag_id=flag.id, note=note))).note == note


async def test_something_may_be_noted_at_any_time(tmp_path: Path) -> None:
    """And taken back."""
    async with flagging(tmp_path) as on:
        for number, status in enumerate(ORDER):
            flag = await flag_in(on, status, number)
            for note in ("called them", ""):
                changed = await on.ask(ChangeFlag(flag_id=flag.id, note=note))
                assert (changed.note, changed.status) == (note, status)


async def test_no_change_is_one_too(tmp_path: Path) -> None:
    """It is answered with the flag as it stands."""
    async with flagging(tmp_path) as on:
        flag = await flag_in(on, "assigned")
        assert await on.ask(ChangeFlag(flag_id=flag.id)) == flag


async def test_an_unknown_flag_is_not_found(tmp_path: Path) -> None:
    """The refusal repeats the id."""
    async with flagging(tmp_path) as on:
        unknown = Refusal.not_found("there is no flag nowhere")
        assert await on.ask(GetFlag(flag_id="nowhere")) == unknown
        assert await on.ask(ChangeFlag(flag_id="nowhere", status="open")) == unknown


@settings(max_examples=25)
@given(st.lists(st.sampled_from(ORDER), max_size=8))
async def test_lists_are_in_order_and_by_status(
    tmp_path_factory: pytest.TempPathFactory, statuses: list[Any]
) -> None:
    """Page by page."""
    async with flagging(tmp_path_factory.mktemp("flags")) as on:
        made = [await flag_in(on, status, number) for number, status in enumerate(statuses)]
        assert await flags(on) == made
        for status in ORDER:
            assert await flags(on, status=status) == [f for f in made if f.status == status]
