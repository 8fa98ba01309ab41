"""No SQLite file is opened, checked or blamed except here, and none fails without a typed error."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from actors.errors import StoreCorrupt, StoreError, StoreRefused, StoreUnwritable
from actors.store.files.directory_lock import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.config import StoreConfig

T = TypeVar("T")

# What a statement is given that is no number or text, sqlite3 asks for a form that SQLite takes, by
# attributes that bytes and None lack: two errors made and dropped, half of what such a value costs.
# Registered, they are their own form. It is the process's, and no answer is another than before.
sqlite3.register_adapter(bytes, bytes)
_nothing: dict[None, None] = {}
sqlite3.register_adapter(type(None), _nothing.get)

# Several times the distinct statements of the largest service, so that none is parsed twice.
STATEMENTS_CACHED: Final = 256

# SQLite takes a file shorter than its smallest page for a new database and writes over it.
PAGE_BYTES_MIN: Final = 512

# What an integrity check may report: the first few say it all, and a message must stay readable.
PROBLEMS_SHOWN_MAX: Final = 5
PROBLEM_CHARS_MAX: Final = 500

_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# The file system itself says that what it read is not what was written.
_CORRUPT_EXTENDED: Final = frozenset({sqlite3.SQLITE_IOERR_CORRUPTFS, sqlite3.SQLITE_IOERR_DATA})

# A damaged schema also surfaces as plain SQL errors and, where SQLite quotes the damaged text, as
# an error message that Python cannot decode.
UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)

# What to do, by SQLite's primary result code. Codes that are absent are the caller's own doing.
_REFUSED: Final = {
    sqlite3.SQLITE_FULL: "free some disk space",
    sqlite3.SQLITE_READONLY: "make the file and its folder writable for this user",
    sqlite3.SQLITE_IOERR: "look at the disk and the kernel log",
    sqlite3.SQLITE_CANTOPEN: "look at the file, its folder, their owner and the open-file limit",
    # BUSY is another connection, so the disk's fault as seen from here; LOCKED is a conflict
    # within this one connection, so a handler's fault, and therefore not in this table.
    sqlite3.SQLITE_BUSY: "another connection held the lock beyond store.busy_s_max; find it",
    sqlite3.SQLITE_PROTOCOL: "another connection held the lock beyond store.busy_s_max; find it",
    sqlite3.SQLITE_NOLFS: "put the data on a file system that allows large files",
}


# Of these, what leaves a chance that the file can be read.
_UNWRITABLE: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
    }
)

# How to read a file beside which nothing can be written, and not `immutable`, which leaves out
# the log and so what was acknowledged last. The log's index is a file of 32 KB or more: as usual;
# else in memory, for which the file must be ours alone; else, where not even a lock can be written
# (a read-only file system), made anew in memory from what lies there.
_WITHOUT_ROOM: Final = (
    ("rw", ()),
    ("rw", ("PRAGMA locking_mode = EXCLUSIVE",)),
    ("ro&readonly_shm=1", ()),
)

# How to read a file that has no log and that nobody uses, so that none is made beside it.
_AT_REST: Final = "ro&immutable=1"

# What an open needs beside the file: the log's index, and the first pages of the log.
ROOM_BYTES: Final = 65536


def open_writer(path: Path, config: StoreConfig) -> sqlite3.Connection:
    """Open the store file at `path` for reading and writing, creating it if it is missing.

    Transactions are the caller's to begin. The folder must exist: one that has vanished is
    trouble to report, not to paper over with an empty store. Raises StoreRefused or StoreCorrupt.
    """
    _check_place(path, must_write=True)
    try:
        if not path.exists():
            _create(path)
        _share_mode(path)
        return _open(
            path,
            config,
            (
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                f"PRAGMA journal_size_limit = {config.wal_kept_kib * 1024}",
            ),
        )
    except OSError as error:
        message = f"cannot create {path}: {error.strerror}; look at its folder and the disk"
        raise StoreRefused(message) from error


def open_reader(path: Path, config: StoreConfig) -> sqlite3.Connection:
    """Open the store file at `path` for reading; every write through it fails.

    The file must exist. Raises StoreRefused or StoreCorrupt.
    """
    _check_place(path, must_write=False)
    # query_only and not mode=ro: a read-only open cannot make the -shm file that WAL readers need.
    return _open(path, config, ("PRAGMA query_only = ON",))


def open_quietly(path: Path, config: StoreConfig) -> sqlite3.Connection:
    """Open the store file at `path` to look at it, before it is anybody's.

    Unlike the others it checkpoints nothing when it is closed: a write-ahead log that is not the
    file's would be written into it. Where no process uses the folder, it makes no file there that
    the last one has not left: it may be a backup, on a read-only disk. Raises StoreRefused or
    StoreCorrupt.
    """
    _check_place(path, must_write=False)
    if _wal_bytes(path) == 0 and holder_of(path.parent) is None:
        return _open(path, config, (), mode=_AT_REST)
    try:
        return _open(path, config, (), mode="ro")
    except StoreUnwritable:
        # No room for the log's index: then in memory, for which SQLite wants to see the file. Not
        # by a lock on all (see _WITHOUT_ROOM): the end of such a connection is a checkpoint.
        with suppress(OSError):
            path.with_name(f"{path.name}-shm").touch(mode=0o600)
        return _open(path, config, (), mode="ro&readonly_shm=1")


def open_without_room(path: Path, config: StoreConfig) -> sqlite3.Connection:
    """Open for reading where nothing can be written: with all that was acknowledged, or not at all.

    Raises StoreRefused or StoreCorrupt.
    """
    _check_place(path, must_write=False)
    for mode, pragmas in _WITHOUT_ROOM[:-1]:
        with suppress(StoreRefused):
            return _open(path, config, ("PRAGMA query_only = ON", *pragmas), mode=mode)
    mode, pragmas = _WITHOUT_ROOM[-1]
    return _open(path, config, ("PRAGMA query_only = ON", *pragmas), mode=mode)


def has_room(path: Path) -> bool:
    """Whether what an open needs can be written beside the file, and the file itself grow."""
    wal = path.with_name(f"{path.name}-wal")
    draft = path.with_name(f".{path.name}.room")
    try:
        if path.exists() and not os.access(path, os.W_OK):
            return False
        end = max([file.stat().st_size for file in (path, wal) if file.exists()], default=0)
        descriptor = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            draft.unlink()
            # As far out as the next write: a limit on the size of files counts as a full disk.
            written = os.pwrite(descriptor, bytes(ROOM_BYTES), end)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        return False
    return written == ROOM_BYTES


def verify(connection: sqlite3.Connection, path: Path | None = None) -> None:
    """Raise StoreCorrupt unless every page, row, index and reference in the file is consistent.

    `integrity_check` and not `quick_check`: only the former compares every index with its table
    and so notices a flipped byte in an indexed value. Neither can notice one in the payload of a
    column that no index holds: SQLite keeps no checksum over pages. Reads the whole file (some
    20 ms a MB), so it is for an open after damage was seen; see integrity.py for every other. The
    file to blame is `path` where the connection's is a copy of it.
    """
    path = path or database_path(connection)
    try:
        checked = connection.execute(f"PRAGMA integrity_check({PROBLEMS_SHOWN_MAX})").fetchall()
        problems = [line for (line,) in checked if line != "ok"]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    except UNREADABLE as error:
        raise as_damage(error, path) from error
    problems += [f"row {row} of {table} refers to no {parent}" for table, row, parent, _ in orphans]
    if problems:
        raise corrupt(path, "; ".join(problems[:PROBLEMS_SHOWN_MAX]))


def database_path(connection: sqlite3.Connection) -> Path:
    """Return where the connection's main file is; needs no readable page of it."""
    for _, name, file in connection.execute("PRAGMA database_list"):
        if name == "main":
            return Path(file or ":memory:")
    message = "the connection has no main database"
    raise StoreError(message)


