"""Backups that an operator orders while a system runs: each holds what was there at its moment."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

from actors.errors import BackupRefused
from actors.simulation.files.every_row import every_row
from actors.store.files.backup import check_backup, restore_backup

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    Operator = Callable[[str, str, Any], Awaitable[Any]]

MADE: Final = 201
# The whole path of a backup has as many characters, wherever a run is played: what is said of it
# takes as long to send.
PATH_CHARS: Final = 180
# What opens doors is in no backup.
KEYS: Final = (".token", ".json")


class RunningBackups:
    """Orders them, and knows what each has to hold, by what the files hold at its moment."""

    def __init__(self, folder: Path) -> None:
        """`folder` has the data."""
        self._folder = folder
        self._targets: list[Path] = []
        self._answered: set[Path] = set()
        self._making: Path | None = None
        self._rows: dict[Path, Any] = {}

    def __bool__(self) -> bool:
        """Whether any was ordered."""
        return bool(self._targets)

    async def order(self, operator: Operator) -> str:
        """Have one made; return how that was answered."""
        start = f"{self._folder}-backup-{len(self._targets)}-"
        target = self._folder.with_name(f"{start:x<{PATH_CHARS}}".rpartition("/")[2])
        self._targets.append(target)
        reply = await operator("POST", "/admin/backup", {"dir": str(target)})
        if reply.status == MADE:
            self._answered.add(target)
        return str(reply.status or "not answered")

    def begun(self, target: Path) -> None:
        """Hear which one is being made."""
        self._making = target

    def taken(self) -> None:
        """Hear that all stand still, and each file is held as it is."""
        if self._making is not None:
            self._rows[self._making] = every_row(self._folder)

    def restored(self, place: Path) -> Iterator[tuple[str, list[str]]]:
        """Put each into that folder, one after the other: what it is called, what is wrong with it.

        What was never acknowledged, and is no whole backup, is none.
        """
        for number, target in enumerate(self._targets):
            if not target.exists():
                continue
            name = f"backup {number}"
            try:
                check_backup(target)
            except BackupRefused as error:
                if target in self._answered:
                    yield name, [f"it was acknowledged, and is none: {error}"]
                continue
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(mode=0o700)
            contents, _ = restore_backup(target, place)
            self._lay_keys(place)
            found = [f"{service} is missing: {why}" for service, why in contents.missing.items()]
            if every_row(place) != self._rows.get(target):
                found.append("what was put back is not what was there at its moment")
            yield name, found

    def _lay_keys(self, place: Path) -> None:
        """Let who knew the keys know them still; a system makes new ones, which nobody knows."""
        for path in self._folder.iterdir():
            if path.name.endswith(KEYS) and not (place / path.name).exists():
                shutil.copy(path, place / path.name)

    def clear(self) -> None:
        """Leave nothing of them."""
        for each in self._targets:
            shutil.rmtree(each, ignore_errors=True)
