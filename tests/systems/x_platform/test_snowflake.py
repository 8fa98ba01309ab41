"""Ids: strictly increasing, positive in 64 bits, and the time is in them."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from actors.systems.x_platform.messages import ACCOUNT_ID
from actors.systems.x_platform.snowflake import EPOCH_MS, ID_MAX, first_at, next_after, number_of
from actors.systems.x_platform.snowflake import time_us as time_of

# From X's epoch on for some sixty years.
times = st.integers(EPOCH_MS * 1000, (EPOCH_MS + 2**40) * 1000)


def test_a_tweet_of_x_itself_tells_its_time() -> None:
    """1541815603606036480 was made on 2022-06-28 at 16:07:40.105 UTC (Wikipedia)."""
    made = dt.datetime(2022, 6, 28, 16, 7, 40, 105_000, tzinfo=dt.UTC)
    assert dt.datetime.fromtimestamp(time_of(1541815603606036480) / 1_000_000, dt.UTC) == made


@given(st.lists(times, min_size=1), st.integers(0, 2**62))
def test_ids_increase_whatever_the_clock_does(clock: list[int], last: int) -> None:
    """Also where it stands still or steps back."""
    for now_us in clock:
        number = next_after(last, now_us)
        assert last < number <= ID_MAX
        last = number


@given(times)
def test_the_time_is_recovered_to_the_millisecond(now_us: int) -> None:
    """Of the first id of a time; the one before it is of an earlier time."""
    assert time_of(first_at(now_us)) == now_us // 1000 * 1000
    assert time_of(next_after(0, now_us)) == now_us // 1000 * 1000
    assert first_at(now_us) == 0 or time_of(first_at(now_us) - 1) < now_us


@given(st.one_of(st.text(max_size=25), st.from_regex(r"[0-9]{1,25}", fullmatch=True)))
def test_any_text_is_an_id_or_nobodys(text: str) -> None:
    """What SQLite could not hold, or another number's text, finds nothing instead of crashing."""
    number = number_of(text)
    assert 0 <= number <= ID_MAX
    assert number == 0 or str(number) == text


def test_ids_are_read() -> None:
    """The greatest, and the account's."""
    assert number_of(str(ID_MAX)) == ID_MAX
    assert number_of(str(ID_MAX + 1)) == 0
    assert number_of(ACCOUNT_ID) == int(ACCOUNT_ID)
    assert [number_of(each) for each in ("", "-1", "01", "²", "٣", "0")] == [0] * 6
