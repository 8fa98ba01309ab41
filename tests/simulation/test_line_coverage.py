"""What `make simulate-lines` plays, and what it leaves out."""

from __future__ import annotations

from actors.simulation.script.profile import PROFILES
from tests.simulation.line_coverage import MEASURED, NOT_MEASURED, ROOT, shares


def test_each_seed_is_played_under_one_profile() -> None:
    """And no profile has more seeds than another, but for one."""
    for seeds in (500, 7, 3):
        each = shares(seeds)
        assert set(each) == set(PROFILES)
        assert sorted(seed for share in each.values() for seed in share) == [*range(1, seeds + 1)]
        assert max(map(len, each.values())) - min(map(len, each.values())) <= 1


def test_what_is_left_out_is_there() -> None:
    """A file that was renamed is measured again, and not left out in silence."""
    assert [each for each in NOT_MEASURED if not [*ROOT.glob(each)]] == []
    assert all((ROOT / each).is_dir() for each in MEASURED)
