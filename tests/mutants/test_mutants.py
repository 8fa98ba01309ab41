"""The table of mutants is whole: each of them still fits the code, and without any all holds."""

from __future__ import annotations

import ast
import functools
from typing import TYPE_CHECKING

import msgspec
import pytest

from actors.simulation.command.log_output import without_logs
from actors.simulation.command.scratch_folder import scratch_folder
from tests.mutants import page
from tests.mutants.__main__ import PAGE, main
from tests.mutants.hunt import CODE, Result, Tree, code_digest
from tests.mutants.mutant import KINDS, PLANTED, ROOT, Mutant, table
from tests.mutants.operators import sampled
from tests.mutants.search import PROFILES, search
from tests.simulation.planting import PLANTED as SYSTEMS

if TYPE_CHECKING:
    from pathlib import Path

MUTANTS = table()


def test_there_are_eighty_of_all_kinds() -> None:
    """Engine, hotel, and the brand monitor with X and the edge, none of them seldom."""
    kinds = [each.kind for each in MUTANTS]
    assert len(MUTANTS) >= 80
    assert set(kinds) == set(KINDS)
    assert kinds.count("hotel") >= len(MUTANTS) // 5
    assert sum(kinds.count(each) for each in ("tweets", "x_platform", "edge")) >= len(MUTANTS) // 4


def test_names_are_unique_and_systems_there() -> None:
    """A row of the page is found by its mutant's name."""
    names = [each.name for each in MUTANTS]
    assert len(set(names)) == len(names)
    assert {system for each in MUTANTS for system in each.systems} <= SYSTEMS.keys()


PATCHES = [pytest.param(each, id=each.name) for each in MUTANTS if each.kind != PLANTED]


@pytest.mark.parametrize("mutant", PATCHES)
def test_a_mutant_fits_the_code(mutant: Mutant) -> None:
    """Its old text stands once in its file; with the new one, the file is another, and Python."""
    assert ast.dump(ast.parse(mutant.source(ROOT))) != dumped(mutant.file)


@functools.cache
def dumped(file: str) -> str:
    """Return what the file is without a mutant: most files have several."""
    return ast.dump(ast.parse((ROOT / file).read_text(encoding="utf-8")))


SEARCHED = sorted({each.systems for each in MUTANTS})


@pytest.mark.long
@pytest.mark.parametrize("systems", SEARCHED)
def test_without_a_mutant_all_holds(systems: tuple[str, ...]) -> None:
    """The control: the same search finds nothing. In every run, test_rehearsal's finds nothing."""
    schedules = len(systems)
    with scratch_folder() as place, without_logs():
        heard = list(
            search(place, systems=systems, profiles=PROFILES[-1:], first=2, schedules=schedules)
        )
    assert [each.trouble for each in heard if each.trouble] == []
    assert heard[-1].schedules == schedules


def test_operators_make_the_same_mutants_for_the_same_seed() -> None:
    """Each fits the code as those of the table do."""
    mutants = sampled(5, seed=7)
    assert mutants == sampled(5, seed=7) != sampled(5, seed=8)
    for each in mutants:
        ast.parse(each.source(ROOT))


def test_a_mutant_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """Which, and how often its text stands there."""
    (tmp_path / "code.py").write_text("once = 1\nonce = 1\n")
    mutant = Mutant(
        name="twice", kind="engine", systems=("hotel",), file="code.py", old="once", new="never"
    )
    with pytest.raises(ValueError, match=r"twice: the old text stands 2 times in code\.py"):
        mutant.source(tmp_path)


def test_the_page_keeps_rows_of_what_was_not_searched_for() -> None:
    """A row is replaced by its mutant's next one, and summed up with the others."""
    first, second = MUTANTS[:2]
    found = Result(outcome="found", schedules=7, trouble="a_b | c", where="hotel, calm, seed 1")
    missed = Result(outcome="not found", schedules=50)
    text = "before\n<!-- mutants -->\n<!-- end of mutants -->\nafter\n"
    rows = {first.name: page.row(first, found), second.name: page.row(second, missed)}
    text = page.replaced(text, "mutants", page.section(MUTANTS, rows))
    assert "In all: 1 of 2 found (50 %)." in text
    assert page.known_rows(text) == rows
    assert [page.is_found(each) for each in (*rows.values(), None)] == [True, False, False]
    rows[second.name] = page.with_machines(rows[second.name], "Town")
    assert rows[second.name].endswith("| not in 50 |  | Town |")
    rows[second.name] = page.row(second, found, rows[second.name])
    assert rows[second.name].endswith("| 7 | a\\_b / c | Town |")
    rows[second.name] = page.row(
        second, found, rows[second.name], code="c0de", profiles="calm,disk"
    )
    assert "| 7 of calm, disk at c0de |" in rows[second.name]
    assert page.is_found(rows[second.name])
    unfound = page.row(second, missed, code="c0de", profiles="calm")
    assert "| not in 50 of calm at c0de |" in unfound
    assert not page.is_found(unfound)
    again = page.replaced(text, "mutants", page.section(MUTANTS, rows))
    assert "In all: 2 of 2 found (100 %)." in again
    assert (again.startswith("before\n"), again.endswith("after\n")) == (True, True)


