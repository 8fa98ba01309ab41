"""Stays: half-open, at least one night, at most so many, and each night once."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import load_config
from actors.errors import ConfigError
from actors.kernel.messages import Refusal
from actors.systems.hotel.config import HotelConfig
from actors.systems.hotel.stay import nights, refuse_stay, zone
from actors.systems.hotel.system import HOTEL

DAY = dt.date(2024, 2, 28)


@pytest.mark.parametrize("count", [1, 2, 366])
def test_a_stay_of_one_night_to_the_most_is_fine(count: int) -> None:
    """FileHistory dates too."""
    assert refuse_stay(DAY, DAY + dt.timedelta(days=count), nights_max=366) is None


@pytest.mark.parametrize("count", [0, -1, -400, 367, 4000])
def test_what_is_no_stay_names_the_day_of_departure(count: int) -> None:
    """Also under the name that the caller gives it."""
    for field in ("check_out", "CheckOut"):
        reply = refuse_stay(DAY, DAY + dt.timedelta(days=count), nights_max=366, field=field)
        assert isinstance(reply, Refusal)
        assert (reply.kind, reply.field) == ("invalid", field)


def test_all_of_time_is_too_long_and_crashes_nothing() -> None:
    """The calendar's own ends."""
    assert refuse_stay(dt.date.min, dt.date.max, nights_max=366) is not None
    assert refuse_stay(dt.date.max, dt.date.min, nights_max=366) is not None
    assert list(nights(dt.date(9999, 12, 30), dt.date.max)) == ["9999-12-30"]
    assert list(nights(dt.date.min, dt.date(1, 1, 2))) == ["0001-01-01"]


def test_nights_are_those_slept_in() -> None:
    """The day of departure is none of them; a leap day is."""
    assert list(nights(DAY, dt.date(2024, 3, 2))) == ["2024-02-28", "2024-02-29", "2024-03-01"]


@given(st.dates(), st.integers(1, 40), st.dates(), st.integers(1, 40))
def test_stays_share_a_night_where_their_ranges_overlap(
    start: dt.date, count: int, other: dt.date, other_count: int
) -> None:
    """As ISO text, days sort as they do in time: what the SQL compares by."""
    end = dt.date.fromordinal(min(start.toordinal() + count, dt.date.max.toordinal()))
    other_end = dt.date.fromordinal(min(other.toordinal() + other_count, dt.date.max.toordinal()))
    shared = set(nights(start, end)) & set(nights(other, other_end))
    first, last = max(start, other), min(end, other_end)
    assert shared == set(nights(first, last))
    between = {day for day in nights(start, end) if first.isoformat() <= day < last.isoformat()}
    assert between == shared


def test_utc_needs_no_time_zone_data() -> None:
    """Others are the system's."""
    assert zone("UTC") is dt.UTC
    assert zone("Pacific/Kiritimati").utcoffset(dt.datetime(2030, 1, 1)) == dt.timedelta(hours=14)  # noqa: DTZ001 - a zone is asked about naive ones


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "../../etc/passwd", "/etc", ""])
def test_a_time_zone_that_there_is_not_is_refused_before_boot(name: str) -> None:
    """The error names the key, and nothing that was not asked."""
    assert HotelConfig(time_zone="Europe/Zurich").time_zone
    with pytest.raises(ConfigError, match="time_zone") as refused:
        load_config(settings=[f"hotel.time_zone={name}"], systems=[HOTEL])
    assert "`$.hotel`" not in str(refused.value)
