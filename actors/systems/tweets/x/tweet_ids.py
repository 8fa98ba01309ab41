"""X's ids of tweets: snowflakes, which say when a tweet was made, by X's own clock."""

from __future__ import annotations

from typing import Final

# Where X's ids begin to count: the first 41 of their 63 bits are milliseconds from here.
SNOWFLAKE_EPOCH_MS: Final = 1_288_834_974_657
SNOWFLAKE_TIME_SHIFT: Final = 22
# Ids tell times apart that lie so far from each other, in microseconds.
ID_TICK_US: Final = 1_000


def made_at_us(tweet_id: str) -> int:
    """Return when a tweet of this id was made, in microseconds of the epoch."""
    return ((int(tweet_id) >> SNOWFLAKE_TIME_SHIFT) + SNOWFLAKE_EPOCH_MS) * ID_TICK_US


def first_id_at(at_us: int) -> int:
    """Return the least id of a tweet that was made then; 1 before X's ids began."""
    return max((at_us // ID_TICK_US - SNOWFLAKE_EPOCH_MS) << SNOWFLAKE_TIME_SHIFT, 1)
