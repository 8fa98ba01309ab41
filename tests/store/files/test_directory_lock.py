"""What the lock promises: one process a data directory, whatever others leave behind."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from actors.errors import StoreError, StoreLocked
from actors.store.files.directory_lock import DirectoryLock

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]

# Holds the lock until its standard input closes; with "child", a child of its own outlives it.
HOLDER = """
import subprocess, sys
from pathlib import Path
from actors.store.files.directory_lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1])).acquire(holder="runtime.py\\n --seed 7")
if "child" in sys.argv:
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    subprocess.Popen(wait, close_fds=False, stdout=subprocess.DEVNULL)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(data_dir: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a real second process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(data_dir), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


@pytest.mark.real_time
def test_second_process_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    """The refusal names the holder's pid and command and says what to do; then the way is free."""
    with other_process(tmp_path) as process:
        with pytest.raises(StoreLocked) as refusal:
            DirectoryLock(tmp_path).acquire(holder="second")
        assert f"process {process.pid} (runtime.py --seed 7)" in str(refusal.value)
        assert str(tmp_path) in str(refusal.value)
        assert "--data-dir" in str(refusal.value)
    with DirectoryLock(tmp_path).acquire(holder="second"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\nsecond\n"


@pytest.mark.real_time
@pytest.mark.parametrize("options", [(), ("child",)])
def test_killed_process_holds_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    """SIGKILL frees the lock, even while a child that was told to inherit everything lives on."""
    with other_process(tmp_path, *options) as process:
        process.kill()
        process.wait()
        assert (tmp_path / "lock").read_text().startswith(str(process.pid))
        DirectoryLock(tmp_path).acquire(holder="next").release()


def test_second_lock_in_one_process_is_refused(tmp_path: Path) -> None:
    """Two runtimes in one process exclude each other, too."""
    with DirectoryLock(tmp_path).acquire(holder="first") as lock:
        with pytest.raises(StoreLocked, match=f"process {os.getpid()} "):
            DirectoryLock(tmp_path).acquire(holder="second")
        with pytest.raises(StoreError, match="already held"):
            lock.acquire(holder="first")
    lock.release()
    with lock.acquire(holder="again"):
        pass
    with pytest.raises(StoreError, match="acquire"), lock:
        pass


@pytest.mark.parametrize(
    "content", [b"", b"not a pid\n", b"999999999\nlong dead\n", b"9" * 400, b"\xff\n\xff", b"\n"]
)
def test_lock_without_a_holders_name_is_still_a_lock(tmp_path: Path, content: bytes) -> None:
    """Until the holder has written its name, a dead or senseless one is not believed."""
    with DirectoryLock(tmp_path).acquire(holder="first"):
        (tmp_path / "lock").write_bytes(content)
        with pytest.raises(StoreLocked, match="another process, which has not written its pid"):
            DirectoryLock(tmp_path).acquire(holder="second")


def test_directory_is_created_for_its_owner_alone(tmp_path: Path) -> None:
    """A missing data directory appears with mode 0700 and its lock with 0600."""
    data_dir = tmp_path / "deep" / "data"
    with DirectoryLock(data_dir).acquire(holder="first"):
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
        assert stat.S_IMODE((data_dir / "lock").stat().st_mode) == 0o600


def test_place_that_cannot_be_locked_is_a_typed_error(tmp_path: Path) -> None:
    """A file instead of a directory, above it, or a directory instead of the lock: all named."""
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "data" / "lock").mkdir(parents=True)
    for place, reason in [
        ("file", "not a directory"),
        ("file/data", "not a directory"),
        ("data", "cannot lock"),
        ("n" * 300, "cannot lock"),
    ]:
        with pytest.raises(StoreError, match=reason) as failure:
            DirectoryLock(tmp_path / place).acquire(holder="first")
        assert str(tmp_path / place) in str(failure.value)


def test_unwritable_directory_is_a_typed_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing permission, and a full disk while the name is written, leave nothing held."""

    def fail(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    # Tests may run as root, whom chmod does not bind: so the system's answer is replaced.
    for call in ("open", "pwrite"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(StoreError, match=r"cannot lock .*Permission denied"):
                DirectoryLock(tmp_path).acquire(holder="first")
    DirectoryLock(tmp_path).acquire(holder="second").release()


def test_long_or_many_lined_holder_is_one_short_line(tmp_path: Path) -> None:
    """Whatever the command line, the file names the pid and stays small."""
    with DirectoryLock(tmp_path).acquire(holder="ü\n" * 5000):
        content = (tmp_path / "lock").read_bytes()
        assert len(content) <= 1024
        with pytest.raises(StoreLocked, match=f"process {os.getpid()} \\(ü ü"):
            DirectoryLock(tmp_path).acquire(holder="second")


def test_a_holder_that_is_no_text_is_named_as_far_as_it_is(tmp_path: Path) -> None:
    """The program's own path may hold anything."""
    with (
        DirectoryLock(tmp_path).acquire(holder="d\udcff/runtime.py"),
        pytest.raises(StoreLocked, match=r"\(d\\udcff/runtime\.py\)"),
    ):
        DirectoryLock(tmp_path).acquire(holder="second")


def test_a_folder_that_can_only_be_read_is_locked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a read-only file system the lock that is there excludes others; its text stays."""
    path = tmp_path / "lock"
    path.write_text("")
    opened = os.open

    def open_read_only(name: Path, flags: int, mode: int = 0o777) -> int:
        if flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return opened(name, flags, mode)

    monkeypatch.setattr(os, "open", open_read_only)
    with DirectoryLock(tmp_path).acquire(holder="first") as lock:
        lock.note_address("http://127.0.0.1:1")
        with pytest.raises(StoreLocked):
            DirectoryLock(tmp_path).acquire(holder="second")
    assert path.read_text() == ""
    path.unlink()
    with pytest.raises(StoreError, match="Read-only file system"):
        DirectoryLock(tmp_path).acquire(holder="first")
