"""Of the files beside the databases a power cut leaves what was synced, under names that were."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from actors.simulation.files.small_files import SmallFiles

if TYPE_CHECKING:
    from pathlib import Path

    from actors.simulation.files.write_ahead_log import Loss

OLD, NEW = b"what was there", b"what is there now"


class Replaced:
    """A file that is replaced by a whole one of the same name; a step is synced, or it is not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "note.json"
        self.path.write_bytes(OLD)
        self.files = SmallFiles(folder)

    def replace(self, *, content: bool, name: bool) -> None:
        draft = self.path.with_name("note.new")
        draft.write_bytes(NEW)
        if content:
            self._sync(draft)
        draft.replace(self.path)
        if name:
            self._sync(self.folder)

    def _sync(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self.files.synced(descriptor)
        os.close(descriptor)


@pytest.mark.parametrize(
    ("content", "name", "left"),
    [
        (True, True, {"keep": NEW, "lose": NEW, "tear": NEW}),
        (False, True, {"keep": NEW, "lose": b"", "tear": NEW[: len(NEW) // 2]}),
        (True, False, {"keep": NEW, "lose": OLD, "tear": NEW}),
        (False, False, {"keep": NEW, "lose": OLD, "tear": NEW[: len(NEW) // 2]}),
    ],
)
def test_what_is_left_of_a_file_that_was_replaced(
    tmp_path: Path, *, content: bool, name: bool, left: dict[Loss, bytes]
) -> None:
    """Whole after both were synced; else it may be empty, half of it, or the one before."""
    file = Replaced(tmp_path)
    file.replace(content=content, name=name)
    assert {loss: file.files.after_cut(loss) for loss in left} == {
        loss: {file.path: found} for loss, found in left.items()
    }


def test_a_file_whose_name_was_not_synced_is_gone(tmp_path: Path) -> None:
    """One that was removed and not synced is back; databases are somebody else's."""
    (tmp_path / "old").write_bytes(OLD)
    files = SmallFiles(tmp_path)
    (tmp_path / "old").unlink()
    (tmp_path / "new").write_bytes(NEW)
    (tmp_path / "room.db").write_bytes(NEW)
    assert files.after_cut("lose") == {tmp_path / "old": OLD, tmp_path / "new": None}
    assert files.after_cut("keep") == {tmp_path / "new": NEW}
