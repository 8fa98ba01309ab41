"""A MariaDB of one's own: made in a folder, reached by a socket in it, ended with its server."""

from __future__ import annotations

import getpass
import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from tests.benchmarks.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.placement import Placement

SERVER: Final = "mariadbd"
MAKER: Final = "mariadb-install-db"
ASKED: Final = "my_print_defaults"
SOCKET: Final = "mariadb.sock"
# Debian keeps the server where only root's path leads.
PATH: Final = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
# A commit is on the disk before its answer, which is InnoDB's default too; and no log for replicas,
# which nobody reads here and which would cost a second sync a commit.
DURABLE: Final = ("--innodb-flush-log-at-trx-commit=1", "--innodb-doublewrite=1", "--skip-log-bin")


def is_installed() -> bool:
    """Whether there is a server, and what makes its first files."""
    return all(shutil.which(name, path=PATH) for name in (SERVER, MAKER, ASKED))


def version() -> str:
    """Return what the server says of itself."""
    program = shutil.which(SERVER, path=PATH)
    assert program is not None
    said = subprocess.run([program, "--version"], capture_output=True, check=True, text=True)
    return said.stdout.partition(" for ")[0].rpartition("/")[2].strip()


def start(folder: Path, placement: Placement, log_folder: Path) -> ServerProcess:
    """Return a server that answers; its files, and its socket, are in the empty folder."""
    maker, server = (shutil.which(name, path=PATH) for name in (MAKER, SERVER))
    assert maker is not None
    assert server is not None
    user = f"--user={getpass.getuser()}"
    made = subprocess.run(
        [
            maker,
            "--no-defaults",
            f"--datadir={folder}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            user,
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    if made.returncode:
        raise RuntimeError(f"{MAKER} ended with {made.returncode}:\n{made.stdout}{made.stderr}")
    # The socket's name is relative: a whole path may be longer than a socket's may be.
    options = [f"--datadir={folder}", f"--socket={SOCKET}", "--skip-networking", user]
    process = ServerProcess(
        SERVER,
        ["--no-defaults", *options, *DURABLE, "--pid-file=mariadbd.pid"],
        placement,
        log_folder,
        program=server,
        cwd=folder,
    )
    process.wait_for("ready for connections")
    return process
