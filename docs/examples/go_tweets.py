"""The tutorial's two services: our reader, and behind it a REST service in Go, tweets.go."""

from dataclasses import replace
from typing import Any

import msgspec

import actors
from actors.systems.tweets.messages import StoreXTweet
from actors.systems.tweets.system import TWEETS
from actors.systems.x_platform.system import X_PLATFORM


class ListAll(actors.Query):
    """Whatever was stored."""


class Row(msgspec.Struct):
    id: str
    NAME: str
    TWEET: str


class GoConfig(actors.Section):
    url: str = "http://127.0.0.1:8090"


def services(wiring: actors.Wiring) -> dict[str, Any]:
    """Whom our reader tells what it has read is a process of another language."""
    stored = actors.Remote(
        wiring.config.section(GoConfig).url,
        {StoreXTweet: "POST /insert", ListAll: ("GET /all", list[Row])},
    )
    return {"reader": TWEETS.services_in(wiring)["reader"], "tweets": stored}


TUTORIAL = replace(
    TWEETS,
    services=services,
    addresses={"tweets": [actors.Address("GET", "/all", actors.service("tweets", ListAll))]},
    config={**TWEETS.config, "go": GoConfig},
    supervision=(),
    scenario=None,
    audit=None,
    load=None,
)
BOTH = (TUTORIAL, X_PLATFORM)
