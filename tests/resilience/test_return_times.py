"""Those who were refused come again as a trickle, and not as the crowd that they were."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from actors.config import load_config
from actors.resilience.return_times import ReturnTimes

CONFIG = msgspec.structs.replace(
    load_config(None, [], ()).edge.admission, rest_s=2.0, rest_s_max=10.0, returns_per_s=100.0
)


def test_a_crowd_comes_again_one_by_one() -> None:
    """A hundred a second, from the shortest rest on; who is alone has that."""
    times = ReturnTimes(CONFIG)
    returns = [times.rest_s(50.0) for _ in range(500)]
    assert returns == pytest.approx([2.0 + number / 100 for number in range(500)])
    assert times.rest_s(100.0) == 2.0
    assert times.rest_s(200.0) == 2.0


def test_nobody_rests_for_longer_than_the_longest() -> None:
    """However many there are: then turns are given between those that are given already."""
    times = ReturnTimes(CONFIG)
    returns = [times.rest_s(0.0) for _ in range(2_000)]
    assert min(returns) == 2.0
    assert 9.9 < max(returns) <= 10.0
    assert sum(each == 2.0 for each in returns) == 3


def test_clients_that_never_wait_are_refused_no_oftener_than_that() -> None:
    """Each asks again as soon as it is heard: of five hundred, a hundred are heard a second."""
    times = ReturnTimes(CONFIG)
    due = sorted(times.rest_s(0.0) for _ in range(500))
    heard: list[float] = []
    while due[0] < 60.0:
        now_s = due.pop(0)
        heard.append(now_s)
        due.append(now_s + times.rest_s(now_s))
        due.sort()
    by_second = [len(list(each)) for _, each in itertools.groupby(heard, int)]
    assert max(by_second) <= 101
