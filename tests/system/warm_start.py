"""Starts `runtime.py` as forks of a process that has imported already what it will: half of a boot.

What is started is a process of its own in every other respect: its files, signals, addresses and
exit code. `python -m tests.system.warm_start NUMBER` is the process that is forked; the number is
that of the socket by which it is asked.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from actors.program import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

ROOT: Final = Path(__file__).parents[2]
RUNTIME: Final = ROOT / "runtime.py"
# The command that such a process stands for.
COMMAND: Final = tuple(shlex.split(ANYWHERE))


# --- Who asks --------------------------------------------------------------------------------


class WarmProcess:
    """What a test needs of subprocess.Popen."""

    def __init__(self, line: socket.socket, stdout: IO[str], stderr: IO[str]) -> None:
        """`line` tells its number, and when it has ended, how."""
        self._told = line.makefile("r")
        line.close()  # once that is
        self.pid = int(self._told.readline())
        self.returncode: int | None = None
        self._lock = threading.Lock()
        self.stdout: IO[str] | None = stdout
        self.stderr: IO[str] | None = stderr

    def poll(self) -> int | None:
        """Return how it has ended, if it has: less than 0 is a signal's number."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return how it has ended, once it has. Raises TimeoutExpired."""
        if self.returncode is None and not select.select([self._told], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(COMMAND, timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                self.returncode = os.waitstatus_to_exitcode(int(self._told.readline()))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class WarmStart:
    """Starts such processes; the first asks for the process that is forked."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._warm: socket.socket | None = None

    def start(self, command: Sequence[str]) -> WarmProcess:
        """Do what `subprocess.Popen` does, with pipes for its output and nothing to read."""
        assert tuple(command[: len(COMMAND)]) == COMMAND, command
        if self._warm is None:
            self._warm = _begin()
        (out, stdout), (err, stderr) = os.pipe(), os.pipe()
        line, answers = socket.socketpair()
        socket.send_fds(self._warm, [b"."], [answers.fileno(), stdout, stderr])
        answers.close()
        os.close(stdout)
        os.close(stderr)
        request = {
            "arguments": list(command[len(COMMAND) :]),
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        line.sendall(json.dumps(request).encode() + b"\n")
        outputs = [os.fdopen(each, encoding="utf-8", errors="replace") for each in (out, err)]
        return WarmProcess(line, *outputs)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Do what `subprocess.run` does, of the command with these words."""
        process = self.start([*COMMAND, *words])
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stdout as stdout, process.stderr as stderr:  # few words: no pipe gets full
            said = stdout.read(), stderr.read()
        return subprocess.CompletedProcess(words, process.wait(), *said)


def _begin() -> socket.socket:
    """Start the process that is forked; it ends with this one, whose child it is not."""
    ours, theirs = socket.socketpair()
    words = [sys.executable, "-m", "tests.system.warm_start", str(theirs.fileno())]
    subprocess.run(words, cwd=ROOT, pass_fds=[theirs.fileno()], check=True)
    theirs.close()
    atexit.register(ours.close)
    return ours


# --- Who is forked ---------------------------------------------------------------------------


def import_all() -> None:
    """Import what a boot of what the configuration lists imports, as it does."""
    from actors.launch import command_line  # noqa: PLC0415 - nor does who asks import it

    command_line()
    from actors.config import listed_systems, load_config  # noqa: PLC0415 - likewise
    from actors.entry_point import load_listed  # noqa: PLC0415
    from actors.late_certificates import late_certificates  # noqa: PLC0415
    from actors.lean_imports import lean_imports  # noqa: PLC0415

    with lean_imports(), late_certificates():
        import actors.system_commands  # noqa: F401, PLC0415
        from actors.app import look_through  # noqa: PLC0415
    systems, _ = load_listed(listed_systems(None, ()))
    look_through(systems, load_config(systems=systems), ROOT / "data")
    gc.freeze()


def requests(asked: socket.socket) -> dict[str, Any] | None:
    """Serve until nobody asks, and return None; in each process begun, return what it shall do."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    while True:
        _, files, _, _ = socket.recv_fds(asked, 1, 3)
        if not files:
            return None
        if not os.fork():
            asked.close()
            return begun(*files)
        for each in files:
            os.close(each)


def begun(answers: int, stdout: int, stderr: int) -> dict[str, Any]:
    """Fork once more, and return in that process; this one waits for it and tells its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with socket.socket(fileno=answers) as line:
        request: dict[str, Any] = json.loads(line.makefile("rb").readline())
        if pid := os.fork():
            for each in (0, 1, 2, stdout, stderr):
                os.close(each)
            line.sendall(b"%d\n" % pid)
            _, status = os.waitpid(pid, 0)
            with contextlib.suppress(OSError):  # whoever asked may be gone
                line.sendall(b"%d\n" % status)
            os._exit(0)
    for number, each in enumerate((os.open(os.devnull, os.O_RDONLY), stdout, stderr)):
        os.dup2(each, number)
        os.close(each)
    return request


def main() -> int:
    """Become `runtime.py` with the arguments that were asked for, where they were."""
    if os.fork():
        os._exit(0)
    import_all()
    request = requests(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return 0
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = [str(RUNTIME), *request["arguments"]]
    from actors.launch import command_line  # noqa: PLC0415 - as runtime.py does

    return command_line()(sys.argv[1:], program=RUNTIME)


if __name__ == "__main__":
    sys.exit(main())
