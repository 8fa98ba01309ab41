"""A real process and what it logs: launched, watched from outside, ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, Self

import msgspec

from actors.errors import DressRehearsalError
from actors.kernel.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A machine that runs other things too may take many times as long as one that does not.
READY_S_MAX: Final = 100.0
EXIT_S_MAX: Final = 100.0
POLL_S: Final = 0.02
# Of a process that did not do what was wanted.
LAST_LINES: Final = 15
LAST_CHARACTERS: Final = 3_000

LogLine = dict[str, Any]


class Launched(Protocol):
    """What a process is to us; `subprocess.Popen` is one."""

    pid: int
    returncode: int | None
    stdout: IO[str] | None
    stderr: IO[str] | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def kill(self) -> None: ...


class NotLive(DressRehearsalError):
    """A process is not up, or not at rest, in time or at all; the message has its last words."""


class LiveProcess:
    """One command line; it may be launched again after each end.

    What was logged is kept over all its lives: `log` as text, `lines` parsed, `errors` what went to
    standard error.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Nothing is started yet."""
        self.command = list(command)
        self.begin: Callable[[Sequence[str]], Launched] = begin_process
        self.lines: list[LogLine] = []
        self._clock = SystemClock()
        self._popen: Launched | None = None
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._begun = 0
        self._readers: list[threading.Thread] = []
        self._news = threading.Condition()

    # --- Its life ----------------------------------------------------------------------------

    def launch(self) -> Self:
        """Start the process; it is not up yet."""
        assert not self.running, "one at a time"
        self._begun = len(self.lines)
        self._popen = popen = self.begin(self.command)
        assert popen.stdout is not None, "a pipe"
        assert popen.stderr is not None, "a pipe"
        self._readers = [
            threading.Thread(target=self._read_stdout, args=(popen.stdout,), daemon=True),
            threading.Thread(target=self._read_stderr, args=(popen.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        return self

    def start(self) -> Self:
        """Start the process and wait until it is ready. Raises NotLive."""
        __tracebackhide__ = True
        self.launch()
        self.wait_for("ready")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send the signal."""
        self._started.send_signal(number)

    def kill_process(self) -> None:
        """SIGKILL, and wait until nothing of the process is left; nothing if it has ended."""
        if self._popen is not None and self._popen.returncode is None:
            self._popen.kill()
            self.wait()

    def stop(self) -> int:
        """SIGTERM, which ends it in order; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_s: float = EXIT_S_MAX) -> int:
        """Wait for the process's end and its last words; return the exit code. Raises NotLive."""
        try:
            code = self._started.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise NotLive(f"{timeout_s:g} s later {self.last_words}") from None
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._started.pid

    # --- What it says ------------------------------------------------------------------------

    @property
    def log(self) -> str:
        """All that it wrote to standard output: a line of JSON an event."""
        return "".join(self._stdout)

    @property
    def errors(self) -> str:
        """All that it wrote to standard error."""
        return "".join(self._stderr)

    def events(self, name: str, **fields: Any) -> list[LogLine]:
        """Return the lines of that event with these fields, in this and all earlier lives."""
        return [line for line in list(self.lines) if _fits(line, name, fields)]

    def wait_for(self, name: str, *, timeout_s: float = READY_S_MAX, **fields: Any) -> LogLine:
        """Return the present life's first line of that event with these fields. Raises NotLive."""
        __tracebackhide__ = True
        deadline_s = self._clock.monotonic() + timeout_s
        seen = self._begun
        with self._news:
            while True:
                while seen < len(self.lines):
                    if _fits(self.lines[seen], name, fields):
                        return self.lines[seen]
                    seen += 1
                ended = not any(reader.is_alive() for reader in self._readers)
                if ended or self._clock.monotonic() > deadline_s:
                    how = "it ended" if ended else f"{timeout_s:g} s went by"
                    what = f"{name!r} {fields}" if fields else repr(name)
                    raise NotLive(f"{how} before it logged {what}: {self.last_words}")
                self._news.wait(POLL_S)

    @property
    def last_words(self) -> str:
        """How it ended, if it has, and what it said last."""
        code = None if self._popen is None else self._popen.poll()
        said = [*self._stdout[-LAST_LINES:], self.errors[-LAST_CHARACTERS:]]
        return f"{'it runs' if code is None else f'exit code {code}'}\n{''.join(said).rstrip()}"

    # --- Inside ------------------------------------------------------------------------------

    @property
    def _started(self) -> Launched:
        assert self._popen is not None, "it was launched"
        return self._popen

    def _pause(self) -> None:
        """Wait until it says something, or a moment."""
        with self._news:
            self._news.wait(POLL_S)

    def _read_stdout(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                with self._news:
                    self._stdout.append(text)
                    # A kill may cut a line off.
                    with contextlib.suppress(msgspec.DecodeError):
                        self.lines.append(msgspec.json.decode(text, type=LogLine))
                    self._news.notify_all()

    def _read_stderr(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                self._stderr.append(text)


def begin_process(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start it with nothing to read, and pipes for what it says."""
    return subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _fits(line: LogLine, name: str, fields: dict[str, Any]) -> bool:
    return line.get("event") == name and all(
        line.get(field) == value for field, value in fields.items()
    )
