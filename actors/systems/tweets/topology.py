"""The brand monitor's services by name, as a supervisor starts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.service.replicas import Replicas
from actors.systems.tweets.bounds import Bounds
from actors.systems.tweets.failure_words import FailureWords
from actors.systems.tweets.favouriter import FavouriterService
from actors.systems.tweets.flagger import FlaggerService
from actors.systems.tweets.reader import ReaderService
from actors.systems.tweets.reply_text import ReplyText
from actors.systems.tweets.responder import ResponderService
from actors.systems.tweets.sentiment import SentimentService
from actors.systems.tweets.tweets import TweetsService
from actors.systems.tweets.x_client import XWriter
from actors.systems.tweets.x_pause import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import TweetsConfig, XConfig
    from actors.service.service import Service
    from actors.systems.tweets.actions import Writer
    from actors.systems.tweets.tweets import Ask
    from actors.systems.tweets.x_access import XAccess


def services(
    config: TweetsConfig, x: XConfig, ask: Ask, access: XAccess | None
) -> dict[str, Callable[[], Service] | Replicas]:
    """Return a factory for each service; its name is its address and its file's name.

    `ask(service, message)` is how an effect reaches a service, such as a replica of sentiment.
    `access` is where X is: without it nothing is read there, and without its leave to write, likes
    and replies are noted and not sent. Raises ConfigError for a reply_text that is none.
    """
    if access is not None:
        access.pauses = Pauses(s_min=x.barred_s_min, s_max=x.barred_s_max)
    user_id = None if access is None else access.user_id
    writer: Writer | None = XWriter(access) if access is not None and access.write else None
    text = ReplyText(config.reply_text)
    like_never = FailureWords(config.like_never)
    found: dict[str, Callable[[], Service] | Replicas] = {
        "tweets": lambda: TweetsService(config, ask),
        "sentiment": Replicas(
            lambda: SentimentService(chars_max=config.scored_chars_max), config.sentiment_replicas
        ),
        "flagger": FlaggerService,
        "favouriter": lambda: FavouriterService(
            writer,
            user_id=user_id,
            like_min=config.like_min,
            like_never=like_never,
            bounds=like_bounds(config),
            retry_s=config.retry_s,
        ),
        "responder": lambda: ResponderService(
            text,
            writer,
            ask,
            user_id=user_id,
            bounds=reply_bounds(config),
            replies_to_replies=config.replies_to_replies,
            retry_s=config.retry_s,
            reply_s_max=config.reply_s_max,
        ),
    }
    if access is not None:
        found["reader"] = lambda: ReaderService(config, x, access)
    return found


def like_bounds(config: TweetsConfig) -> Bounds:
    """Return how many likes there are at most."""
    return Bounds(what="likes", author_hour_max=config.likes_author_hour_max)


def reply_bounds(config: TweetsConfig) -> Bounds:
    """Return how many answers there are at most."""
    return Bounds(
        what="answers",
        author_hour_max=config.replies_author_hour_max,
        hour_max=config.replies_hour_max,
        conversation_day_max=config.replies_conversation_day_max,
    )
