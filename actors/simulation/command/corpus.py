"""Scripts that somebody keeps, played before any seed: what was found once stays found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from actors.errors import ConfigError
from actors.simulation.command.recording import Recording, system_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from actors.simulation.command.campaign import Campaign
    from actors.simulation.command.findings import Failure
    from actors.simulation.stage.staging import Played
    from actors.system import System


class Corpus:
    """The scripts of a folder, by their files; a page or anything else beside them is none."""

    def __init__(self, recordings: Mapping[Path, Recording]) -> None:
        """None was played yet."""
        self._recordings = recordings
        # Which file has failed, by the system and the kind of its first trouble.
        self._failed: dict[tuple[str, str], Path] = {}

    @classmethod
    def read(cls, folder: Path | None, systems: Mapping[str, System]) -> Self:
        """Return what a folder has of these systems. Raises ConfigError, also where it is none."""
        if folder is None:
            return cls({})
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder")
        files = [path for path in sorted(folder.glob("*.json")) if path.is_file()]
        paths = [path for path in files if system_in(path) in systems]
        return cls({path: Recording.read(path, systems) for path in paths})

    def __len__(self) -> int:
        return len(self._recordings)

    def play(
        self,
        campaign: Campaign,
        seen: Callable[[str, Played], None],
        *,
        keep: bool,
        keep_going: bool,
    ) -> bool:
        """Play all, or until one fails unless it is to `keep_going`; return whether all held.

        `seen` hears of each run, whose trace is there with `keep`. Raises ConfigError where a file
        has a target that there is not.
        """
        for path, recording in self._recordings.items():
            if campaign.stopping or (self._failed and not keep_going):
                break
            system = recording.system
            recording.check_targets(path, campaign.rehearsals[system].targets)
            known = len(campaign.findings)
            seen(system, campaign.rehearse(system, recording.script, keep=keep))
            if len(campaign.findings) > known:
                *_, (failure, _count) = campaign.findings
                self._failed[failure.system, failure.kind] = path
        return not self._failed

    def file_of(self, failure: Failure) -> Path | None:
        """Return which file has failed so first, if any did before a seed."""
        return self._failed.get((failure.system, failure.kind))
