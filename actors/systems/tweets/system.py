"""The brand monitor: what X says of us is read once, scored, flagged, liked and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.service.group import Group
from actors.service.stateless.replicas import Replicas
from actors.system import Dependency, ListenerSpec, System
from actors.systems.tweets.bounds import Bounds
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.failure_words import FailureWords
from actors.systems.tweets.outside import live_x, simulated_x
from actors.systems.tweets.reply_text import ReplyText
from actors.systems.tweets.routes import ADDRESSES
from http_edge.go_gateway import MuxGateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from actors.config import Config, Rule
    from actors.load.load_plan import LoadPlan
    from actors.service.assembly import AnyService
    from actors.simulation.stage.scenario import Scenario
    from actors.system import Audit, Wiring
    from actors.systems.tweets.actions import Writer
    from actors.systems.tweets.x.access import XAccess


def services(wiring: Wiring) -> Mapping[str, AnyService]:
    """Return a factory for each service.

    Without X's leave to write, likes and replies are noted and not sent. Raises ConfigError for a
    reply_text that is none.
    """
    # Here, for the declaration is read in each process, also where an extra is not installed.
    from actors.systems.tweets.flagger import FlaggerService  # noqa: PLC0415
    from actors.systems.tweets.reading.reader import ReaderService  # noqa: PLC0415
    from actors.systems.tweets.sentiment import SentimentService  # noqa: PLC0415
    from actors.systems.tweets.tweets import TweetsService  # noqa: PLC0415
    from actors.systems.tweets.x.x_client import XWriter  # noqa: PLC0415

    config, x = wiring.config.section(TweetsConfig), wiring.config.section(XConfig)
    access: XAccess = wiring.outside["x"]
    writer = XWriter(access) if access.write else None
    return {
        "tweets": lambda: TweetsService(config, wiring.ask),
        "sentiment": Replicas(
            lambda: SentimentService(chars_max=config.scored_chars_max),
            config.sentiment_replicas,
            # Texts differ in length, and so do the questions' costs: of two the less busy one.
            balance="two_choices",
        ),
        "flagger": FlaggerService,
        **acting(wiring, config, writer, user_id=access.user_id),
        "reader": lambda: ReaderService(config, x, access),
    }


def acting(
    wiring: Wiring, config: TweetsConfig, writer: Writer | None, *, user_id: str | None
) -> Mapping[str, AnyService]:
    """Return those that act in public, as the account `user_id`, through the `writer` to X."""
    from actors.systems.tweets.favouriter import FavouriterService  # noqa: PLC0415 - likewise
    from actors.systems.tweets.responder import ResponderService  # noqa: PLC0415 - likewise

    text = ReplyText(config.reply_text)
    like_never = FailureWords(config.like_never)
    likes = Bounds(what="likes", author_hour_max=config.likes_author_hour_max)
    replies = Bounds(
        what="answers",
        author_hour_max=config.replies_author_hour_max,
        hour_max=config.replies_hour_max,
        conversation_day_max=config.replies_conversation_day_max,
    )
    return {
        "favouriter": lambda: FavouriterService(
            writer,
            user_id=user_id,
            like_min=config.like_min,
            like_never=like_never,
            bounds=likes,
            retry_s=config.retry_s,
        ),
        "responder": lambda: ResponderService(
            text,
            writer,
            wiring.ask,
            user_id=user_id,
            bounds=replies,
            replies_to_replies=config.replies_to_replies,
            retry_s=config.retry_s,
            reply_s_max=config.reply_s_max,
        ),
    }


def rules(config: Config) -> Iterable[Rule]:
    """Say what the keys of both sections must be to each other, and to the embedded X's."""
    tweets, x = config.section(TweetsConfig), config.section(XConfig)
    yield (
        # Else a reconnect brings again what the reader has forgotten.
        x.backfill_minutes_max * 60 < tweets.seen_kept_s,
        "x.backfill_minutes_max is less time than tweets.seen_kept_s",
    )
    embedded = config.named("x_platform")
    yield (
        # Else the reader takes each quiet stream for dead. The real X has its own pace.
        embedded is None or x.platform == "x" or embedded.keepalive_s < x.stall_s,
        "x_platform.keepalive_s is below x.stall_s",
    )


def _scenario() -> Callable[[], Scenario]:
    from actors.systems.tweets.scenario.scenario import TweetsScenario  # noqa: PLC0415 - no server's

    return TweetsScenario


def _audit() -> Audit:
    from actors.systems.tweets.invariants import audit  # noqa: PLC0415 - no server's

    return audit


def _load() -> LoadPlan:
    from actors.systems.tweets.insert_load import PLAN  # noqa: PLC0415 - no server's

    return PLAN


TWEETS = System(
    name="tweets",
    services=services,
    addresses=ADDRESSES,
    listeners=(ListenerSpec("tweets", 10_000, MuxGateway),),  # the tutorial's REST service
    config={"tweets": TweetsConfig, "x": XConfig},
    rules=rules,
    supervision=(
        # They speak in public with one voice: where one fails again and again, both are silent
        # until somebody has looked, and sooner than what only we see.
        Group(
            name="acting",
            services=("favouriter", "responder"),
            strategy="one_for_all",
            intensity=2,
        ),
    ),
    requires={
        "tweepy": "dress-rehearsal[tweets]",
        "vaderSentiment": "dress-rehearsal[tweets]",
    },
    outside={"x": Dependency(live=live_x, simulated=simulated_x)},
    scenario=_scenario,
    audit=_audit,
    load=_load,
)
