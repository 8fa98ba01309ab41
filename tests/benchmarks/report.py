"""docs/BENCHMARKS.md: the run writes what is between its marks, people write the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.benchmarks.result import Result, Table

COMMAND = "make bench"
END = "<!-- end of measured -->"
SPREAD = "Median (lowest to highest).\n\n"
HEAD = ("", "target", "measured", "")

METHOD = """\
Every figure of one table comes from one run. Candidates take turns within a round, and a ratio is
taken round by round, so that whatever disturbs the machine disturbs both sides of it; the figure is
the median of the rounds, with the lowest and the highest beside it. A round before the first does
not count.

- **Where**: once on any core, as the machine schedules it, and once *pinned*: what is measured on
  one core with all of its threads, wrk on the other. The targets are held against both, for neither
  is neutral. Pinned, every answer wakes wrk on another core, which in a virtual machine costs the
  server some 10 µs whoever it is, and so flatters a ratio; a ThreadingActor's two threads hand over
  seven times faster on one core than on two, so pinned is the harder comparison there.
- **Asks**: all candidates in one process, in turns. The floor is one task that awaits a deque and
  answers through futures. Pipelined: 64 messages under way, then their replies, on both sides.
  Memory: growth of the resident set of a fresh process. uvloop is what runtime.py uses.
- **Edge**: `python runtime.py` with its shipped config.toml, a file per service, WAL and
  `synchronous=FULL`; wrk with one thread and 64 connections. CPU is utime + stime of
  /proc/PID/stat over the load, by requests, of every process of a candidate: a database's too.
  `POST /rooms` is one durable row; `POST /customers` is a row, an event and its commit by a second
  service.
- **Bare handler**: `web.Application` on uvloop, the same room into the same msgspec type, a
  constant id, 201, nothing stored. Reads are held against this same handler.
- **Go + MariaDB**: gorilla/mux and go-sql-driver/mysql, 64 kept connections by a Unix socket,
  statements prepared once, a row committed in every request; InnoDB writes and syncs its log at
  each commit, and writes no log for replicas. `make bench-peers` installs Debian's packages.
- **FastAPI** on uvicorn and uvloop, aiosqlite, the same schema, WAL, `synchronous=FULL` and
  checkpoints, committing in every request, in three ways. *autocommit*: the INSERT is its own
  transaction, one hop. *locked*: `execute` and `commit` under a lock, as any longer transaction
  needs. *shared*: the two without a lock: requests commit each other's rows, which is fast and no
  isolation at all. The target is the same for each of them.
- **Durability**: after the load, every acknowledged write is counted in the files, on both sides.
  A single answer that is no 2xx, or a connection that breaks, ends the run.
- **Bookings**: `POST /api/v1/bookings` until its 201: create, hold the night, charge the simulated
  processor, confirm the hold, confirm the booking; and the mail, which ours writes beside the
  answer and DBOS before it. wrk with 1, 16 and 64 connections; every booking is of a night that is
  free. A 202 is no answer here: it ends the run. Afterwards bookings and mails are counted in the
  files.
- **DBOS**: the same steps as its workflow, idempotent by the booking's id, behind an aiohttp door;
  16 connections. System database and application database on SQLite, their pragmas read back from
  the very connections that carried the load. Steps are written in both of its documentation's
  ways. *steps*: a step is a function that commits for itself; DBOS notes it in its own database
  after that. *transactions*: a datasource's, which note themselves in the application's commit. It
  too finishes what a SIGKILL interrupts, as `test_dbos_server.py` shows. Its makers recommend
  Postgres for production.
- **Durable messages**: two services in one process, each with its file; 64 clients, each with one
  command under way that keeps a row and sends a message of it, or a hundred; 10,000 messages, from
  the first command to the receiver's last commit. No message may be lost, repeated or late. What
  gives way to clients does not here: 64 of them would have the messages wait.
- **The tutorial's /insert**: texts of 60 characters, every fourth negative. An answer comes after
  the row's commit; the score follows as an effect that asks a replica, with a commit of its own,
  and a flag with another, where it is negative. Ten seconds of it as fast as 64 connections can,
  and the time after that until an oracle, which reads the files with plain SQL and shares no code
  with what it judges, finds every tweet scored and each negative one flagged once. Then with a
  pause of 30 ms between an answer and its connection's next request, so that scores keep up: what a
  tweet costs with all that follows, less what the scorer costs alone on the same texts. CPU counts
  until the process rests. The bare handler answers the same texts; the peer keeps them unscored.
