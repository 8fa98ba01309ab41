"""`make fuzz`: some minutes of everything that a network can send, at a real process.

`--seconds 120 --seed N`. What holds throughout: the process lives, health and admin answer, every
answer is HTTP, none is a 5xx but 503 and 504, no line of the log is an error, and afterwards memory
and descriptors are what they were. The smallest input found that breaks one of these is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from yarl import URL

from tests.benchmarks.process_usage import resident_bytes
from tests.http_edge.answers import AnswerError, read_answer
from tests.http_edge.fuzz_inputs import LISTENERS, Sent, draw
from tests.system.process import processes_in

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from actors.testing.live_system import LiveSystem

SETTINGS: Final = (
    *("edge.head_s_max=1", "edge.body_s_max=1", "edge.deadline_s=2"),
    *("edge.linger_s=0.1", "store.cache_kib=256", "log.format=json"),
)
BATCH: Final = 60
HALF_HEADS: Final = 4100
FLOOD: Final = 600
PIPELINED: Final = 400
# A machine that runs other things too; the server's own limits are two seconds.
ANSWER_S_MAX: Final = 20.0
QUIET_S: Final = 0.3
PROBE_PAUSE_S: Final = 0.2
SHRINK_S_MAX: Final = 60.0
SETTLE_S: Final = 3.0
MEMORY_GROWTH_MB_MAX: Final = 24.0
DESCRIPTORS_GROWTH_MAX: Final = 6

HEALTH: Final = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ACTORS: Final = (
    b"GET /admin/actors HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Authorization: Bearer %b\r\n\r\n"
)
ALLOWED_5XX: Final = {503, 504}


class FoundError(Exception):
    """Something does not hold; `sent` is what showed it, where it was one input."""

    def __init__(self, what: str, sent: Sent | None = None) -> None:
        super().__init__(what)
        self.sent = sent


class Fuzzer:
    """Plays rounds at one process until the time is up."""

    def __init__(self, process: LiveSystem, rng: random.Random) -> None:
        self._process = process
        self._rng = rng
        self._urls = {name: URL(process.listeners[name]) for name in LISTENERS}
        self._errors_seen = 0
        self.statuses: Counter[int] = Counter()
        self.played: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """Raise FoundError for the first thing that does not hold."""
        rounds: list[Callable[[], Coroutine[None, None, None]]] = [
            self._requests,
            self._half_heads,
            self._flood,
            self._pipeline,
        ]
        end = time.monotonic() + seconds
        for each in rounds:  # warm: what is made once is made by now
            await self._watched(each)
        before = await self._use()
        while time.monotonic() < end:
            # The floods are dear: a tenth each.
            each = self._rng.choices(rounds, weights=(7, 1, 1, 1))[0]
            await self._watched(each)
        after = await self._use()
        print(f"memory {before[0]:.0f} -> {after[0]:.0f} MB, descriptors {before[1]} -> {after[1]}")
        if after[0] > before[0] + MEMORY_GROWTH_MB_MAX:
            message = f"memory grew from {before[0]:.0f} to {after[0]:.0f} MB"
            raise FoundError(message)
        if after[1] > before[1] + DESCRIPTORS_GROWTH_MAX:
            message = f"descriptors grew from {before[1]} to {after[1]}"
            raise FoundError(message)

    async def _watched(self, play: Callable[[], Coroutine[None, None, None]]) -> None:
        """Play a round while somebody asks for health, and look at the process afterwards."""
        self.played[play.__name__] += 1
        playing = asyncio.ensure_future(play())
        probing = asyncio.ensure_future(self._probe())
        try:
            await asyncio.wait({playing, probing}, return_when=asyncio.FIRST_COMPLETED)
            if probing.done():
                await probing
            await playing
        finally:
            for task in (playing, probing):
                task.cancel()
            await asyncio.gather(playing, probing, return_exceptions=True)
        self._look()

    def _look(self) -> None:
        if not self._process.running:
            message = f"the process ended: {self._process.last_words}"
            raise FoundError(message)
        if self._process.errors:
            message = f"standard error: {self._process.errors[-2000:]}"
            raise FoundError(message)
        errors = [
            line
            for line in list(self._process.lines)
            if line.get("level") in {"error", "critical"} or "exception" in line
        ]
        new, self._errors_seen = errors[self._errors_seen :], len(errors)
        if new:
            message = f"an error in the log: {new[0]}"
            raise FoundError(message)

    async def _probe(self) -> None:
        """Ask for health and the actors for ever; raise FoundError where they do not answer."""
        actors = ACTORS % self._process.token.encode()
        while True:
            for request in (HEALTH, actors):
                begun = time.monotonic()
                statuses = await self._exchange(Sent("gateway", (request,), half=False))
                if statuses != [200]:
                    message = f"{request[:20]!r} got {statuses} in {time.monotonic() - begun:.1f} s"
                    raise FoundError(message)
            await asyncio.sleep(PROBE_PAUSE_S)

    async def _use(self) -> tuple[float, int]:
        """Return memory in MB and open descriptors, at rest."""
        await asyncio.sleep(SETTLE_S)
        files = len(os.listdir(f"/proc/{self._process.pid}/fd"))  # noqa: PTH208 - no path is meant
        return resident_bytes(self._process.pid) / 1e6, files

    # --- Rounds ------------------------------------------------------------------------------

    async def _requests(self) -> None:
        batch = [draw(self._rng) for _ in range(BATCH)]
        await asyncio.gather(*(self.play(sent) for sent in batch))
        try:
            self._look()
        except FoundError:
            # One of them; alone, it shows it again.
            for sent in batch:
                if await self.fails(sent):
                    raise FoundError("an error in the log", sent) from None
            raise

    async def _half_heads(self) -> None:
        """More clients that do not finish than there are places, and what is asked meanwhile."""
        listener = self._rng.choice(LISTENERS)
        url = self._urls[listener]
        writers = []
        try:
            for number in range(HALF_HEADS):
                _, writer = await asyncio.open_connection(url.host, url.port)
                writers.append(writer)
                writer.write(HEALTH[: self._rng.randint(1, len(HEALTH) - 5)])
                if number % 500 == 0:
                    request = (
                        b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                    )
                    statuses = await self._exchange(Sent(listener, (request,), half=False))
                    if not statuses or statuses[0] not in range(400, 500):
                        message = f"{listener} answers {statuses} beside {number} half heads"
                        raise FoundError(message)
        finally:
            for writer in writers:
                writer.transport.abort()

    async def _flood(self) -> None:
        """Clients that come and go, with a reset or without, having said something or nothing."""

        async def one(data: bytes, *, reset: bool) -> None:
            url = self._urls[self._rng.choice(LISTENERS)]
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection(url.host, url.port)
                writer.write(data)
                if reset:
                    writer.transport.abort()
                else:
                    writer.close()

        many = [b"".join(draw(self._rng).pieces) for _ in range(FLOOD)]
        await asyncio.gather(*(one(data, reset=index % 2 == 0) for index, data in enumerate(many)))

    async def _pipeline(self) -> None:
        """Many requests on one connection, whose answers are read late."""
        url = self._urls["gateway"]
        reader, writer = await asyncio.open_connection(url.host, url.port)
        request = b"GET /api/v1/rooms?limit=50 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        try:
            writer.write(request * PIPELINED)
            await asyncio.sleep(QUIET_S)
            for _ in range(PIPELINED):
                async with asyncio.timeout(ANSWER_S_MAX):
                    answer = await read_answer(reader)
                if answer is None:
                    message = "a pipeline was cut"
                    raise FoundError(message)
                self._check(answer.status, None)
        finally:
            writer.transport.abort()

    # --- One input ---------------------------------------------------------------------------

    async def play(self, sent: Sent) -> None:
        """Send it and look at what comes back."""
        for status in await self._exchange(sent):
            self.statuses[status] += 1
            self._check(status, sent)

    def _check(self, status: int, sent: Sent | None) -> None:
        if status >= 500 and status not in ALLOWED_5XX:
            message = f"answered {status}"
            raise FoundError(message, sent)

    async def _exchange(self, sent: Sent) -> list[int]:
        """Return the statuses of all answers. A connection that is kept ends when it is quiet."""
        url = self._urls[sent.listener]
        statuses: list[int] = []
        limit_s = ANSWER_S_MAX if sent.half or b"Connection: close" in sent.pieces[-1] else QUIET_S
        writer = None
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                reader, writer = await asyncio.open_connection(url.host, url.port)
                for piece in sent.pieces:
                    if writer.transport.is_closing():
                        break
                    writer.write(piece)
                    await asyncio.sleep(0)
                if sent.half and not writer.transport.is_closing():
                    writer.write_eof()
            async with asyncio.timeout(limit_s):
                while (answer := await read_answer(reader)) is not None:
                    statuses.append(answer.status)
        except TimeoutError:
            if limit_s == ANSWER_S_MAX:
                message = f"answered {statuses}, and did not end in {ANSWER_S_MAX} s"
                raise FoundError(message, sent) from None
        except AnswerError as error:
            message = f"what came back is not HTTP: {error}"
            raise FoundError(message, sent) from error
        except OSError:
            pass  # it was refused before all of it was sent
        finally:
            if writer is not None:
                writer.transport.abort()
        return statuses

    async def fails(self, sent: Sent) -> bool:
        """Whether this input alone shows something."""
        try:
            await self.play(sent)
            await asyncio.sleep(0.05)  # until its line, if any, has been written and read
            self._look()
        except FoundError:
            return True
        return False

    async def smallest(self, sent: Sent) -> Sent:
        """Return the smallest input found, by leaving out ever smaller parts, that still fails."""
        end = time.monotonic() + SHRINK_S_MAX
        whole = replace(sent, pieces=(b"".join(sent.pieces),))
        best = whole if await self.fails(whole) else sent
        size = sum(map(len, best.pieces)) // 2
        while size and time.monotonic() < end:
            for index in range(len(best.pieces)):
                at = 0
                while at < len(best.pieces[index]) and time.monotonic() < end:
                    piece = best.pieces[index]
                    less = piece[:at] + piece[at + size :]
                    pieces = (*best.pieces[:index], less, *best.pieces[index + 1 :])
                    smaller = replace(best, pieces=pieces)
                    if await self.fails(smaller):
                        best = smaller
                    else:
                        at += size
            size //= 2
        return best


async def _main(process: LiveSystem, seconds: float, seed: int) -> int:
    print(f"fuzzing for {seconds:g} s; again with --seed {seed}", flush=True)
    fuzzer = Fuzzer(process, random.Random(seed))
    try:
        await fuzzer.run(seconds)
    except FoundError as found:
        print(f"found, with --seed {seed}: {found}")
        if found.sent is not None:
            print(f"smallest input: {await fuzzer.smallest(found.sent)}")
        return 1
    finally:
        print(f"rounds {dict(fuzzer.played)}, answers {dict(sorted(fuzzer.statuses.items()))}")
    code = await asyncio.to_thread(process.stop)
    if code or process.errors:
        print(f"it ended badly: {process.last_words}")
        return 1
    return 0


def main() -> int:
    """Fuzz; return the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = secrets.randbits(32) if options.seed is None else options.seed
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder, processes_in(Path(folder)) as made:
        return asyncio.run(_main(made.boot(*SETTINGS), options.seconds, seed))


if __name__ == "__main__":
    sys.exit(main())
