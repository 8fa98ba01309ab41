"""Likes and replies: for whom, how often, and what becomes of them; both services are alike."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from actors.config import load_config
from actors.kernel.messages import GaveUp
from actors.system import unbooted
from actors.systems.tweets.actions import Outcome, RetryAfter
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.favouriter import LikeTweet, PostponeLike, RecordLike
from actors.systems.tweets.messages import Action, ListActions
from actors.systems.tweets.responder import NOBODY, PostponeReply, PostReply, RecordReply
from actors.systems.tweets.system import TWEETS, acting
from actors.systems.tweets.x.pauses import PAUSE_S_MAX
from actors.systems.tweets.x.x_errors import XBusy, XRefused, XUnreachable
from tests.systems.stage import Stage, stage
from tests.systems.tweets.scored import OURSELVES, scored, x_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from actors.systems.tweets.actions import Writer

CONFIG = TweetsConfig(reply_text="@{author} thanks [{ref}]")
ID = x_id(1)
POSITIVE = scored(1, 0.9)
DUPLICATE = (
    'X answered 403: {"detail":"You are not allowed to create a Tweet with duplicate content."}'
)


class XWrites:
    """X, which does as it is told, or raises what it is told to."""

    def __init__(self) -> None:
        self.liked: list[str] = []
        self.replied: list[tuple[str, str]] = []
        self.error: Exception | None = None

    async def like(self, tweet_id: str) -> None:
        if self.error is not None:
            raise self.error
        self.liked.append(tweet_id)

    async def reply(self, text: str, *, in_reply_to: str) -> str:
        if self.error is not None:
            raise self.error
        self.replied.append((text, in_reply_to))
        return "77"


class Kind(NamedTuple):
    """What the two services differ in."""

    name: str
    effect: Any
    record: Any
    postpone: Any
    text: str | None
    reply_id: str | None

    @contextlib.asynccontextmanager
    async def on(self, folder: Path, writer: Writer | None) -> AsyncIterator[Stage]:
        async def ask(name: str, message: Any) -> Any:
            assert name == self.name
            return await on.ask(message)

        wiring = unbooted([TWEETS], load_config(systems=[TWEETS]), folder, ask)
        made = acting(wiring, CONFIG, writer, user_id=OURSELVES)
        service: Any = made[self.name]
        async with stage(service(), folder, name=self.name) as on:
            yield on

    def action(self, status: Any, **fields: Any) -> Action:
        return Action(tweet_id="t1", external_id=ID, status=status, text=self.text, **fields)


LIKE = Kind(
    "favouriter",
    LikeTweet(external_id=ID),
    RecordLike,
    PostponeLike(external_id=ID, later=RetryAfter(reason="busy")),
    None,
    None,
)
TEXT = "@ada thanks [2gm1fu6DEUF]"
REPLY = Kind(
    "responder",
    PostReply(external_id=ID, text=TEXT),
    RecordReply,
    PostponeReply(external_id=ID, text=TEXT, later=RetryAfter(reason="busy")),
    TEXT,
    "77",
)
both = pytest.mark.parametrize("kind", [LIKE, REPLY], ids=["like", "reply"])


async def actions(on: Stage, **fields: Any) -> list[Action]:
    return [each for page in await on.pages(ListActions(limit=2, **fields)) for each in page]


# --- For whom ----------------------------------------------------------------------------------


@both
async def test_a_tweet_is_acted_on_once(tmp_path: Path, kind: Kind) -> None:
    """However often it is told of; the effect asks for all that it needs."""
    async with kind.on(tmp_path, XWrites()) as on:
        await on.send(POSITIVE, POSITIVE)
        assert on.timers == [(0.0, kind.effect)]
        await on.ask(POSITIVE)
        assert on.timers == []
        assert await actions(on) == [kind.action("pending")]


@pytest.mark.parametrize(
    ("score", "is_liked"), [(1.0, True), (0.8, True), (0.7999, False), (0.0, False), (-0.9, False)]
)
async def test_only_the_most_positive_are_liked(
    tmp_path: Path, score: float, *, is_liked: bool
) -> None:
    """At the bound counts; whoever tweets is answered, whatever the score."""
    async with LIKE.on(tmp_path, XWrites()) as on:
        await on.ask(scored(1, score))
        assert len(await actions(on)) == is_liked
    async with REPLY.on(tmp_path, XWrites()) as on:
        await on.ask(scored(1, score))
        assert len(await actions(on)) == 1


@both
@pytest.mark.parametrize("kind_of_tweet", ["original", "reply", "quote", "retweet"])
async def test_a_retweet_is_left_alone(tmp_path: Path, kind: Kind, kind_of_tweet: str) -> None:
    """What it repeats comes for itself."""
    async with kind.on(tmp_path, XWrites()) as on:
        await on.ask(scored(1, 0.9, kind=kind_of_tweet))
        assert len(await actions(on)) == (kind_of_tweet != "retweet")


@both
async def test_our_own_tweets_and_those_from_elsewhere_are_left_alone(
    tmp_path: Path, kind: Kind
) -> None:
    """An answer to oneself would be answered again; what is not at X cannot be acted on there."""
    async with kind.on(tmp_path, XWrites()) as on:
        await on.send(scored(1, 0.9, author_id=OURSELVES), scored(2, 0.9, from_x=False))
        assert await actions(on) == []
        assert on.timers == []


# --- What becomes of them ----------------------------------------------------------------------


@both
async def test_what_x_does_is_done(tmp_path: Path, kind: Kind) -> None:
    """With X's id of a reply."""
    x = XWrites()
    async with kind.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        outcome = await on.run_effect(kind.effect)
        await on.ask(outcome)
        assert await actions(on) == [kind.action("done", reply_id=kind.reply_id)]
        assert (x.liked, x.replied) == (([ID], []) if kind is LIKE else ([], [(TEXT, ID)]))


