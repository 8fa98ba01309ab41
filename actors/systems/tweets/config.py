"""The brand monitor's numbers, each with its unit and its reason: the sections `tweets` and `x`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from actors.config import Count, EffectTables, NotNegativeCount, Positive, Section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.config import Rule

Compound = Annotated[float, msgspec.Meta(ge=-1, le=1)]
FailureWord = Annotated[str, msgspec.Meta(max_length=100, pattern=r"[^\W_]")]
# No space, quote or minus: the rule that the reader makes of it must mean the word itself.
Keyword = Annotated[str, msgspec.Meta(pattern=r'^[^\s"():-][^\s"():]{0,99}\Z')]

FAILURE_WORDS = (
    "abandon", "bad", "blame", "breach", "breaking", "broke", "broken", "bug", "buggy", "cancel",
    "charged twice", "complain", "complaint", "corrupt", "crash", "dead", "delay", "delete",
    "disappoint", "does not load", "does not work", "doesn't load", "doesn't work", "down",
    "downtime", "error", "fail", "failure", "freeze", "froze", "frozen", "gave up", "glitch",
    "gone", "hack", "hangs", "hung", "incident", "kaput", "lag", "leak", "lose", "loss", "lost",
    "malfunction", "missing", "money back", "never again", "never work", "no longer work",
    "not load", "not work", "offline", "outage", "overcharge", "refund", "ruin", "scam", "slow",
    "spam", "steal", "stole", "stolen", "stop working", "stuck", "thanks a lot for",
    "thanks for nothing", "timeout", "time out", "unavailable", "unreachable", "unresponsive",
    "unsubscribe", "unusable", "useless", "vanish", "waste", "wipe", "won't load", "won't work",
    "wrong",
)  # fmt: skip


class TweetsConfig(Section):
    # What the reader asks X's stream for, any of them; the embedded X's people write about
    # x_platform.keywords.
    keywords: Annotated[tuple[Keyword, ...], msgspec.Meta(min_length=1, max_length=20)] = (
        "tutorialedge",
    )
    # Scorers behind the load balancer: one may hang, and the other answers.
    sentiment_replicas: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    # VADER's own bound: at most this is negative, and flagged.
    negative_max: Compound = -0.05
    # VADER's own bound: at least this is positive.
    positive_min: Compound = 0.05
    # One sentence as bad as this makes all of its text negative, whatever praise stands around it.
    rant_max: Compound = -0.5
    # In one go, a longer text part by part: the worst 1000, all emoji, take some 20 ms of the loop;
    # X's longest, 25,000, half a second of an effect.
    scored_chars_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    # A like is public: below some 0.8 VADER's positives are too often wrong.
    like_min: Compound = 0.8
    # Nothing that names a failure is liked, however it sounds ("great, it is down again"): whole
    # words, and their -s, -ed, -ing.
    like_never: Annotated[tuple[FailureWord, ...], msgspec.Meta(max_length=1_000)] = FAILURE_WORDS
    # Who is liked may answer by program: each like is a notification.
    likes_author_hour_max: NotNegativeCount = 10
    # To one author, who may be a bot that answers us.
    replies_author_hour_max: NotNegativeCount = 10
    # In one conversation, whoever writes there: two such programs would never end.
    replies_conversation_day_max: NotNegativeCount = 5
    # To everybody: X's own bound is 100 in a quarter of an hour.
    replies_hour_max: NotNegativeCount = 400
    # Whoever answers or quotes an answer of ours is not answered: a person will.
    replies_to_replies: bool = False
    # `ref` differs from tweet to tweet: X refuses a text it has seen.
    reply_text: Annotated[str, msgspec.Meta(min_length=1, max_length=240)] = (
        "@{author} Thank you for the mention! We read every tweet. [{ref}]"
    )
    # A score, a like or a reply whose attempts have all failed is tried again this often, for ever.
    retry_s: Positive = 30.0
    # A reply that X has not confirmed by then is given up: X forgets its text, and would post it
    # twice.
    reply_s_max: Positive = 43_200.0
    # Ids the reader knows again; X sends no older tweet twice.
    seen_kept_s: Positive = 86_400.0
    # By service and effect, what goes before its @effect: [tweets.effects.responder.PostReply].
    effects: EffectTables = msgspec.field(default_factory=dict)

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.negative_max < self.positive_min,
            "tweets.negative_max is below tweets.positive_min",
        )
        # Else we like in public what we call neutral ourselves.
        yield self.positive_min <= self.like_min, "tweets.positive_min is at most tweets.like_min"
        # Else a reply that has failed is given up before it is tried again.
        yield self.retry_s < self.reply_s_max, "tweets.retry_s is below tweets.reply_s_max"


class XConfig(Section):
    # auto is X itself where its credentials are given, else the embedded simulator.
    platform: Literal["auto", "simulator", "x"] = "auto"
    # JSON with bearer_token, consumer_key, ...; the environment's X_BEARER_TOKEN, X_CONSUMER_KEY,
    # ... go first.
    credentials_file: str = ""
    # Likes and replies at the real X; off, they are only recorded: X's automation rules forbid
    # keyword-triggered ones.
    write: bool = False
    # Minutes that X sends again after a reconnect; 0 where the account has no backfill.
    backfill_minutes_max: Annotated[int, msgspec.Meta(ge=0, le=5)] = 5
    # Without a byte for this long a stream is dead: X sends a keep-alive every 20 s.
    stall_s: Positive = 21.0
    # The pause before the first reconnect; doubled up to the maximum, and reset by a tweet.
    reconnect_s_min: Positive = 0.25
    # X asks for this bound after network errors.
    reconnect_s_max: Positive = 16.0
    # Whoever deletes the reader's rule makes it deaf, and X says nothing: it is looked for.
    rules_check_s: Positive = 60.0
    # Read from the stream and not yet committed: more would be lost together in a crash.
    window_tweets: Count = 64
    # Where X is reached instead of its own host: a proxy, a stub; https, or http on loopback.
    base_url: str = ""
    # X is left alone this long where it will not have the account or the app at all (401, 403 ...)
    barred_s_min: Positive = 5.0
    # ... doubled up to this, X's own window: mended, all goes on within it.
    barred_s_max: Positive = 900.0
    # What backfill does not reach: the recent search (7 days back); stream: its recovery first (24
    # hours, an enterprise plan); nothing.
    gaps_filled_by: Literal["search", "stream", "nothing"] = "search"
    # A gap is looked at this long after its end: X's search lags, and takes nothing from the last
    # 10 s.
    gap_wait_s: Positive = 30.0
    # A gap that X would not fill is tried again this often, until X reaches no further back.
    gap_retry_s: Positive = 300.0

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.reconnect_s_min <= self.reconnect_s_max,
            "x.reconnect_s_min is at most x.reconnect_s_max",
        )
