"""The rules of conftest.py, broken on purpose: a check that cannot fail is a defect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.conftest import run_owned

if TYPE_CHECKING:
    from collections.abc import Sequence

pytest_plugins = ["pytester"]

SEEDED = """
def test_that_fails(rng):
    assert rng.random() == "never"

def test_that_draws_nothing():
    assert False
"""


def test_task_left_running_fails_its_test() -> None:
    """A test that leaves a task behind fails, and the task is named."""

    async def leaves() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))

    kept: list[asyncio.Task[None]] = []
    with pytest.raises(pytest.fail.Exception, match=r"unowned.*forgotten"):
        run_owned(leaves())
    assert kept[0].cancelled()


def test_exception_nobody_looked_at_fails_its_test() -> None:
    """A task whose failure nobody awaits fails the test that started it."""

    async def crashes() -> None:
        raise LookupError("unseen")

    async def ignores() -> None:
        task = asyncio.create_task(crashes())
        await asyncio.wait([task])

    with pytest.raises(pytest.fail.Exception, match="unseen"):
        run_owned(ignores())


def test_task_that_is_ending_is_not_left() -> None:
    """A task that only needs the loop's next turns to end is not held against its test."""

    async def ends() -> None:
        kept.append(asyncio.create_task(asyncio.sleep(3600)))
        await asyncio.sleep(0)
        kept[0].cancel()

    kept: list[asyncio.Task[None]] = []
    run_owned(ends())
    assert kept[0].cancelled()


def test_failure_prints_its_seed(pytester: pytest.Pytester) -> None:
    """A failed test that drew from the seed says how to draw the same again; others do not."""
    pytester.makepyfile(SEEDED)
    result = pytester.runpytest_inprocess("-p", "tests.conftest", "--seed", "4711")
    result.assert_outcomes(failed=2)
    assert result.outlines.count("rerun with: --seed 4711") == 1


DRAWING = """
import os

def test_that_draws(seed, report):
    report(f"{os.getpid()} drew {seed}")

def test_that_fails(rng):
    assert rng.random() == "never"
"""


def test_workers_have_the_runs_seed(pytester: pytest.Pytester) -> None:
    """One seed a run, in every worker and in what a failure prints; reports stand at the end."""
    pytester.makepyfile(test_one=DRAWING, test_other=DRAWING)
    result = pytester.runpytest_inprocess(
        *("-p", "tests.conftest", "--seed", "4711"),
        *("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
    )
    result.assert_outcomes(passed=2, failed=2)
    assert result.outlines.count("rerun with: --seed 4711") == 2
    drew = {line.rpartition(": ")[2] for line in result.outlines if line.endswith(" drew 4711")}
    assert len(drew) == 2, "two processes"


CASES = """
import pytest

@pytest.mark.sampled
@pytest.mark.parametrize("case", range(9))
def test_that_has_many(case):
    pass

def test_that_has_one():
    pass
"""


def test_a_third_of_what_is_sampled_runs_as_the_seed_says(pytester: pytest.Pytester) -> None:
    """The same of equal seeds, another of some other; all of it where it is asked for."""
    pytester.makeini("[pytest]\nmarkers = sampled: a third")
    pytester.makepyfile(CASES)

    def passed(*words: str) -> set[str]:
        result = pytester.inline_run("-p", "tests.conftest", *words)
        reports: Sequence[pytest.TestReport] = result.getreports("pytest_runtest_logreport")
        return {each.nodeid for each in reports if each.passed and each.when == "call"}

    samples = [passed("--seed", str(seed)) for seed in (1, 1, 2, 3)]
    assert [len(each) for each in samples] == [4, 4, 4, 4]
    assert samples[0] == samples[1]
    assert len({frozenset(each) for each in samples}) > 1
    assert len(passed("-m", "sampled")) == 9