def look(
    path: Path, function: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection
) -> T:
    """Return `function(connection)`, which reads. What SQLite says against it is a StoreError."""
    try:
        return function(connection)
    except sqlite3.Error as error:
        raise translate(error, path, reading=True) or StoreError(f"{path}: {error}") from error


def translate(error: sqlite3.Error, path: Path, *, reading: bool = False) -> StoreError | None:
    """Return what `error` says about the file at `path`, or None if the caller's SQL is to blame.

    StoreCorrupt: the file is damaged. StoreRefused: disk full or failing, file read-only, or
    another connection's lock outlasted `busy_s_max`. None: constraint, syntax, interrupt,
    conversion. With `reading`, a write refused by `query_only` is the caller's too.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by the sqlite3 module and not by SQLite
        return None
    primary = code & 0xFF
    name = error.sqlite_errorname
    if primary in _CORRUPT or code in _CORRUPT_EXTENDED:
        return corrupt(path, f"{error} ({name})")
    if reading and code == sqlite3.SQLITE_READONLY:
        return None
    if primary in _REFUSED:
        kind = StoreUnwritable if primary in _UNWRITABLE else StoreRefused
        return kind(f"{path}: {error} ({name}); nothing was kept: {_REFUSED[primary]}")
    return None


def corrupt(path: Path, problem: str) -> StoreCorrupt:
    """Return what is wrong with the file, and what to do."""
    if len(problem) > PROBLEM_CHARS_MAX:
        problem = f"{problem[:PROBLEM_CHARS_MAX]} ..."
    return StoreCorrupt(
        f"{path} is damaged: {problem}. Stop the system; move {path.name} out of {path.parent} "
        f"together with {path.name}-wal (keep it: it may hold the latest commits) and "
        f"{path.name}-shm; then restore a backup, or try `sqlite3 {path.name} .recover`"
    )


def as_damage(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> StoreError:
    """Return what is wrong with a file of which only its structure was read."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        return StoreError(f"{path}: {error}")
    # Nobody's SQL but this file's has run, so whatever `translate` does not know is damage.
    known = translate(error, path) if isinstance(error, sqlite3.Error) else None
    return known or corrupt(path, str(error))


