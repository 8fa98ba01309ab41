"""A comparison of two trees says what changed, and calls nothing a change that noise does alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.against.paired import compare
from tests.benchmarks.against.verdict import CPU_US, RATE, Compared, Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


@pytest.mark.parametrize(
    ("figure", "after", "verdict"),
    [
        (CPU_US, 110.0, "worse"),
        (CPU_US, 90.0, "better"),
        (CPU_US, 102.0, "the same"),
        (RATE, 110.0, "better"),
        (RATE, 90.0, "worse"),
    ],
)
def test_a_change_is_called_by_its_sense(figure: Figure, after: float, verdict: str) -> None:
    """More of what costs is worse, more of what is wished for better."""
    compared = Compared(row="x", figure=figure, before=[100.0], again=[101.0], after=[after])
    assert compared.verdict == verdict


def test_what_noise_does_alone_is_no_change() -> None:
    """Where the same tree differs from itself by a tenth, another tenth says nothing."""
    before, after = [100.0, 110.0, 100.0], [110.0, 121.0, 110.0]
    assert Compared(row="x", figure=CPU_US, before=before, again=before, after=after).verdict == (
        "worse"
    )
    noisy = Compared(row="x", figure=CPU_US, before=before, again=[110.0, 99.0, 111.0], after=after)
    assert noisy.verdict == "the same"


class Counted:
    """Says who was measured when."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.stopped = False

    def start(self, tree: Path, folder: Path) -> Mapping[str, Callable[[], Mapping[Figure, float]]]:
        def measure() -> Mapping[Figure, float]:
            self.turns.append(folder.name)
            return {CPU_US: 200.0 if tree.name == "new" else 100.0}

        return {"row": measure}

    def stop(self) -> None:
        self.stopped = True


def test_trees_take_turns_and_the_first_round_does_not_count(tmp_path: Path) -> None:
    """Each round measures all three, another one first each time; then all is stopped."""
    part = Counted()
    (found,) = compare(part, tmp_path / "old", tmp_path / "new", tmp_path, pairs=2, warm_up=True)
    assert part.turns == [
        *("before", "again", "after"),
        *("again", "after", "before"),
        *("after", "before", "again"),
    ]
    assert (found.before, found.again, found.after) == ([100, 100], [100, 100], [200, 200])
    assert found.verdict == "worse"
    assert part.stopped
