"""What is done to a data folder from the command line: accept a loss, back it up, put it back."""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.config import load_config
from actors.errors import BackupRefused, DressRehearsalError, StoreLocked
from actors.store.acceptance import accept_loss
from actors.store.backup import prepare, refuse_unfinished, restore_backup, write_backup
from actors.store.directory_lock import DirectoryLock, address_of_holder
from actors.store.manifest import read_manifest
from actors.store.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from actors.config import Config
    from actors.kernel.clock import Clock

    Command = Callable[[argparse.Namespace, Config, Path, Clock], str]

# A backup copies every file and looks it through: a minute a GB, and who knows how many there are.
BACKUP_S_MAX = 86_400.0


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add what every command takes: --config, --data-dir, --set."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="laid over the shipped config.toml, key by key"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="overrides runtime.data_dir")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="overrides one key, such as edge.gateway.port=0 (repeatable)",
    )


def run_command(arguments: Sequence[str], clock: Clock) -> int:
    """Run `accept-loss`, `backup` or `restore`, whose name comes first; return the exit code."""
    name = arguments[0]
    command, (metavar, what), description = COMMANDS[name]
    parser = argparse.ArgumentParser(prog=f"runtime.py {name}", description=description)
    parser.add_argument("subject", metavar=metavar, help=what)
    add_configuration(parser)
    options = parser.parse_args(arguments[1:])
    try:
        config = load_config(options.config, options.set)
        data_dir = Path(options.data_dir or config.runtime.data_dir).absolute()
        print(command(options, config, data_dir, clock))  # noqa: T201 - the command's own words
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return 0


def _accept_loss(options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock) -> str:
    del clock
    service = options.subject
    accept_loss(data_dir, service)
    return (
        f"{service} begins with what there is in {data_dir} at its next start: within "
        f"{config.supervisor.park_retry_s:g} s where the system runs, or at once with "
        f"POST /admin/actors/{service}/restart"
    )


def _backup(options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock) -> str:
    target = Path(options.subject).absolute()
    if not data_dir.is_dir():
        message = f"there is no data folder {data_dir}; name one with --data-dir"
        raise BackupRefused(message)
    try:
        lock = DirectoryLock(data_dir).acquire(holder=f"backup to {target}")
    except StoreLocked as locked:
        made = _ask_holder(data_dir, target, locked)
        down = made["services_down"]
        rest = f"; down, and backed up as they lie there: {', '.join(down)}" if down else ""
        return (
            f"{made['files']} files, {made['bytes']} bytes, of one moment at which no service "
            f"could commit for {made['held_ms']:g} ms, are in {target}{rest}"
        )
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
    return f"{len(contents.files)} files, {contents.bytes} bytes, are in {target}"


def _ask_holder(data_dir: Path, target: Path, locked: StoreLocked) -> dict[str, Any]:
    """Have the process that uses the folder make the backup. Raises BackupRefused."""
    address = address_of_holder(data_dir)
    if address is None:
        message = f"{locked}; it has no address yet at which it could be asked: try again"
        raise BackupRefused(message)
    try:
        token = (data_dir / "admin.token").read_text(encoding="utf-8").strip()
        request = urllib.request.Request(  # noqa: S310 - what our own process wrote into its lock
            f"{address}/admin/backup",
            data=json.dumps({"dir": str(target)}).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        # No proxy that the environment names: it would be given the token.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=BACKUP_S_MAX) as answer:
            made: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            detail = _detail(error.read())
        message = f"the process that uses {data_dir} says no ({error.code}): {detail}"
        raise BackupRefused(message) from error
    except (OSError, ValueError) as error:
        message = f"the process that uses {data_dir} cannot be asked at {address}: {error}"
        raise BackupRefused(message) from error
    return made


def _detail(body: bytes) -> str:
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, LookupError, TypeError):
        return body[:500].decode(errors="replace")


def _restore(options: argparse.Namespace, config: Config, data_dir: Path, clock: Clock) -> str:
    del config, clock
    source = Path(options.subject).absolute()
    with DirectoryLock(data_dir).acquire(holder=f"restore from {source}"):
        contents, replaced = restore_backup(source, data_dir)
    rest = "" if replaced is None else f"; what was there is now in {replaced}"
    return f"{len(contents.files)} files, {contents.bytes} bytes, are in {data_dir}{rest}"


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
    "restore": (
        _restore,
        ("DIR", "what `backup` has written"),
        """Put a backup in the place of what the data folder holds, which is kept in a folder
        beside it. Not beside a running process.""",
    ),
}