def _check_place(path: Path, *, must_write: bool) -> None:
    # By stat alone: closing a descriptor of our own on the file would drop every POSIX lock that
    # this process's other connections hold on it (sqlite.org/howtocorrupt.html, section 2.2).
    try:
        found = _found(path)
        if found is None:
            if not path.parent.is_dir():
                folder = path.parent
                message = f"{folder} is not a folder; create it, or point runtime.data_dir at one"
                raise StoreRefused(message)
            return
        if not stat.S_ISREG(found.st_mode):
            message = f"{path} is not a file; move it away"
            raise StoreRefused(message)
        if (size := found.st_size) < PAGE_BYTES_MIN:
            raise corrupt(path, f"it has {size} bytes, and this program never leaves so few")
    except OSError as error:
        message = f"cannot open {path}: {error.strerror}; look at its folder and their owner"
        raise StoreRefused(message) from error
    # SQLite falls back to read-only without a word; the first commit is too late to hear of it.
    if not os.access(path, os.R_OK | os.W_OK if must_write else os.R_OK):
        message = f"{path} is not readable and writable; {_REFUSED[sqlite3.SQLITE_READONLY]}"
        raise StoreUnwritable(message)


def _found(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - at each open, and twice as fast
    except (FileNotFoundError, NotADirectoryError):
        return None


def _share_mode(path: Path) -> None:
    # What a file's readers made beside it while it was read-only is read-only, too.
    for beside in (f"{path}-wal", f"{path}-shm"):
        if os.path.exists(beside) and not os.access(beside, os.W_OK):  # noqa: PTH110 - likewise
            with suppress(OSError):
                os.chmod(beside, stat.S_IMODE(path.stat().st_mode))  # noqa: PTH101


def _create(path: Path) -> None:
    # A store appears whole or not at all, so that an empty file can only mean damage. The commit
    # that follows makes the name durable: SQLite syncs the folder with the first sync of a WAL.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.new")
    draft.unlink(missing_ok=True)
    # -wal and -shm inherit these permissions.
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        # Unlike a rename, a link cannot replace the file of another opener who was faster.
        with suppress(FileExistsError):
            os.link(draft, path)
    except sqlite3.Error as error:
        raise translate(error, path) or StoreRefused(f"cannot create {path}: {error}") from error
    finally:
        draft.unlink(missing_ok=True)


def _open(
    path: Path, config: StoreConfig, pragmas: tuple[str, ...], *, mode: str = "rw"
) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            # rw and not the default rwc: only `_create` makes files.
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=config.busy_s_max,
            isolation_level=None,
            # A dead incarnation's connection is rolled back and closed from another thread.
            check_same_thread=False,
            cached_statements=STATEMENTS_CACHED,
        )
    except sqlite3.Error as error:
        raise translate(error, path) or StoreRefused(f"cannot open {path}: {error}") from error
    try:
        _configure(connection, path, config, pragmas)
        if mode != _AT_REST:
            _check_mode(connection, path)
    except UNREADABLE as error:
        connection.close()
        raise as_damage(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _configure(
    connection: sqlite3.Connection, path: Path, config: StoreConfig, pragmas: tuple[str, ...]
) -> None:
    every = (
        "PRAGMA foreign_keys = ON",
        f"PRAGMA cache_size = {-config.cache_kib}",  # negative means KiB
        f"PRAGMA wal_autocheckpoint = {config.wal_checkpoint_pages}",
        # Nothing in a damaged or foreign schema may call functions with side effects.
        "PRAGMA trusted_schema = OFF",
        # Damage is noticed when its page is read and not when it has spread.
        "PRAGMA cell_size_check = ON",
        *pragmas,
        # SQLite opens lazily: only a read of the schema tells a store from any other file.
        "SELECT count(*) FROM sqlite_schema",
    )
    connection.executescript(";".join(every))
    _check_length(connection, path)


def _check_mode(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        message = f"{path} cannot use a write-ahead log ({mode}); put it on a local file system"
        raise StoreRefused(message)


def _wal_bytes(path: Path) -> int:
    # As SQLite does: a link's log is beside what it leads to.
    there = os.path.realpath(path) if path.is_symlink() else path
    try:
        return os.stat(f"{there}-wal").st_size  # noqa: PTH116 - at each open, and twice as fast
    except FileNotFoundError:
        return 0


def _check_length(connection: sqlite3.Connection, path: Path) -> None:
    # SQLite reads the missing end of a page as zeros, without an error. A file may legitimately
    # be short while its WAL has the rest, so only with an empty one; and the WAL is looked at
    # before the file, which a checkpoint by another connection then can only have made longer.
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    wal_bytes = _wal_bytes(path)
    size = os.stat(path).st_size  # noqa: PTH116 - at each open, and twice as fast
    if wal_bytes == 0 and size < pages * page_bytes:
        raise corrupt(path, f"it has {size} bytes of {pages * page_bytes}")
