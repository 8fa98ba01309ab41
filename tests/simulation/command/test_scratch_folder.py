"""Simulated files are in a folder of their own, which is gone in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from actors.errors import ConfigError
from actors.simulation.command.scratch_folder import PREFIX, scratch_folder
from actors.store.files.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let memory be a folder of the test's."""
    monkeypatch.setattr(f"{scratch_folder.__module__}.IN_MEMORY", tmp_path)


def test_the_folder_is_private_and_goes(tmp_path: Path) -> None:
    """For this user alone; removed with what is in it, also where something was raised."""

    def use() -> None:
        with scratch_folder() as folder:
            assert folder.parent == tmp_path
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "run").mkdir()
            (folder / "run" / "file").write_text("x")
            raise RuntimeError("in between")

    with pytest.raises(RuntimeError, match="in between"):
        use()
    assert list(tmp_path.iterdir()) == []


def test_two_at_a_time_have_two_folders() -> None:
    """A name that is taken is left alone."""
    with scratch_folder() as one, scratch_folder() as other:
        assert one != other
        assert one.is_dir()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """The kernel took its lock back; what is in use, or a link to elsewhere, stays."""
    left, used, linked = (tmp_path / f"{PREFIX}{name}" for name in ("1-0", "2-0", "3-0"))
    target = tmp_path / "precious"
    for folder in (left, used, target):
        folder.mkdir()
        (folder / "file").write_text("x")
    linked.symlink_to(target)
    with DirectoryLock(used).acquire(holder="somebody"), scratch_folder():
        assert not left.exists()
        assert (used / "file").exists()
    assert [each.name for each in target.iterdir()] == ["file"]


def test_one_that_its_owner_removes_meanwhile_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two simulations begin and end side by side."""
    (tmp_path / f"{PREFIX}1-0").mkdir()
    monkeypatch.setattr(type(tmp_path), "is_symlink", lambda path: path.rmdir())
    with scratch_folder() as folder:
        assert [*tmp_path.iterdir()] == [folder]


def test_without_memory_it_is_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system without /dev/shm serves as well; without any folder the error names it."""
    monkeypatch.setattr(f"{scratch_folder.__module__}.IN_MEMORY", tmp_path / "none")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with scratch_folder() as folder:
        assert folder.parent == tmp_path
    monkeypatch.setenv("TMPDIR", str(tmp_path / "neither"))
    with pytest.raises(ConfigError, match=r"no folder can be made in .*neither"), scratch_folder():
        pass
