"""Ways of looking outside from a handler, and what is seen carried into what the system keeps.

Each is refused, or seen by whoever compares two processes; what is neither has a reason, and the
documentation gives it.
"""

# ruff: noqa: DTZ001, DTZ006, PTH109, PTH116, PTH204, PTH205, PTH207, PTH208, SIM115 - what others write

from __future__ import annotations

import _random
import calendar
import ctypes
import datetime as dt
import email.utils
import functools
import getpass
import glob
import itertools
import logging
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import types
import uuid
import weakref
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from actors.store.transaction import Transaction

Caught = Literal["refused", "crashes", "differs", "ended"]

FOLDER: Final = Path(__file__).parent
NOON: Final = 1_000_000_000


class Carried(NamedTuple):
    """`look(tx)` is what the handler does; `caught` how it is found, or why it is not."""

    name: str
    caught: Caught | str
    look: Callable[[Transaction], Any]


# --- What was taken before the simulation began -----------------------------------------------


class Clocks:
    stored = time.time
    method = staticmethod(time.monotonic)


class Holder:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock


def by_default(clock: Callable[[], float] = time.time) -> float:
    return clock()


def make_closure() -> Callable[[], float]:
    clock = time.perf_counter
    return lambda: clock()  # noqa: PLW0108 - what it closes over is the point


CLOSURE = make_closure()
PARTIAL = functools.partial(time.time)
IN_A_DICT: dict[str, Callable[[], float]] = {"clock": time.time_ns}
IN_A_LIST: list[Callable[[], float]] = [time.monotonic]
HOLDER = Holder(time.process_time)
UNSEEDED = random.Random()
BEGUN = time.time()
URANDOM: tuple[Callable[[int], bytes]] = (os.urandom,)
SYSTEM = random.SystemRandom()
BOUND = (UNSEEDED.random,)
NUMBERS = itertools.count()
CACHE: list[int] = []


def grown() -> int:
    CACHE.append(1)
    return len(CACHE)


class Day(dt.date):
    pass


class Thing:
    """Compared and hashed by its address, as any object."""


def order_of_objects() -> list[int]:
    things = [Thing() for _ in range(64)]
    numbers = {thing: number for number, thing in enumerate(things)}
    return [numbers[thing] for thing in set(things)]


def order_of_dead() -> list[int]:
    things = [Thing() for _ in range(64)]
    numbers = {id(thing): number for number, thing in enumerate(things)}
    return [numbers[id(each)] for each in weakref.WeakSet(things)]


def sorted_by_id() -> list[int]:
    kept = [Thing() for _ in range(64)]
    random.Random(1).shuffle(kept)
    numbers = {id(thing): number for number, thing in enumerate(kept)}
    return [numbers[each] for each in sorted(numbers)]


def imports_a_module() -> float:
    """Import what reads a clock as it is imported, which is let through."""
    module = types.ModuleType("read_clock")
    folder = tempfile.gettempdir()
    path = Path(folder) / f"carried_first_import_{sys.flags.hash_randomization}.py"
    del module
    path.write_text("import time\nSTART = time.time_ns()\n")
    sys.path.insert(0, folder)
    try:
        sys.modules.pop(path.stem, None)
        return float(__import__(path.stem).START)
    finally:
        sys.path.remove(folder)
        path.unlink()


def written_date() -> float:
    with tempfile_at("carried_date") as path:
        return path.stat().st_mtime


def written_place() -> int:
    with tempfile_at("carried_place") as path:
        return path.stat().st_ino


class tempfile_at:  # noqa: N801 - reads as a function
    def __init__(self, name: str) -> None:
        self._path = Path("/tmp") / f"{name}_{threading.get_ident()}"  # noqa: S108

    def __enter__(self) -> Path:
        self._path.write_text("x")
        return self._path

    def __exit__(self, *_error: object) -> None:
        self._path.unlink()


def own_connection(sql: str) -> Any:
    with closing(sqlite3.connect(":memory:")) as connection:
        return connection.execute(sql).fetchone()[0]


def raw_connection(sql: str) -> Any:
    with closing(sqlite3.Connection(":memory:")) as connection:
        return connection.execute(sql).fetchone()[0]


def swallowed(look: Callable[[], Any]) -> str:
    with suppress(Exception):
        look()
    return "nothing"


def blocking_read() -> bytes:
    read, write = os.pipe()
    try:
        return os.read(read, 1)
    finally:
        os.close(read)
        os.close(write)


def blocking_wait() -> Any:
    while True:
        with suppress(ValueError):
            return open_fifo()


def open_fifo() -> bytes:
    path = Path("/tmp") / f"carried_fifo_{threading.get_ident()}"  # noqa: S108
    os.mkfifo(path)
    try:
        return path.read_bytes()
    finally:
        path.unlink()


def read(path: str) -> str:
    return Path(path).read_text()


def libc_time() -> int:
    return int(ctypes.CDLL(None).clock())


def first_sql(tx: Transaction, sql: str) -> Any:
    row = tx.one(sql)
    assert row is not None
    return row[0]