def test_a_row_names_no_folder_of_the_copy(tmp_path: Path) -> None:
    """It is another one each time, and nobody else's."""
    slow = f"it was too slow, at {tmp_path / 'tree-0' / 'actors' / 'system.py'}:3"
    found = Result(outcome="found", schedules=3, trouble=slow)
    assert "| it was too slow, at actors/system.py:3 |" in page.row(MUTANTS[0], found)


def test_the_page_says_which_rows_are_of_older_code(tmp_path: Path) -> None:
    """Each row has the code that it was searched for in; one without is of older code."""
    for folder in CODE:
        (tmp_path / folder).mkdir()
    codes = []
    for text in ("one", "two"):
        (tmp_path / CODE[0] / "file.py").write_text(text)
        codes.append(code_digest(tmp_path))
    before, now = codes
    assert before != now == code_digest(tmp_path)
    found, missed = Result(outcome="found", schedules=7), Result(outcome="not found", schedules=9)
    rows = {
        MUTANTS[0].name: page.row(MUTANTS[0], found, code=now),
        MUTANTS[1].name: page.row(MUTANTS[1], missed, code=before),
        MUTANTS[2].name: page.row(MUTANTS[2], found),
    }
    assert f"| 7 at {now} |" in rows[MUTANTS[0].name]
    assert f"| not in 9 at {before} |" in rows[MUTANTS[1].name]
    assert [page.is_found(each) for each in rows.values()] == [True, False, True]
    text = "\n".join(page.section(MUTANTS, rows, now))
    assert f"The code was {now} when this was written: 1 row is of it, 2 are of older code." in text
    assert page.known_rows(text) == rows


def test_every_mutant_has_its_row_and_every_row_its_mutant() -> None:
    """The page is what its own rows make, in the table's order, sums included."""
    text = PAGE.read_text(encoding="utf-8")
    kept = text.partition("<!-- mutants -->")[2].partition("<!-- end of mutants -->")[0]
    rows = page.known_rows(kept)
    assert {page.cell(each) for each in MUTANTS} ^ rows.keys() == set()
    code = kept.partition("The code was ")[2].partition(" ")[0]
    assert page.replaced(text, "mutants", page.section(MUTANTS, rows, code)) == text


def test_a_name_that_is_none_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is searched for, and the page stays as it is."""
    monkeypatch.setattr("sys.argv", ["mutants", "--only", "no such mutant"])
    assert main() == 2
    assert capsys.readouterr().err == "no mutant's name has 'no such mutant' in it\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return Tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.long
@pytest.mark.real_time
def test_a_hunt_tells_how_it_ended(tree: Tree) -> None:
    """Found by what it does; not found; not to be booted; out of time: and no change is left."""
    named = {each.name: each for each in MUTANTS}
    inverted = named["sentiment is inverted"]
    found = tree.hunt(inverted, schedules=20, seconds_max=120.0, first=2)
    assert found.outcome == "found"
    assert "scores" in found.trouble
    unbootable = msgspec.structs.replace(inverted, new="else nobody.knows(")
    assert tree.hunt(unbootable, schedules=1, seconds_max=120.0).outcome == "invalid"
    unread = msgspec.structs.replace(
        inverted, file="actors/app.py", old="import asyncio", new="1/0"
    )
    assert tree.hunt(unread, schedules=1, seconds_max=120.0).outcome == "invalid"
    late = tree.hunt(inverted, schedules=20, seconds_max=0.01)
    assert (late.outcome, late.schedules) == ("out of time", 0)
    for each in (inverted, unread):
        assert (tree.place / each.file).read_text() == (ROOT / each.file).read_text()
