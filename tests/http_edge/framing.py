"""Plays the framing cases over sockets; `python -m tests.http_edge.framing` at a real process."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from tests.http_edge.answers import AnswerError, read_answer
from tests.http_edge.framing_cases import CANARY_ID, CASES, HOST
from tests.http_edge.serving import hang_up
from tests.system.process import processes_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.testing.live_system import LiveSystem
    from tests.http_edge.framing_cases import Case

# What is late is late soon, and nothing that is sent without a break, on a machine of many others.
LIMITS: Final[dict[str, Any]] = {
    "head_s_max": 2.0,
    "body_s_max": 2.0,
    "linger_s": 0.1,
    "line_bytes_max": 8190,
}
ANSWER_S_MAX: Final = 10.0
# Between two pieces, so that they are read one by one; and until a connection counts as kept.
PIECE_S: Final = 0.002
AT_ONCE_MAX: Final = 32

PROBE: Final = b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Request-ID: probe\r\n\r\n"


def canary(number: int) -> str:
    return f"canary-{number:04}"


async def play(case: Case, number: int, url: URL) -> str | None:
    """Return what is wrong with how the server took it, or None."""
    reader, writer = await asyncio.open_connection(url.host, url.port)
    seen: list[int] = []
    turn = asyncio.Semaphore(1)
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            sending = asyncio.ensure_future(_send(case, number, writer, turn))
            try:
                while len(seen) < len(case.statuses):
                    answer = await read_answer(reader)
                    if answer is None:
                        break
                    seen.append(answer.status)
                    turn.release()
                await sending
                if seen == list(case.statuses):
                    return await _after(case, reader, writer)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
    except (TimeoutError, AnswerError, OSError) as error:
        return f"{case.name}: {seen}, then {error!r}; wanted {list(case.statuses)}"
    finally:
        await hang_up(writer)
    return f"{case.name}: {seen}; wanted {list(case.statuses)}"


async def _send(
    case: Case, number: int, writer: asyncio.StreamWriter, turn: asyncio.Semaphore
) -> None:
    try:
        for index, piece in enumerate(case.pieces):
            if case.in_turn:
                await turn.acquire()
            elif index:
                await asyncio.sleep(PIECE_S)
            writer.write(piece.replace(CANARY_ID, canary(number).encode()))
            await writer.drain()
        if case.half:
            writer.write_eof()
    except ConnectionError:
        pass  # it was refused before all of it was sent


async def _after(
    case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> str | None:
    """A connection that is kept answers what is sent on it next, and not what was sent before."""
    if not case.closes:
        writer.write(PROBE)
        answer = await read_answer(reader)
        if answer is None or (answer.status, answer.headers["x-request-id"]) != (200, "probe"):
            return f"{case.name}: then {answer} instead of the answer to another request"
        return None
    try:
        rest = await reader.read()
    except ConnectionError:
        rest = b""
    return f"{case.name}: then {rest[:60]!r} instead of the end" if rest else None


async def play_all(url: URL, cases: Sequence[Case] = CASES) -> list[str]:
    """Return what was wrong, for each case that went wrong."""
    gate = asyncio.Semaphore(AT_ONCE_MAX)

    async def one(case: Case, number: int) -> str | None:
        async with gate:
            return await play(case, number, url)

    found = await asyncio.gather(*(one(case, number) for number, case in enumerate(cases)))
    return [wrong for wrong in found if wrong is not None]


async def _smuggled(url: URL) -> list[str]:
    """Return the cases whose canary was run."""
    found = []
    for number, case in enumerate(CASES):
        reader, writer = await asyncio.open_connection(url.host, url.port)
        target = f"/api/v1/tweets?author={canary(number)}"
        writer.write(f"GET {target} HTTP/1.1\r\n{HOST.decode()}Connection: close\r\n\r\n".encode())
        answer = await read_answer(reader)
        await hang_up(writer)
        if answer is None or answer.body != b'{"items":[],"next":null}':
            found.append(f"{case.name}: its canary was run: {answer}")
    return found


async def _main(process: LiveSystem) -> int:
    url = URL(process.url)
    wrong = [*await play_all(url), *await _smuggled(url)]
    code = await asyncio.to_thread(process.stop)
    if code or process.errors or "Traceback" in process.log:
        wrong.append(f"the process ended badly: {process.last_words}")
    for line in wrong:
        print(line)
    print(f"{len(CASES)} framing cases, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, processes_in(Path(folder)) as made:
        booted = made.boot(*(f"edge.{name}={value}" for name, value in LIMITS.items()))
        sys.exit(asyncio.run(_main(booted)))
