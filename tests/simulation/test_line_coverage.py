"""What `make simulate-lines` plays, and what it leaves out."""

from __future__ import annotations

from actors.simulation.script.profile import PROFILES
from tests.simulation.line_coverage import MEASURED, NOT_MEASURED, ROOT, Measure, shares
from tests.simulation.unrun_lines import UNRUN, lines_of


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


def test_what_is_listed_is_there_once() -> None:
    """Among what is measured; a function that was renamed is measured again."""
    places = [each for places in UNRUN.values() for each in places]
    assert len(places) == len({*places})
    left_out = {path for each in NOT_MEASURED for path in ROOT.glob(each)}
    for place in places:
        assert lines_of(ROOT, place), place
        path = place.partition("::")[0]
        assert path.startswith(MEASURED), place
        assert ROOT / path not in left_out, place


def test_what_is_listed_and_was_run_is_told() -> None:
    """So is what is listed of a place of which nothing is left; the percents are of all lines."""
    files: dict[str, dict[str, list[int]]] = {}
    for places in UNRUN.values():
        for place in places:
            file = files.setdefault(
                place.partition("::")[0], {"executed_lines": [], "missing_lines": []}
            )
            file["missing_lines"] += sorted(lines_of(ROOT, place) - {*file["missing_lines"]})
    assert [*Measure(files).stale] == []
    whole, rest = "actors/store/files/hold.py", "actors/kernel/mailbox.py::Mailbox.put::rest"
    path = rest.partition("::")[0]
    for each in (whole, path):
        files[each]["executed_lines"] = sorted(lines_of(ROOT, each if each == whole else rest))
        files[each]["missing_lines"] = [
            line
            for line in files[each]["missing_lines"]
            if line not in files[each]["executed_lines"]
        ]
    told = Measure(files).stale
    assert [each.partition(" is listed, ")[::2] for each in told] == [
        (rest, "and nothing of it is left"),
        ("actors/store/files/hold.py::rest", "and nothing of it is left"),
    ]
