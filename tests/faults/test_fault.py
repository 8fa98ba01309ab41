"""A fault is a value, of one vocabulary that knows nothing of who does it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from actors.faults.fault import Fault
from actors.faults.fault_kinds import FAULTS, FaultName
from tests.architecture import imports

FOLDER = Path(__file__).parents[2] / "actors" / "faults"


def test_every_kind_has_its_name_and_its_end() -> None:
    """The two lists of names agree; what ends another lasts no time itself."""
    assert tuple(FAULTS) == get_args(FaultName)
    ends = {kind.ended_by for kind in FAULTS.values() if kind.ended_by}
    assert ends == {
        "resume",
        "mend_store",
        "mend_world",
        "free_disk",
        "heal",
        "cure",
        "unlock_file",
        "present_version",
    }
    assert all(FAULTS[end].ended_by is None for end in ends)


@pytest.mark.parametrize("name", FAULTS)
def test_every_kind_can_be_said_kept_and_read(name: FaultName) -> None:
    """With each of its amounts."""
    for amount_ms in FAULTS[name].amounts_ms or (0,):
        fault = Fault(name, "it", amount_ms)
        assert "{" not in str(fault)
        assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault
        assert (fault.end is None) == (FAULTS[name].ended_by is None)


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        ({"name": "burn", "target": "room"}, "burn"),
        ({"name": "kill", "target": "room", "amount_ms": 5}, "has no"),
        ({"name": "slow_link", "target": "a>b"}, "needs an"),
        ({"name": "slow_link", "target": "a>b", "amount_ms": -1}, "less time"),
    ],
)
def test_what_is_no_fault_is_refused(fault: dict[str, object], trouble: str) -> None:
    """With a sentence, whoever wrote it."""
    with pytest.raises(msgspec.ValidationError, match=trouble):
        msgspec.convert(fault, Fault)


def test_the_vocabulary_knows_nothing_of_ours() -> None:
    """A live seam and a simulated one are given the same values."""
    for path in FOLDER.glob("*.py"):
        relative = path.relative_to(FOLDER.parents[1]).as_posix()
        known = {
            target for _, target, _ in imports(ast.walk(ast.parse(path.read_text())), relative)
        }
        assert all(
            target.startswith("actors.faults")
            for target in known
            if target.startswith(("actors", "http_edge", "runtime"))
        )
