"""The embedded X's numbers, each with its unit and its reason: the section `x_platform`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from actors.config import Count, Positive, Section

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.config import Rule

Keyword = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class XPlatformConfig(Section):
    # Tweets of the embedded authors a second: enough to see something; 0: only what people tweet.
    tweets_per_s: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 2.0
    # What a share of them is about; empty: what the brand monitor beside it reads.
    keywords: Annotated[tuple[Keyword, ...], msgspec.Meta(max_length=20)] = ()
    # Of them about a keyword: half, so that the rule that filters them is seen to do so.
    keyword_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    # A bare CRLF at least every 20 s, with room for a slow network.
    keepalive_s: Positive = 15.0
    # Streams at a time: X's bound for an app, which the reader uses up; 2 to stream beside it.
    connections_max: Count = 1
    # X's bound for a project.
    rules_max: Count = 1000
    # X's bound for a rule, in characters.
    rule_chars_max: Count = 1024
    # X counts requests by the quarter of an hour.
    window_s: Positive = 900.0
    # In a window, for each endpoint and account; a stream is one request.
    requests_max: Count = 5000
    # Tweets on a page of the recent search, however many were asked for; X's bound.
    search_page_max: Count = 100
    # X's bound, in minutes.
    backfill_minutes_max: Annotated[int, msgspec.Meta(ge=0, le=5)] = 5
    # The stream's past, for backfill: twice its bound.
    matches_kept_s: Positive = 600.0
    # X's bound for start_time and end_time on the stream; its past is kept as long.
    recovery_s_max: Positive = 86_400.0

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            # Else a backfill has less than was asked for, and nobody is told.
            self.backfill_minutes_max * 60 < self.matches_kept_s,
            "x_platform.backfill_minutes_max is less time than x_platform.matches_kept_s",
        )
