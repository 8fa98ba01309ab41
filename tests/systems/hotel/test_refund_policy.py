"""What goes back: all, a share, nothing; whole minor units, and half a unit for the guest."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.systems.hotel.messages import MINOR_UNITS_MAX, Money
from actors.systems.hotel.refund_policy import RefundPolicy

CHECK_IN = dt.date(2030, 3, 10)
POLICY = RefundPolicy(full_days=7, late_percent=50)
AMOUNTS = st.integers(0, MINOR_UNITS_MAX)


def refund(amount: int, today: dt.date, policy: RefundPolicy = POLICY) -> int:
    price = Money(amount=amount, currency="EUR")
    given_back = policy.refund(price, check_in=CHECK_IN, today=today)
    assert given_back.currency == "EUR"
    return given_back.amount


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (dt.date.min, 1000),
        (dt.date(2030, 3, 2), 1000),
        (dt.date(2030, 3, 3), 1000),  # seven days before
        (dt.date(2030, 3, 4), 500),
        (dt.date(2030, 3, 9), 500),
        (dt.date(2030, 3, 10), 0),  # the day of check-in
        (dt.date(2030, 3, 11), 0),
        (dt.date.max, 0),
    ],
)
def test_the_days_left_decide(today: dt.date, expected: int) -> None:
    """Full up to and including the seventh day before, half up to the last, then none."""
    assert refund(1000, today) == expected


@pytest.mark.parametrize(
    ("amount", "percent", "expected"),
    [(1, 50, 1), (3, 50, 2), (1, 49, 0), (101, 33, 33), (150, 33, 50), (0, 50, 0), (7, 0, 0)],
)
def test_half_a_unit_goes_to_the_guest(amount: int, percent: int, expected: int) -> None:
    """Rounded to the nearest whole unit: 0.5 is 1, 0.49 is 0, 33.33 is 33, 49.5 is 50."""
    policy = RefundPolicy(full_days=7, late_percent=percent)
    assert refund(amount, dt.date(2030, 3, 9), policy) == expected


@given(
    amount=AMOUNTS,
    percent=st.integers(0, 100),
    full_days=st.integers(0, 400),
    today=st.dates(),
)
def test_a_refund_is_within_half_a_unit_of_its_share(
    amount: int, percent: int, full_days: int, today: dt.date
) -> None:
    """Never negative, never more than the price, exact but for the rounding."""
    policy = RefundPolicy(full_days=full_days, late_percent=percent)
    given_back = refund(amount, today, policy)
    days_left = (CHECK_IN - today).days
    share = 100 if days_left >= full_days else percent if days_left > 0 else 0
    assert 0 <= given_back <= amount
    assert -Fraction(1, 2) < given_back - Fraction(amount * share, 100) <= Fraction(1, 2)


@given(amount=AMOUNTS, percent=st.integers(0, 100), today=st.dates(max_value=CHECK_IN))
def test_waiting_never_pays(amount: int, percent: int, today: dt.date) -> None:
    """A day later, a guest gets as much or less."""
    policy = RefundPolicy(full_days=7, late_percent=percent)
    tomorrow = today + dt.timedelta(days=1)
    assert refund(amount, today, policy) >= refund(amount, tomorrow, policy)
