"""What must come of something that has happened to a folder: who is down, who serves on."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from actors.errors import DressRehearsalError, NothingWaits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from actors.kernel.stats import ActorStats
    from actors.service.assembly import ServiceSystem

# How long somebody is waited for who is to be up, or down, in virtual seconds, and how often is
# looked: who is down for what a restart might mend spends its budget first.
SETTLED_S_MAX: Final = 60.0
LOOK_S: Final = 1.0
RUNNING: Final = "running"
PARKED: Final = "parked"
# Who crashes of one of these is not started again before somebody has done something about it.
UNMENDED: Final = ("PastLost", "StoreForeign", "StoreCorrupt", "SchemaError", "ManifestUnreadable")
# A type that no version of any system has had.
UNKNOWN: Final = "NobodySaysThis"


class NextProcess(Protocol):
    """What runs on the folder next."""

    system: ServiceSystem
    # Of those that nobody wished for, who and why: "name: reason".
    crashes: list[str]

    async def boot(self) -> None:
        """Start it."""

    async def stop(self) -> None:
        """End it in order."""

    async def end(self) -> None:
        """End it at once, if it runs."""

    def signal(self, what: str, service: str, /) -> None:
        """Do something to a service as an operator would."""

    def actors(self) -> Sequence[ActorStats]:
        """Return how all stand."""


class Aftermath:
    """Looks at the process that runs on the folder next; each look returns what is wrong.

    `concerned` may crash of it: who is to be down, and who stands and falls with them.
    """

    def __init__(
        self, folder: Path, process: NextProcess, *, other: str, siblings: Mapping[str, str]
    ) -> None:
        """`other` serves on, and is asked; `siblings` is who stands in which group."""
        self._folder = folder
        self._process = process
        self._other = other
        self._siblings = siblings
        self.concerned: set[str] = set()

    async def is_left_alone(self, *services: str) -> list[str]:
        """Boot: they are down, and what lies there is what lay there."""
        before = [self.content(each) for each in services]
        await self._process.boot()
        found = await self.is_down(*services)
        if before != [self.content(each) for each in services]:
            found.append("something was written into it")
        return found

    async def is_down(self, *services: str) -> list[str]:
        """They are parked, at once; all who do not stand and fall with them are up, and answer."""
        siblings = self._siblings
        groups = {siblings[each] for each in services if each in siblings}
        beside = {*groups, *(each for each, group in siblings.items() if group in groups)}
        self.concerned |= {*services, *beside}

        def wrong() -> list[str]:
            return [
                f"{each.name} is {each.state}"
                for each in self._process.actors()
                if each.state != (PARKED if each.name in services else RUNNING)
                and (each.name in services or each.name not in beside)
            ]

        found = await _in_time(wrong)
        found += self._started_in_vain(services)
        if self._other not in self.concerned:
            found += await self._answers(self._other)
        return found

    def _started_in_vain(self, services: Sequence[str]) -> list[str]:
        """Return who was started again with what no start mends."""
        crashes = Counter([tuple(each.split(": ")[:2]) for each in self._process.crashes])
        return [
            f"{name} was started again {count - 1} times with a {kind}"
            for (name, kind), count in crashes.items()
            if name in services and kind in UNMENDED and count > 1
        ]

    async def _answers(self, service: str) -> list[str]:
        """It looks into its file when it is asked to, and says what is there."""
        try:
            gone = await self._process.system.let_timers_go(service, UNKNOWN)
        except NothingWaits:
            return []
        except DressRehearsalError as error:
            return [f"{service} does not answer: {type(error).__name__}: {error}"]
        return [f"{service} has let {gone} timers go that there were not"]

    async def all_are_up(self, *, stop: bool = True) -> list[str]:
        def wrong() -> list[str]:
            return [
                f"{each.name} is {each.state}"
                for each in self._process.actors()
                if each.state != RUNNING
            ]

        found = await _in_time(wrong)
        if stop:
            await self._process.stop()
        return found

    def content(self, service: str) -> dict[str, bytes]:
        """Return what its file and its log hold, by name; a log of nothing is none."""
        paths = [self._folder / f"{service}.db{end}" for end in ("", "-wal")]
        return {
            each.name: each.read_bytes() for each in paths if each.is_file() and each.stat().st_size
        }


async def _in_time(wrong: Callable[[], list[str]]) -> list[str]:
    """Return what is still wrong when it should have settled."""
    waited_s = 0.0
    while (found := wrong()) and waited_s < SETTLED_S_MAX:
        await asyncio.sleep(LOOK_S)
        waited_s += LOOK_S
    return found
