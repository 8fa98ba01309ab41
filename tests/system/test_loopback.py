"""With the embedded X, no socket leaves loopback: the whole brand monitor at work, watched."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.client import connected
from tests.system.process import LISTENERS, ROOT, SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

BUSY = "x_platform.tweets_per_s=50"
DONE = 20
BUSY_S_MAX = 100.0
NOBODY = "0.0.0.0"  # noqa: S104 - what the kernel shows as a listener's other end
TABLES = ("tcp", "tcp6", "udp", "udp6")


async def test_its_sockets_are_on_loopback(processes: Processes) -> None:
    """Whatever the process has open while tweets are read, liked and answered, both ends are."""
    process = processes.boot(BUSY)
    seen: set[str] = set()
    async with connected(process) as client:
        deadline = time.monotonic() + BUSY_S_MAX
        done = 0
        while done < DONE:
            seen.update(_addresses(process.pid))
            assert time.monotonic() < deadline
            reply = await client.send("GET", "/api/v1/replies?status=done&limit=200")
            done = len(reply.json["items"])
            await asyncio.sleep(0.01)
    assert NOBODY in seen  # listeners were seen
    assert len(seen) > 1  # and those who talk to them
    # A listener's other end is nobody's yet.
    strangers = {each for each in seen if not ipaddress.ip_address(each).is_loopback}
    assert strangers <= {NOBODY}


def test_it_connects_to_loopback_alone(tmp_path: Path) -> None:
    """Every bind, connect, send and name look-up of its life, asked of Python itself."""
    log = tmp_path / "addresses.jsonl"
    command = [sys.executable, "-m", "tests.system.audited_runtime", str(log)]
    settings = [*(f"edge.{name}.port=0" for name in LISTENERS), *SILENCE, BUSY]
    options = [f"--data-dir={tmp_path / 'data'}", *(f"--set={each}" for each in settings)]
    with subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            lines = (json.loads(line) for line in process.stdout)
            url = next(line["listeners"]["gateway"] for line in lines if line["event"] == "ready")
            deadline = time.monotonic() + BUSY_S_MAX
            while len(_get(f"{url}/api/v1/replies?status=done&limit=200")["items"]) < DONE:
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            process.terminate()
            process.communicate(timeout=100)
    assert process.returncode == 0
    events = [json.loads(line) for line in log.read_text().splitlines()]
    # Its listeners, the stream and the requests of likes and replies were all seen.
    assert {"socket.bind", "socket.connect"} <= {event for event, _ in events}
    strangers = [(event, address) for event, address in events if not _is_loopback(address)]
    assert strangers == []


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=100) as response:  # noqa: S310 - loopback
        return json.load(response)


def _is_loopback(address: Any) -> bool:
    """Whether a socket address, or the host of a look-up, is this machine's own."""
    if isinstance(address, str):  # a host's name, or a socket in the file system
        host = address
    elif isinstance(address, list) and address:
        host = str(address[0])
    else:
        return address is None
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.startswith("/")


def _addresses(pid: int) -> Iterator[str]:
    """Yield both ends of every internet socket that the process has open."""
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(str(descriptor.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    for table in TABLES:
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                yield from (_address(each) for each in fields[1:3])


def _address(text: str) -> str:
    """Return the address of `HEX:PORT`: groups of four bytes, each in the machine's byte order."""
    digits = bytes.fromhex(text.partition(":")[0])
    words = [digits[at : at + 4] for at in range(0, len(digits), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return str(ipaddress.ip_address(b"".join(words)))