@both
async def test_what_x_says_of_one_tweet_is_for_good(tmp_path: Path, kind: Kind) -> None:
    """It is recorded with X's reason, and not tried again by itself."""
    x = XWrites()
    x.error = XRefused("X answered 403: you are blocked")
    async with kind.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        await on.ask(await on.run_effect(kind.effect))
        assert on.timers == []
        assert await actions(on) == [kind.action("refused", detail=x.error.detail)]


async def test_a_duplicate_reply_was_posted_before(tmp_path: Path) -> None:
    """No other reply has its text: its answer was lost, and its id with it."""
    x = XWrites()
    x.error = XRefused(DUPLICATE)
    async with REPLY.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        await on.ask(await on.run_effect(REPLY.effect))
        (action,) = await actions(on)
        assert (action.status, action.reply_id) == ("done", None)


@pytest.mark.parametrize("late_s", [-1.0, 0.0, 1e6])
async def test_a_reply_is_given_up_before_x_forgets_its_text(tmp_path: Path, late_s: float) -> None:
    """It may stand there, its answer lost: posted again, it would stand there twice."""
    x = XWrites()
    async with REPLY.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        on.clock.advance(CONFIG.reply_s_max)  # no attempt was made yet: that counts for nothing
        x.error = XUnreachable("the connection broke")
        with pytest.raises(XUnreachable):
            await on.run_effect(REPLY.effect)
        x.error = None
        on.clock.advance(CONFIG.reply_s_max + late_s)
        await on.ask(await on.run_effect(REPLY.effect))
        assert on.timers == []
        (action,) = await actions(on)
        assert (action.status, len(x.replied)) == (("done", 1) if late_s < 0 else ("failed", 0))
        if late_s >= 0:
            assert action.detail == "X has not confirmed it in time: whether it stands is unknown"


@both
async def test_an_x_that_does_not_answer_is_asked_again_for_ever(
    tmp_path: Path, kind: Kind
) -> None:
    """It has failed meanwhile, and says why."""
    x = XWrites()
    x.error = XUnreachable("no answer")
    async with kind.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        for _ in range(3):
            with pytest.raises(XUnreachable):
                await on.run_effect(kind.effect)
            await on.ask(GaveUp(command=kind.effect, reason="no answer"))
            assert on.timers == [(CONFIG.retry_s, kind.effect)]
            assert await actions(on) == [kind.action("failed", detail="no answer")]
        x.error = None
        await on.ask(await on.run_effect(kind.effect))
        assert await actions(on) == [kind.action("done", reply_id=kind.reply_id)]


@both
@pytest.mark.parametrize(
    ("in_s", "pause_s"),
    [(None, 30.0), (-5.0, 30.0), (31.0, 31.0), (900.0, 900.0), (1e12, PAUSE_S_MAX)],
)
async def test_a_busy_x_is_left_alone_until_it_counts_anew(
    tmp_path: Path, kind: Kind, in_s: float | None, pause_s: float
) -> None:
    """It says when that is; but not sooner than we would, and not for ever; and a little later."""
    x = XWrites()
    async with kind.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        at_us = None if in_s is None else on.clock.now_us() + round(in_s * 1_000_000)
        x.error = XBusy("X answered 429", retry_at_us=at_us)
        await on.ask(await on.run_effect(kind.effect))
        ((after_s, effect),) = on.timers
        assert pause_s <= after_s <= pause_s + CONFIG.retry_s
        assert effect == kind.effect
        assert await actions(on) == [kind.action("failed", detail="X answered 429")]


