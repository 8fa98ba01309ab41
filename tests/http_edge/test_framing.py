"""The framing cases at an edge in this process; `make framing` plays them at a real one."""

from __future__ import annotations

import pytest
from yarl import URL

from actors.systems.tweets.messages import StoreTweet
from tests.http_edge.framing import LIMITS, play_all
from tests.http_edge.framing_cases import CASES
from tests.http_edge.serving import serving


@pytest.mark.real_time
async def test_every_request_ends_where_http_says() -> None:
    """The answers of each case, in order, the connection kept or closed, and no canary run."""
    assert len({case.name for case in CASES}) == len(CASES) >= 100
    async with serving(**LIMITS) as served:
        assert await play_all(URL(served.addresses["gateway"])) == []
        messages = [seen.message for seen in served.system.seen]
        tweets = [message for message in messages if isinstance(message, StoreTweet)]
        assert tweets
        assert {tweet.author for tweet in tweets} == {"ada"}
