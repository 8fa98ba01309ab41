"""What is done to a data folder from the command line: accept a loss, back it up, put it back."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.app import look_through
from actors.config import load_config
from actors.errors import (
    BackupRefused,
    DressRehearsalError,
    HolderSaysNo,
    StoreError,
    StoreLocked,
)
from actors.holder_call import ask_holder
from actors.program import NAME
from actors.shared_options import add_configuration, data_folder, folder_name
from actors.store.files.backup import (
    check_backup,
    prepare,
    refuse_unfinished,
    restore_backup,
    write_backup,
)
from actors.store.files.data_folder import missing_of
from actors.store.files.directory_lock import DirectoryLock
from actors.store.files.loss_acceptance import accept_loss
from actors.store.files.manifest import read_manifest
from actors.store.files.snapshot import Snapshot
from actors.upgrade_check import check_upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.system import System

    # What it says on standard output, and its exit code.
    Command = Callable[[argparse.Namespace, Config, Path, Clock], tuple[str, int]]

# A backup copies every file and looks it through: a minute a GB, and who knows how many there are.
BACKUP_S_MAX = 86_400.0
# States of a service that has its file.
UP = frozenset({"running", "degraded", "suspended"})


def run_command(arguments: Sequence[str], clock: Clock, systems: Sequence[System]) -> int:
    """Run one of COMMANDS, whose name comes first; return the exit code.

    The configuration is checked as that of the `systems`.
    """
    name = arguments[0]
    command, (metavar, what), description = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"{NAME} {name}", description=description)
    if command is _check_upgrade:  # the folder is what it is about
        parser.add_argument("data_dir", metavar=metavar, type=folder_name, help=what)
        add_configuration(parser, holds=None)
    else:
        parser.add_argument("subject", metavar=metavar, help=what)
        add_configuration(parser)
    options = parser.parse_args(arguments[1:])
    options.systems = systems
    try:
        config = load_config(options.config, options.set, systems)
        data_dir = data_folder(options.data_dir, config)
        text, code = command(options, config, data_dir, clock)
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - the command's own words
        return 2
    print(text)  # noqa: T201 - likewise
    return code


def _accept_loss(
    options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock
) -> tuple[str, int]:
    del clock
    service = options.subject
    if read_manifest(data_dir) is not None:
        refuse_unfinished(data_dir)
        _insist_on_a_loss(service, config, data_dir)
    accept_loss(data_dir, service)
    text = (
        f"{service} begins with what there is in {data_dir} at its next start: within "
        f"{config.supervisor.park_retry_s:g} s where the system runs, or at once with "
        f"POST /admin/actors/{service}/restart"
    )
    return text, 0


def _insist_on_a_loss(service: str, config: Config, data_dir: Path) -> None:
    """Raise StoreError where there is none: one that comes later must not be accepted already."""
    try:
        lock = DirectoryLock(data_dir).acquire(holder=f"accept-loss {service}")
    except StoreLocked:
        told = _ask_holder(data_dir, "GET", "/admin/actors")
        states = {each["name"]: each["state"] for each in told["items"]}
        if states.get(service) in UP:
            message = f"{service} is {states[service]}: nothing of it is missing"
            raise StoreError(message) from None
        return
    with lock:
        if missing_of(service, data_dir, config.store) is None:
            message = f"nothing of {service} is missing in {data_dir}"
            raise StoreError(message)


def _backup(
    options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock
) -> tuple[str, int]:
    target = Path(options.subject).absolute()
    if not data_dir.is_dir():
        message = f"there is no data folder {data_dir}; name one with --data-dir"
        raise BackupRefused(message)
    try:
        lock = DirectoryLock(data_dir).acquire(holder=f"backup to {target}")
    except StoreLocked:
        made = _ask_holder(data_dir, "POST", "/admin/backup", {"dir": str(target)})
        text = (
            f"{made['files']} files, {made['bytes']} bytes, of one moment at which no service "
            f"could commit for {made['held_ms']:g} ms, are in {target}"
        )
        return text, _report_missing(made["missing"])
    with lock, ExitStack() as stack:
        refuse_unfinished(data_dir)
        manifest = read_manifest(data_dir)
        if manifest is None:
            message = f"{data_dir} holds no manifest.json: no system has run there"
            raise BackupRefused(message)
        prepare(target, data_dir)
        snapshots = {}
        for service in manifest.stores:
            if (path := data_dir / f"{service}.db").exists():
                snapshots[service] = Snapshot(path, config.store)
                stack.callback(snapshots[service].close)
                snapshots[service].begin()
        contents = write_backup(
            snapshots, manifest, data_dir=data_dir, target=target, at_us=clock.now_us()
        )
    text = f"{len(contents.files)} files, {contents.bytes} bytes, are in {target}"
    return text, _report_missing(contents.missing)


def _check_upgrade(
    options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock
) -> tuple[str, int]:
    del clock
    report = check_upgrade(data_dir, look_through(options.systems, config, data_dir), config.store)
    lines = report.lines()
    if not lines:
        return f"all of {report.rows} messages and replies in {data_dir} can be read", 0
    if report.unreadable:
        lines.append(
            f"{report.unreadable} of {report.rows} messages and replies cannot be read by this "
            f"version: docs/UPGRADES.md says what becomes of them, and how they can be"
        )
    return "\n".join(lines), 1


def _report_missing(missing: dict[str, str]) -> int:
    """Say which services a backup has not whole; return the exit code: something was found."""
    for service, why in missing.items():
        print(f"dress-rehearsal: {service} is not whole: {why}", file=sys.stderr)  # noqa: T201
    return 1 if missing else 0


def _ask_holder(data_dir: Path, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Ask the process that uses the folder. Raises BackupRefused."""
    try:
        made: dict[str, Any] = ask_holder(data_dir, method, path, body, timeout_s=BACKUP_S_MAX)
    except HolderSaysNo as error:
        raise BackupRefused(str(error)) from error
    return made


def _restore(
    options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock
) -> tuple[str, int]:
    del config, clock
    source = Path(options.subject).absolute()
    check_backup(source)  # before the data folder is made
    with DirectoryLock(data_dir).acquire(holder=f"restore from {source}"):
        contents, replaced = restore_backup(source, data_dir)
    rest = "" if replaced is None else f"; what was there is now in {replaced}"
    text = f"{len(contents.files)} files, {contents.bytes} bytes, are in {data_dir}{rest}"
    return text, _report_missing(contents.missing)


COMMANDS: dict[str, tuple[Command, tuple[str, str], str]] = {
    "accept-loss": (
        _accept_loss,
        ("SERVICE", "as its parked error names it"),
        """Let a parked service whose file is gone, or older than what was acknowledged from it,
        begin with what there is. Beside a running process, or before its next start.""",
    ),
    "backup": (
        _backup,
        ("DIR", "a new or empty folder, which will hold the backup"),
        """Write all services' files, as they are at one moment, into a folder, and look them
        through. Beside a running process, which serves on, or without one.""",
    ),
    "check-upgrade": (
        _check_upgrade,
        ("DATA_DIR", "the data folder of the version before"),
        """Name each message and reply in a data folder that this version could not read, and
        each file and migration that is not this version's. Changes nothing; also beside a
        running process.""",
    ),
    "restore": (
        _restore,
        ("DIR", "what `backup` has written"),
        """Put a backup in the place of what the data folder holds, which is kept there in
        a folder `replaced.N`. Not beside a running process.""",
    ),
}
