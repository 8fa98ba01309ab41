"""What grows faster than the logarithm of the size is called so."""

from __future__ import annotations

import pytest

from tests.benchmarks.growth.grown import cost_rows, marginal_rows


@pytest.mark.parametrize(("most", "met"), [(1.2, True), (1.7, True), (1.8, False), (1000.0, False)])
def test_a_request_may_cost_as_the_logarithm(most: float, met: bool) -> None:
    """From 10^4 to 10^7 that is 7/4 of it."""
    grown = {10_000: {"CPU": 1.0}, 1_000_000: {"CPU": 1.1}, 10_000_000: {"CPU": most}}
    (row,) = cost_rows("rows", "rows", grown, ["CPU"])
    assert row.met is met


@pytest.mark.parametrize(("most", "met"), [(1050.0, True), (1400.0, True), (100_000.0, False)])
def test_one_more_of_many_costs_as_one_more_of_few(most: float, met: bool) -> None:
    """Each has its own megabyte, and a base that all share does not hide one that grows."""
    grown = {10: {"MB": 60.0}, 100: {"MB": 150.0}, 1000: {"MB": most}}
    (row,) = marginal_rows("services", "service", grown, ["MB"])
    assert row.met is met
