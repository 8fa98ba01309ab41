"""The real thing: `python runtime.py` as a process of its own, watched from outside only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).parent.parent.parent
LISTENERS = ("gateway", "hotel", "tweets", "x_platform")
FREE_PORTS = tuple(f"--set=edge.{name}.port=0" for name in LISTENERS)
# Nobody tweets but the test, unless it asks for more.
SILENCE = ("--set=x_platform.tweets_per_s=0", "--set=x.platform=simulator")

# A machine that runs other things too may take many times as long as one that does not.
READY_S_MAX = 100.0
EXIT_S_MAX = 100.0

Line = dict[str, Any]


class SystemProcess:
    """One command line on one data directory; `start` may be called again after each end.

    What was logged is kept over restarts, raw in `stdout` and parsed in `lines`. `start` and `wait`
    block, so an async test calls them in a thread.
    """

    def __init__(self, data_dir: Path, *arguments: str, through: tuple[str, ...] = ()) -> None:
        """`arguments` follow those for silence; `through` is a command that runs another."""
        self.data_dir = data_dir
        self.stdout: list[str] = []
        self.lines: list[Line] = []
        self.ready_s = 0.0
        self._command = (*through, sys.executable, "runtime.py", f"--data-dir={data_dir}")
        self._arguments = (*FREE_PORTS, *SILENCE, *arguments)
        self._stderr: list[str] = []
        self._popen: subprocess.Popen[str] | None = None
        self._begun = 0
        self._readers: list[threading.Thread] = []
        self._news = threading.Condition()

    # --- Its life ----------------------------------------------------------------------------

    def launch(self) -> Self:
        """Start the process; it is not up yet."""
        assert self._popen is None or self._popen.returncode is not None, "one at a time"
        self._begun = len(self.lines)
        self._popen = popen = subprocess.Popen(
            [*self._command, *self._arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_stdout, args=(popen.stdout,), daemon=True),
            threading.Thread(target=self._read_stderr, args=(popen.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        return self

    def start(self) -> Self:
        """Start the process and wait until it is ready; `ready_s` is how long that took."""
        begun = time.perf_counter()
        self.launch()
        self.wait_for("ready")
        self.ready_s = time.perf_counter() - begun
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send the signal."""
        assert self._popen is not None
        self._popen.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until nothing of the process is left; does nothing if it has ended."""
        if self._popen is not None and self._popen.returncode is None:
            self._popen.kill()
            self.wait()

    def stop(self) -> int:
        """SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, timeout_s: float = EXIT_S_MAX) -> int:
        """Wait for the process's end and its last words; return the exit code."""
        assert self._popen is not None
        code = self._popen.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return code

    # --- What it says ------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def stderr(self) -> str:
        return "".join(self._stderr)

    @property
    def token(self) -> str:
        return (self.data_dir / "admin.token").read_text().strip()

    def url(self, listener: str = "gateway") -> str:
        """Return the listener's address in the present life."""
        address: str = self.wait_for("listening")["listeners"][listener]
        return address

    def events(self, name: str, **fields: Any) -> list[Line]:
        """Return the lines of that event with these fields, in this and all earlier lives."""
        return [line for line in list(self.lines) if _fits(line, name, fields)]

    def wait_for(self, name: str, *, timeout_s: float = READY_S_MAX, **fields: Any) -> Line:
        """Return the present life's first line of that event with these fields."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            while True:
                for line in self.lines[self._begun :]:
                    if _fits(line, name, fields):
                        return line
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not any(reader.is_alive() for reader in self._readers):
                    message = f"no {name!r} {fields} after {timeout_s} s: {self.describe()}"
                    raise AssertionError(message)
                self._news.wait(min(left_s, 0.1))

    def describe(self) -> str:
        """Return its end and its last lines, for a failure's message."""
        code = None if self._popen is None else self._popen.poll()
        last = "\n".join(self.stdout[-15:])
        return f"exit code {code}\n{last}\n{self.stderr[-3000:]}"

    # --- What the kernel says ----------------------------------------------------------------

    @property
    def rss_mb(self) -> float:
        """Resident memory in units of 10**6 bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024 / 1e6

    @property
    def cpu_s(self) -> float:
        """CPU time used so far, user and system."""
        # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # --- Inside ------------------------------------------------------------------------------

    def _read_stdout(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                with self._news:
                    self.stdout.append(text.rstrip("\n"))
                    line = _parse(text)
                    if line is not None:
                        self.lines.append(line)
                    self._news.notify_all()

    def _read_stderr(self, stream: IO[str]) -> None:
        with stream:
            for text in stream:
                self._stderr.append(text)


def _parse(text: str) -> Line | None:
    try:
        line = json.loads(text)
    except ValueError:  # a line cut off by SIGKILL; test_boot counts them where there is none
        return None
    return line if isinstance(line, dict) else None


def _fits(line: Line, name: str, fields: dict[str, Any]) -> bool:
    return line.get("event") == name and all(
        line.get(field) == value for field, value in fields.items()
    )
