from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import inspect
import logging
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import aiohttp
import aiohttp.helpers
import pytest
from aiohttp.cookiejar import CookieJar
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from actors.kernel.rng import Rng
from actors.simulation.errors import Escape, SimulationError
from actors.simulation.net.network import Network
from actors.simulation.sealed import escapes
from actors.simulation.sealed.escapes import forbid
from actors.simulation.sealed.watch import Allowance
from actors.simulation.time.loop import SimulationLoop
from actors.simulation.time.run import run
from tests.simulation.sealed import planted_escapes as held
from tests.simulation.sealed.planted_escapes import PLANTED, POOL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLANTED_MIN = 20


@pytest.fixture(scope="module", autouse=True)
def idle_pool() -> Iterator[None]:
    """A pool whose one worker waits for work."""
    POOL.submit(int).result()
    yield
    POOL.shutdown()


def inside(plant: Callable[[], Any]) -> None:
    """Call `plant` in a task of a simulation that forbids."""
    loop = SimulationLoop()
    Network(loop)

    async def main() -> None:
        result = plant()
        if inspect.isawaitable(result):
            await result

    with forbid(loop):
        run(main(), loop=loop)


@pytest.mark.parametrize(("name", "what", "plant"), PLANTED, ids=[name for name, _, _ in PLANTED])
def test_planted_escapes_are_caught(name: str, what: str, plant: Callable[[], Any]) -> None:
    """Each raises an Escape that says what it was, and where in whose code it was called."""
    with pytest.raises(Escape, match=re.escape(what)) as caught:
        inside(plant)
    # Where the plant is a library's own function, this file calls it.
    assert re.search(r"(planted|test)_escapes\.py:\d", str(caught.value))
    library = next((each for each in ("pykka", "aiosqlite") if each in name), None)
    assert (library or "_escapes.py") in caught.value.caller


def test_enough_are_planted() -> None:
    """The issue asks for at least 20."""
    assert len({name for name, _, _ in PLANTED}) == len(PLANTED) >= PLANTED_MIN


def test_a_swallowed_escape_is_raised_at_the_end() -> None:
    """A catch-all cannot hide an escape."""

    def swallow() -> None:
        with contextlib.suppress(Exception):
            time.time()

    with pytest.raises(Escape, match=r"time\.time\(\).*test_escapes\.py"):
        inside(swallow)


def test_another_error_carries_the_swallowed_escape() -> None:
    """What fails later because of an escape says so in a note."""

    def swallow() -> None:
        with contextlib.suppress(Exception):
            time.time()
        raise LookupError

    with pytest.raises(LookupError) as caught:
        inside(swallow)
    assert any("time.time()" in note for note in caught.value.__notes__)


def test_everything_is_as_before_afterwards() -> None:
    """The real world is whole again: the same functions, and all of them work."""
    before = (time.time, time.sleep, os.urandom, random.random, asyncio.run, held.monotonic)
    with forbid():
        assert time.time is not before[0]
    after = (time.time, time.sleep, os.urandom, random.random, asyncio.run, held.monotonic)
    assert after == before
    assert dt.datetime.now(dt.UTC).timestamp() == pytest.approx(time.time(), abs=60)
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()
    assert subprocess.run([sys.executable, "-c", ""], check=True).returncode == 0
    assert random.Random().random() != random.Random().random()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert pool.submit(int).result() == 0


def test_what_was_kept_from_inside_works_outside() -> None:
    """A guard that somebody took along calls the original."""
    with forbid():
        kept = (time.monotonic, os.urandom, time.gmtime)
    assert kept[0]() == pytest.approx(time.monotonic(), abs=60)
    assert len(kept[1](3)) == 3
    assert kept[2]().tm_year >= 2024


def test_harmless_cousins_are_let_through() -> None:
    """What asks for no clock and no chance, and waits for nothing, works."""

    def harmless() -> None:
        assert time.gmtime(0).tm_year == 1970
        assert time.strftime("%Y", time.gmtime(0)) == "1970"
        assert dt.datetime.fromtimestamp(0, dt.UTC).year == 1970
        assert 0 <= random.Random(1).random() < 1
        assert Rng(1).fork("a").new_id(0)
        lock = threading.Lock()
        with lock:
            assert not lock.acquire(blocking=False)
        event = threading.Event()
        event.set()
        assert event.wait(1)
        threading.Thread(target=print)

    inside(harmless)