@both
async def test_those_that_wait_for_a_busy_x_do_not_come_all_at_once(
    tmp_path: Path, kind: Kind
) -> None:
    """X names one time to all of them: who comes then is drawn."""
    x = XWrites()
    async with kind.on(tmp_path, x) as on:
        await on.ask(POSITIVE)
        x.error = XBusy("X answered 429", retry_at_us=on.clock.now_us() + 900_000_000)
        pauses = set()
        for _ in range(20):
            await on.ask(await on.run_effect(kind.effect))
            pauses |= {after_s for after_s, _ in on.timers}
        assert len(pauses) == 20
        assert max(pauses) - min(pauses) > CONFIG.retry_s / 4


@pytest.mark.parametrize("author", ["(42)", "(unknown)"])
async def test_whom_x_does_not_name_is_not_answered(tmp_path: Path, author: str) -> None:
    """A mention would be of a stranger; the books say so, and X is asked nothing."""
    for writer, status, detail in ((XWrites(), "refused", NOBODY), (None, "dry_run", None)):
        (folder := tmp_path / status).mkdir()
        async with REPLY.on(folder, writer) as on:
            await on.ask(msgspec.structs.replace(POSITIVE, author=author))
            (action,) = await actions(on)
            assert (action.status, action.text, action.detail) == (status, None, detail)
            assert on.sent == []


@both
async def test_what_has_ended_stays_so(tmp_path: Path, kind: Kind) -> None:
    """Whatever comes late, and what there never was."""
    ends: list[Any] = [
        Outcome(status="done", reply_id="1"),
        Outcome(status="refused", detail="no"),
        Outcome(status="dry_run"),
    ]
    late = [
        *[kind.record(external_id=ID, outcome=end) for end in ends],
        kind.postpone,
        GaveUp(command=kind.effect, reason="no answer"),
        POSITIVE,
    ]
    async with kind.on(tmp_path, XWrites()) as on:
        for message in late[:-1]:
            await on.ask(message)
            assert on.timers == []
        assert await actions(on) == []
        for end in ends:
            on.execute("DELETE FROM action")
            await on.ask(POSITIVE)
            await on.ask(kind.record(external_id=ID, outcome=end))
            (stands,) = await actions(on)
            assert stands.status == end.status
            for message in late:
                await on.ask(message)
                assert on.timers == []
                assert await actions(on) == [stands]


@both
async def test_without_leave_to_write_it_is_only_noted(tmp_path: Path, kind: Kind) -> None:
    """With what would be said; given leave later, it is not done after all."""
    async with kind.on(tmp_path, None) as on:
        await on.ask(POSITIVE)
        assert on.timers == []
        assert await actions(on) == [kind.action("dry_run")]
    async with kind.on(tmp_path, XWrites()) as on:
        await on.ask(POSITIVE)
        assert on.timers == []
        assert await actions(on) == [kind.action("dry_run")]


@both
async def test_leave_that_was_taken_away_is_not_used(tmp_path: Path, kind: Kind) -> None:
    """An action that was under way when the process ended is only noted by the next one."""
    async with kind.on(tmp_path, XWrites()) as on:
        await on.ask(POSITIVE)
    async with kind.on(tmp_path, None) as on:
        await on.ask(await on.run_effect(kind.effect))
        assert await actions(on) == [kind.action("dry_run")]


@both
async def test_lists_are_in_order_and_by_status(tmp_path: Path, kind: Kind) -> None:
    """Page by page."""
    async with kind.on(tmp_path, XWrites()) as on:
        await on.send(*[scored(number, 0.9) for number in range(7)])
        for number in (1, 4, 5):
            outcome = Outcome(status="done")
            await on.ask(kind.record(external_id=x_id(number), outcome=outcome))
        assert [each.tweet_id for each in await actions(on)] == [f"t{n}" for n in range(7)]
        done = await actions(on, status="done")
        assert [each.tweet_id for each in done] == ["t1", "t4", "t5"]
        assert [each.tweet_id for each in await actions(on, status="pending")] == [
            *("t0", "t2", "t3", "t6")
        ]
        assert await actions(on, status="failed") == []
