"""X's ids: strictly increasing, and the time is in them.

From the top: an unused sign bit, 41 bits of milliseconds since X's epoch, and 22 bits that X
divides into machine and sequence. Here there is one machine, so all 22 count: an id is the one
before plus one, unless its time has come meanwhile. A clock that steps back therefore only holds
the time in the ids still, until it has caught up. Source: Twitter, "Announcing Snowflake" (2010).
"""

from __future__ import annotations

from typing import Final

EPOCH_MS: Final = 1_288_834_974_657
SEQUENCE_BITS: Final = 22
ID_MAX: Final = 2**63 - 1


def first_at(now_us: int) -> int:
    """Return the least id of the millisecond that `now_us` is in; 0 before X's epoch."""
    milliseconds = now_us // 1000 - EPOCH_MS
    return min(max(milliseconds, 0) << SEQUENCE_BITS, ID_MAX)


def next_after(last: int, now_us: int) -> int:
    """Return the id that follows `last`, made now."""
    return max(last + 1, first_at(now_us))


def time_us(snowflake: int) -> int:
    """Return when it was made, to the millisecond, in microseconds of the Unix epoch."""
    return ((snowflake >> SEQUENCE_BITS) + EPOCH_MS) * 1000


def number_of(text: str) -> int:
    """Return an id as a number; 0, which is nobody's, for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(ID_MAX))):
        return 0
    number = int(text)
    return number if number <= ID_MAX and str(number) == text else 0