def test_libraries_are_served_virtual_time() -> None:
    """Cookies, Date headers and log records are of the simulation's time."""
    loop = SimulationLoop(start_us=1_000_000_000_000_000)
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    log = logging.getLogger("tests.simulation.served")
    log.addHandler(Keeper())

    async def main() -> tuple[str, int, int]:
        jar = CookieJar(unsafe=True)
        jar.update_cookies({"a": "1"})
        jar.update_cookies_from_headers(["b=2; Max-Age=60"], URL("http://edge/"))
        counts = [len(jar)]
        await asyncio.sleep(3_600)
        jar._do_expiration()
        log.warning("an hour later")
        return aiohttp.helpers.rfc822_formatted_time(), counts[0], len(jar)

    with forbid(loop):
        date, before, after = run(main(), loop=loop)
    assert date == "Sun, 09 Sep 2001 02:46:40 GMT"
    assert (before, after) == (2, 1)
    assert records[0].created == 1_000_003_600


def test_without_a_loop_nobody_is_served() -> None:
    """There is no virtual time to serve."""
    with pytest.raises(Escape, match=r"time\.time\(\)"), forbid():
        aiohttp.helpers.rfc822_formatted_time()


def test_modules_imported_inside_are_freed_too(tmp_path: Any, monkeypatch: Any) -> None:
    """A module that is imported in a simulation keeps no guard; while it is, it may ask."""
    source = "from time import monotonic\nimport random\nSTART = monotonic()\nR = random.Random()\n"
    (tmp_path / "imported_inside.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)

    def import_and_use() -> None:
        import imported_inside  # type: ignore[import-not-found]  # noqa: PLC0415

        imported_inside.monotonic()

    with pytest.raises(Escape, match=r"time\.monotonic\(\)"), forbid():
        import_and_use()
    assert sys.modules["imported_inside"].monotonic is time.monotonic


@given(data=st.data())
def test_hypothesis_may_draw_inside(data: st.DataObject) -> None:
    """The test around a simulation goes on measuring and drawing."""
    with forbid():
        data.draw(st.integers())
        Rng(data.draw(st.integers())).random()


def test_who_is_allowed_may_ask_through_the_library(tmp_path: Path) -> None:
    """Who counts is who called tempfile, not tempfile; Hypothesis saves examples while it draws."""
    source = "import tempfile\ndef make(folder): return tempfile.mkdtemp(dir=folder)"
    allowed: dict[str, Any] = {"__name__": "hypothesis.planted"}
    exec(source, allowed)  # noqa: S102 - a module by that name
    stranger: dict[str, Any] = {"__name__": "hypothesised"}
    exec(source, stranger)  # noqa: S102
    with forbid():
        assert Path(allowed["make"](tmp_path)).exists()
    with pytest.raises(Escape, match="a temporary name"), forbid():
        stranger["make"](tmp_path)


def test_what_is_played_may_bring_who_is_allowed() -> None:
    """A client's own library asks for its nonce and is given the seed's; for time it may not."""
    library: dict[str, Any] = {"__name__": "signing.nonces"}
    exec("import os, time\ndef nonce(): return os.urandom(8)\ndef now(): time.time()", library)  # noqa: S102
    allowed = (Allowance("signing", ("entropy",), "virtual", "signs requests"),)
    nonces = []
    for _ in range(2):
        loop = SimulationLoop(seed=1)
        with forbid(loop, allowed=allowed):
            nonces.append(library["nonce"]())
        with pytest.raises(Escape), forbid(loop, allowed=allowed):
            library["now"]()
        with pytest.raises(Escape), forbid(loop):
            library["nonce"]()
        loop.close()
    assert nonces[0] == nonces[1]


def test_it_does_not_nest() -> None:
    """One simulation at a time: the world is the process's."""
    with forbid(), pytest.raises(SimulationError, match="already"), forbid():
        pass


def test_other_threads_are_left_alone() -> None:
    """A thread that ran before goes on in the real world."""
    go, seen = threading.Event(), list[float]()

    def work() -> None:
        go.wait()
        seen.append(time.time())

    thread = threading.Thread(target=work)
    thread.start()
    with forbid():
        go.set()
        while not seen:
            pass
    thread.join()
    assert seen[0] > 0


@pytest.mark.real_time
def test_forbidding_is_cheap() -> None:
    """Entering and leaving costs little beside a simulation of fifty milliseconds."""
    with forbid():
        pass
    begun = time.process_time()
    for _ in range(100):
        with forbid():
            pass
    assert (time.process_time() - begun) / 100 < 0.010


def test_the_hook_hears_on_when_the_module_is_gone() -> None:
    """At its exit the interpreter sets a module's names to None, and tells hooks to the last."""
    with forbid():
        pass
    with patch.multiple(escapes, AUDITED=None, watching=None):
        sys.audit("socket.bind")