def default_of_a_table(tx: Transaction) -> Any:
    tx.execute("CREATE TABLE stamped (n INTEGER, at TEXT DEFAULT CURRENT_TIMESTAMP)")
    tx.execute("INSERT INTO stamped (n) VALUES (1)")
    return first_sql(tx, "SELECT at FROM stamped")


SAME_MACHINE: Final = "the same on one machine"
SAME_FILES: Final = "what another file says"

SQL: Final = (
    "random()",
    "hex(randomblob(8))",
    "datetime('now')",
    "datetime('NOW', '+1 day')",
    "datetime()",
    "date('now')",
    "time('now')",
    "julianday('now')",
    "unixepoch('now')",
    "unixepoch()",
    "strftime('%s', 'now')",
    "strftime('%s')",
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "datetime(0, 'unixepoch', 'localtime')",
    "datetime('2001-01-01', 'utc')",
)
RANDOM_ORDER: Final = "WITH n(i) AS (VALUES (1), (2), (3)) SELECT i FROM n ORDER BY random()"


def _in_sql() -> Iterator[Carried]:
    for text in SQL:
        yield Carried(
            f"SQL's {text}", "refused", functools.partial(first_sql, sql=f"SELECT {text}")
        )


CARRIED: Final[tuple[Carried, ...]] = (
    *_in_sql(),
    Carried("SQL's random order", "refused", lambda tx: first_sql(tx, RANDOM_ORDER)),
    Carried("SQL's chance on one's own", "refused", lambda _: own_connection("SELECT random()")),
    Carried("SQL's now on one's own", "refused", lambda _: own_connection("SELECT date('now')")),
    Carried("SQL's chance on a Connection", "differs", lambda _: raw_connection("SELECT random()")),
    Carried("a default of SQL's", "refused", default_of_a_table),
    # Clocks and chance that somebody has stored.
    Carried("a clock in a class", "differs", lambda _: Clocks.stored()),
    Carried("a clock as a static method", "differs", lambda _: Clocks.method()),
    Carried("a clock in an object", "differs", lambda _: HOLDER.clock()),
    Carried("a clock as a default", "differs", lambda _: by_default()),
    Carried("a clock in a closure", "differs", lambda _: CLOSURE()),
    Carried("a clock in a partial", "differs", lambda _: PARTIAL()),
    Carried("a clock in a dict", "differs", lambda _: IN_A_DICT["clock"]()),
    Carried("a clock in a list", "differs", lambda _: IN_A_LIST[0]()),
    Carried("when a module was imported", "differs", lambda _: BEGUN),
    Carried("a generator that was not seeded", "differs", lambda _: UNSEEDED.random()),
    Carried("its bound method", "differs", lambda _: BOUND[0]()),
    Carried("_random.Random", "differs", lambda _: _random.Random().random()),
    Carried("os.urandom in a tuple", "differs", lambda _: URANDOM[0](8).hex()),
    Carried("SystemRandom, made before", "refused", lambda _: SYSTEM.random()),
    # Clocks by other names.
    Carried("email's date", "refused", lambda _: email.utils.formatdate()),
    Carried("email's id", "refused", lambda _: email.utils.make_msgid()),
    Carried("a log record's time", "the simulation's own time", lambda _: logging.LogRecord(
        "a", 1, "b", 1, "c", (), None).created),
    Carried("C's own clock()", "differs", lambda _: libc_time()),
    Carried("os.times", "refused", lambda _: os.times()),
    Carried("datetime.now, in UTC", "refused", lambda _: dt.datetime.now(dt.UTC)),
    Carried("date.today, by a subclass", "refused", lambda _: Day.today()),
    Carried("time.time, looked up", "refused", lambda _: getattr(time, "ti" + "me")()),
    Carried("time.time, caught", "refused", lambda _: swallowed(time.time)),
    Carried("uuid4", "refused", lambda _: uuid.uuid4()),
    Carried("uuid1", "refused", lambda _: uuid.uuid1()),
    # The process.
    Carried("os.getpid", "refused", lambda _: os.getpid()),
    Carried("os.getppid", "refused", lambda _: os.getppid()),
    Carried("uuid.getnode", "refused", lambda _: uuid.getnode()),
    Carried("resource.getrusage", "refused", lambda _: resource.getrusage(resource.RUSAGE_SELF)),
    Carried("os.getcwd", "refused", lambda _: os.getcwd()),
    Carried("Path.cwd", "refused", lambda _: Path.cwd()),
    Carried("os.getuid", "refused", lambda _: os.getuid()),
    Carried("os.cpu_count", "refused", lambda _: os.cpu_count()),
    Carried("os.getloadavg", "refused", lambda _: os.getloadavg()),
    Carried("os.uname", "refused", lambda _: os.uname()),
    Carried("socket.gethostname", "refused", lambda _: socket.gethostname()),
    Carried("shutil.disk_usage", "refused", lambda _: shutil.disk_usage("/")),
    Carried("threading.get_ident", "differs", lambda _: threading.get_ident()),
    Carried("threading.get_native_id", "differs", lambda _: threading.get_native_id()),
    Carried("signal.getitimer", "refused", lambda _: signal.getitimer(signal.ITIMER_PROF)),
    Carried("/proc/self/stat", "differs", lambda _: read("/proc/self/stat")),
    Carried("/proc/uptime", "differs", lambda _: read("/proc/uptime")),
    Carried("/dev/urandom", "differs", lambda _: Path("/dev/urandom").open("rb").read(8).hex()),
    Carried("the kernel's uuid", "differs", lambda _: read("/proc/sys/kernel/random/uuid")),
    Carried("sys.argv", "differs", lambda _: sys.argv[1:]),
    Carried("sys.version", SAME_MACHINE, lambda _: sys.version),
    Carried("sqlite_version", SAME_MACHINE, lambda tx: first_sql(tx, "SELECT sqlite_version()")),
    Carried("sys.executable", SAME_MACHINE, lambda _: sys.executable),
    Carried("__file__", SAME_MACHINE, lambda _: __file__),
    Carried("platform.machine, kept", SAME_MACHINE, lambda _: sys.platform),
    # The environment.
    Carried("os.environ", "refused", lambda _: os.environ["PATH"]),
    Carried("os.environ.get", "refused", lambda _: os.environ.get("HOME")),
    Carried("os.getenv", "refused", lambda _: os.getenv("LANG")),
    Carried("all of os.environ", "refused", lambda _: dict(os.environ)),
    Carried("in os.environ", "refused", lambda _: "TZ" in os.environ),
    Carried("getpass.getuser", "refused", lambda _: getpass.getuser()),
    Carried("Path.home", "refused", lambda _: Path.home()),
    Carried("os.path.expandvars", "refused", lambda _: os.path.expandvars("$HOME")),
    Carried("time.tzname", "differs", lambda _: time.tzname),
    Carried("time.timezone", "differs", lambda _: time.timezone),
    Carried("time.localtime of a time", "differs", lambda _: time.localtime(NOON).tm_hour),
    Carried("time.mktime", "differs", lambda _: time.mktime((2001, 1, 1, 1, 1, 1, 0, 1, 0))),
    Carried("fromtimestamp", "differs", lambda _: dt.datetime.fromtimestamp(NOON)),
    Carried("astimezone", "differs", lambda _: dt.datetime(2001, 1, 1).astimezone()),
    Carried("timestamp of a naive time", "differs", lambda _: dt.datetime(2001, 1, 1).timestamp()),
    Carried("calendar.timegm", "no look outside", lambda _: calendar.timegm(time.gmtime(0))),
    # Files.
    Carried("os.listdir", "refused", lambda _: os.listdir(FOLDER)),
    Carried("os.scandir", "refused", lambda _: [each.name for each in os.scandir(FOLDER)]),
    Carried("os.walk", "refused", lambda _: next(os.walk(FOLDER))),
    Carried("Path.iterdir", "refused", lambda _: [each.name for each in FOLDER.iterdir()]),
    Carried("Path.glob", "refused", lambda _: [each.name for each in FOLDER.glob("*")]),
    Carried("glob.glob", "refused", lambda _: glob.glob(f"{FOLDER}/*")),
    Carried("a file's date", "refused", lambda _: FOLDER.stat().st_mtime),
    Carried("os.path.getmtime", "refused", lambda _: os.path.getmtime(FOLDER)),
    Carried("os.path.getctime", "refused", lambda _: os.path.getctime(FOLDER)),
    Carried("a file's date in ns", "refused", lambda _: os.stat(FOLDER).st_mtime_ns),
    Carried("the date of what one writes", "refused", lambda _: written_date()),
    Carried("the place of what one writes", "refused", lambda _: written_place()),
    Carried("a temporary file", "refused", lambda _: tempfile.mkstemp()),
    Carried("another file", SAME_FILES, lambda _: len(read(__file__))),
    Carried("/etc/hostname", SAME_FILES, lambda _: Path("/etc/hostname").exists()),
    # Addresses, hashes, and what follows from them.
    Carried("id", "differs", lambda _: id(Thing())),
    Carried("hash of an object", "differs", lambda _: hash(Thing())),
    Carried("repr of an object", "differs", lambda _: repr(Thing())),
    Carried("hash of a text", "differs", lambda _: hash("a text")),
    Carried("hash of bytes", "differs", lambda _: hash(b"bytes")),
    Carried("a set of texts", "differs", lambda _: list({f"text {n}" for n in range(64)})),
    Carried("a set of objects", "differs", lambda _: order_of_objects()),
    Carried("a weak set of objects", "differs", lambda _: order_of_dead()),
    Carried("objects by address", "differs", lambda _: sorted_by_id()),
    # What was there before the run.
    Carried("a first import", "differs", lambda _: imports_a_module()),
    Carried("a counter of the module", "differs", lambda _: next(NUMBERS)),
    Carried("a list of the module", "differs", lambda _: grown()),
    # Waits.
    Carried("a read that blocks", "ended", lambda _: blocking_read()),
    Carried("a pipe that nobody writes", "ended", lambda _: blocking_wait()),
)  # fmt: skip
