"""What a campaign found: failures, told apart by what they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from actors.simulation.stage.staging import Played  # noqa: TC001 - a field's type

if TYPE_CHECKING:
    from collections.abc import Iterator

# What tells two findings of one bug apart, besides all but the first line. The innermost braces,
# for one in another is left out after it; an address's query; and what is quoted.
SAID: Final = re.compile(
    r"""\{[^{}]*(\}|$)|\[[^][]*(\]|$)|(?<=\w)\?\S+|(?<!\w)'([^'\\]|\\.)*('|$)|"[^"]*("|$)"""
)
# Numbers, and the ids, keys and names of clients that one is in.
NUMBERED: Final = re.compile(r"[\w.-]*\d[\w.-]*")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A run in which something was wrong.

    `lost`: its process ended, so that no trace of it is left, and nobody should play it here.
    """

    system: str
    played: Played
    lost: bool = False

    @property
    def kind(self) -> str:
        """What it is, whatever its particulars."""
        return trouble_kind(self.played.troubles[0])


class Findings:
    """The first failure of each kind, in the order in which they were found, and how many."""

    def __init__(self) -> None:
        """Nothing was found yet."""
        self._firsts: dict[tuple[str, str], Failure] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, failure: Failure) -> None:
        """Count a failure."""
        key = (failure.system, failure.kind)
        self._firsts.setdefault(key, failure)
        self._counts[key] = self._counts.get(key, 0) + 1

    def __len__(self) -> int:
        """How many kinds there are."""
        return len(self._firsts)

    def __iter__(self) -> Iterator[tuple[Failure, int]]:
        """Yield the first failure of each kind, and how many schedules failed so."""
        for key, failure in self._firsts.items():
            yield failure, self._counts[key]

    @property
    def failures(self) -> int:
        """In how many schedules something was wrong."""
        return sum(self._counts.values())


def trouble_kind(trouble: str) -> str:
    """Return what kind of trouble it is: its first line without numbers, ids and what was said."""
    kind, count = trouble.partition("\n")[0], 1
    while count:
        kind, count = SAID.subn("#", kind)
    return NUMBERED.sub("#", kind)