- **X's longest post**: 25,000 emoji, asked for part by part of one scorer in the same process; the
  first thousand beforehand, which loads the lexicon.
- **X's stream**: the whole system in one process. 5,000 tweets wait at the embedded X. Its address
  the reader is then told; from there to the last scored row: X's socket, aiohttp, tweepy, and the
  commits of the reader, of the row and of the score; beside them, each is answered at the same X.
- **Simulations**: on one core, in one process, in turns. The hotel: `actors/simulation/` with its
  profile `kills`, files in /dev/shm; every schedule checks all of the books. *A wake a second*: a
  hundred tasks that sleep a second at a time. *Timers*: a hundred tasks that each sleep an interval
  of their own, from a second to a minute. *Conversation*: three clients and a server over asyncio's
  streams, ten lines each, on a network that delays by 0.5 to 1 ms and cuts one write in ten.
- **detangle** (PyPI) explores orders of callbacks, where ours keeps asyncio's; hence once as it
  comes, once in asyncio's order. It cannot run the hotel: aiohttp's client asks the loop to connect
  a socket (`sock_connect`), which it refuses as real input and output, and nothing in it stands for
  a store, a disk or a process that dies and boots again on its files.
- **Kill → next reply** of a service: over HTTP on one connection, from sending the kill to having
  the 201 of a POST. **Ready**: from starting the command to `/readyz` answering 200."""


def begin(command: str) -> str:
    """Return the mark before what the command may replace."""
    return f"<!-- measured: `{command}` writes from here to the end mark; changes are lost -->"


def write_report(path: Path, text: str, *, command: str = COMMAND) -> None:
    """Replace what is between the command's marks. Raises ValueError where a mark is missing."""
    mark = begin(command)
    new = f"# Benchmarks\n\n{mark}\n{END}\n\n## Lessons of the profiles\n"
    old = path.read_text(encoding="utf-8") if path.exists() else new
    before, begun, rest = old.partition(mark)
    _, ended, after = rest.partition(END)
    if not begun or not ended:
        message = f"{path} has lost its marks; put {mark} and {END} around what a run may replace"
        raise ValueError(message)
    path.write_text(f"{before}{mark}\n\n{text}\n{END}{after}", encoding="utf-8")


def markdown(result: Result, machine: dict[str, str], *, when: str) -> str:
    """Return the measured part of `make bench`."""
    return measured_part(result, machine, when=when, command=COMMAND, method=METHOD)


def measured_part(
    result: Result, machine: dict[str, str], *, when: str, command: str, method: str
) -> str:
    """Return what stands between the marks."""
    parts = [
        f"Measured {when} by `{command}`.",
        _markdown_table(HEAD, all_cells(result)),
        *(
            f"### {table.title}\n\n{SPREAD if table.is_spread else ''}"
            + _markdown_table(table.head, table.lines)
            for table in result.tables
        ),
        "### Machine\n\n" + "\n".join(f"- {name}: {value}" for name, value in machine.items()),
        f"### Method\n\n{method}",
    ]
    return "\n\n".join(parts) + "\n"


def plain(result: Result) -> str:
    """Return the tables for a terminal."""
    tables = [plain_table(HEAD, all_cells(result))]
    tables += [f"{table.title}\n{_plain(table)}" for table in result.tables]
    tables += [f"{name}: {note}" for name, note in result.notes.items()]
    return "\n\n".join(tables)


def all_cells(result: Result) -> list[tuple[str, ...]]:
    """Return name, target, figure, and `met` or `MISSED`; of what is absent, why it is."""
    measured = [
        (row.name, row.target, row.measured, "met" if row.met else "MISSED") for row in result.rows
    ]
    return [*measured, *((each.name, each.target, each.why, "") for each in result.absent)]


def _plain(table: Table) -> str:
    return plain_table(table.head, table.lines)


def plain_table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """Return it in columns."""
    rows = [head, *lines]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _markdown_table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    rows = [head, ("---",) * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
