"""Too few open files: a word at start, and then refusals that can be heard. Files are private."""

from __future__ import annotations

import asyncio
import stat
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from tests.http_edge.answers import read_answer
from tests.http_edge.serving import hang_up
from tests.system.client import connected

if TYPE_CHECKING:
    from tests.system.process import Processes

pytestmark = pytest.mark.real_time

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLIENTS = 120


def limited(files: int) -> tuple[str, ...]:
    """A command that runs another with this limit of open files, soft and hard."""
    return ("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh")


@pytest.mark.parametrize("files", [16, 64])
def test_too_few_open_files_are_one_sentence_at_start(hotels: Processes, files: int) -> None:
    """Exit 2, with the number that is needed and how to get it; nothing listens, or is made."""
    process = hotels.make(through=limited(files)).launch()
    assert process.wait() == 2
    (line,) = process.errors.splitlines()
    assert line.startswith(f"dress-rehearsal: only {files} files may be open at once, and ")
    assert "ulimit -n" in line
    assert process.events("ready") == []
    assert process.log == ""
    assert not process.data_dir.exists()


async def test_where_open_files_are_few_every_client_is_answered(hotels: Processes) -> None:
    """More clients than fit, all at once: 200 or 503, and no reset; the stores have theirs."""
    process = hotels.boot(through=limited(256))
    (limits,) = process.events("connections limited by the open files allowed")
    assert limits["open_files"] == 256
    assert 8 <= limits["connections_max"] < 64
    url = URL(process.url)

    async def ask() -> int:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        try:
            writer.write(HEALTH)
            async with asyncio.timeout(10):
                answer = await read_answer(reader)
            assert answer is not None
            await hold.wait()
            return answer.status
        finally:
            await hang_up(writer)

    hold = asyncio.Event()
    asked = [asyncio.ensure_future(ask()) for _ in range(CLIENTS)]
    await asyncio.sleep(0.3)
    hold.set()
    statuses = set(await asyncio.gather(*asked))
    assert 200 in statuses
    assert statuses <= {200, 503}
    async with connected(process) as client:
        await client.create("/api/v1/customers", {"name": "Ada", "email": "ada@example.com"})
        assert (await client.send("GET", "/readyz")).status == 200
    assert await asyncio.to_thread(process.stop) == 0
    assert process.events("the data folder is open to others") == []  # it was made here
    assert process.errors == ""
    assert "Traceback" not in process.log


def test_the_data_folder_is_private_or_it_is_said(processes: Processes) -> None:
    """Every file in it is its owner's alone; of a folder that others may enter there is a line."""
    process = processes.make()
    process.data_dir.mkdir(mode=0o755)
    process.data_dir.chmod(0o755)
    (process.data_dir / "x.account").write_text("")
    (process.data_dir / "x.account").chmod(0o644)
    process.start()
    (line,) = process.events("the data folder is open to others")
    assert line["remedy"] == f"chmod 700 {process.data_dir}"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in process.data_dir.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert process.stop() == 0
