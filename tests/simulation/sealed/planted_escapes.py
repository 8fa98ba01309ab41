"""Ways out of a simulation, planted one by one: what a test must catch, and what it is called."""

# ruff: noqa: PLW0108 - a lambda looks the function up when it is called, as a program would

from __future__ import annotations

import asyncio
import concurrent.futures
import datetime as dt
import http.client
import multiprocessing
import os
import queue
import random
import secrets
import select
import selectors
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from datetime import date
from datetime import datetime as moment
from time import monotonic as monotonic  # noqa: PLC0414 - a test looks at it here
from typing import TYPE_CHECKING, Any

import aiosqlite
import pykka

if TYPE_CHECKING:
    from collections.abc import Callable

# What each is, what the error must say of it, and the escape: a function, or a coroutine function.
Plant = tuple[str, str, "Callable[[], Any]"]

now = moment.now  # held before the simulation began


class Echo(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> Any:
        return message


def blocks_for_ever() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def blocks_in_with() -> None:
    lock = threading.Lock()
    with lock, lock:
        pass


def uses_an_idle_pool() -> None:
    POOL.submit(print)


async def opens_aiosqlite() -> None:
    await aiosqlite.connect(":memory:")


async def runs_in_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, print)


async def runs_to_thread() -> None:
    await asyncio.to_thread(print)


async def starts_subprocess() -> None:
    await asyncio.create_subprocess_exec(sys.executable, "-V")


async def starts_shell() -> None:
    await asyncio.create_subprocess_shell("true")


async def nested_run() -> None:
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    finally:
        coroutine.close()


def runs_a_runner() -> None:
    with asyncio.Runner() as runner:
        coroutine = asyncio.sleep(0)
        try:
            runner.run(coroutine)
        finally:
            coroutine.close()


def waits_for_a_future() -> None:
    concurrent.futures.Future[None]().result(timeout=0.001)


def waits_in_selector() -> None:
    with selectors.DefaultSelector() as selector:
        selector.select(0.001)


def bare_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def forks() -> None:
    if os.fork() == 0:
        os._exit(1)


ECHO = Echo()
# Kept alive with a worker, so that a task needs no new thread.
POOL = concurrent.futures.ThreadPoolExecutor(1)

PLANTED: list[Plant] = [
    # Threads.
    # Its urn is drawn before its thread starts; the other one was made before the simulation.
    ("pykka.ThreadingActor", "os.urandom()", Echo.start),
    ("pykka.ThreadingActor's thread", "a thread", lambda: ECHO._start_actor_loop()),
    ("aiosqlite", "a thread", opens_aiosqlite),
    ("threading.Thread", "a thread", lambda: threading.Thread(target=print).start()),
    ("threading.Timer", "a thread", lambda: threading.Timer(0.001, print).start()),
    ("a thread pool", "a thread pool", uses_an_idle_pool),
    ("loop.run_in_executor", "run_in_executor", runs_in_executor),
    ("asyncio.to_thread", "run_in_executor", runs_to_thread),
    # Waits.
    ("time.sleep", "time.sleep()", lambda: time.sleep(0.001)),
    ("threading.Event.wait", "a wait for a lock", lambda: threading.Event().wait(0.001)),
    ("a lock for ever", "a wait for a lock", blocks_for_ever),
    ("a lock in a with", "a wait for a lock", blocks_in_with),
    ("queue.get", "time.monotonic()", lambda: queue.Queue[int]().get(timeout=0.001)),
    ("queue.get for ever", "a wait for a lock", lambda: queue.Queue[int]().get()),
    ("SimpleQueue.get", "a wait for a queue", lambda: queue.SimpleQueue[int]().get(timeout=0.001)),
    ("Future.result", "a wait for a lock", waits_for_a_future),
    ("select.select", "select.select()", lambda: select.select([], [], [], 0.001)),
    ("a selector", "a wait for file descriptors", waits_in_selector),
    ("signal.setitimer", "signal.setitimer()", lambda: signal.setitimer(signal.ITIMER_REAL, 0)),
    ("signal.alarm", "signal.alarm()", lambda: signal.alarm(0)),
    ("input", "input()", lambda: input()),
    # Processes.
    ("subprocess.run", "a subprocess", lambda: subprocess.run(["true"], check=True)),
    ("create_subprocess_exec", "a subprocess", starts_subprocess),
    ("create_subprocess_shell", "a subprocess", starts_shell),
    ("multiprocessing", "a process", lambda: multiprocessing.Process(target=print).start()),
    ("os.system", "os.system()", lambda: os.system("true")),  # noqa: S605
    ("os.popen", "a subprocess", lambda: os.popen("true")),  # noqa: S605
    ("os.fork", "os.fork()", forks),
    ("os.posix_spawn", "os.posix_spawn()", lambda: os.posix_spawn("/bin/true", ["true"], {})),
    ("os.execv", "os.exec*()", lambda: os.execv("/bin/true", ["true"])),  # noqa: S606
    # Sockets.
    ("socket.socket", "a socket", bare_socket),
    ("create_connection", "a name look-up", lambda: socket.create_connection(("localhost", 1))),
    ("socketpair", "a socket", lambda: socket.socketpair()),
    ("http.client", "a name look-up", lambda: http.client.HTTPConnection("127.0.0.1", 1).connect()),
    ("urllib", "a name look-up", lambda: urllib.request.urlopen("http://127.0.0.1:1/")),
    ("getaddrinfo", "a name look-up", lambda: socket.getaddrinfo("localhost", 1)),
    # Other loops.
    ("asyncio.run", "asyncio.run()", nested_run),
    ("asyncio.Runner", "asyncio.new_event_loop()", runs_a_runner),
    ("new_event_loop", "asyncio.new_event_loop()", lambda: asyncio.new_event_loop()),
    # Clocks.
    ("time.time", "time.time()", lambda: time.time()),
    ("time.time_ns", "time.time_ns()", lambda: time.time_ns()),
    ("time.monotonic", "time.monotonic()", lambda: time.monotonic()),
    ("monotonic by name", "time.monotonic()", lambda: monotonic()),
    ("time.perf_counter", "time.perf_counter()", lambda: time.perf_counter()),
    ("time.process_time_ns", "time.process_time_ns()", lambda: time.process_time_ns()),
    ("time.localtime", "time.localtime()", lambda: time.localtime()),
    ("time.gmtime", "time.gmtime()", lambda: time.gmtime()),
    ("time.strftime", "time.strftime()", lambda: time.strftime("%H")),
    ("time.ctime", "time.ctime()", lambda: time.ctime()),
    ("clock_gettime", "clock_gettime()", lambda: time.clock_gettime(time.CLOCK_MONOTONIC)),
    ("datetime.now", "datetime.now()", lambda: dt.datetime.now(dt.UTC)),
    ("datetime by name", "datetime.now()", lambda: moment.now()),  # noqa: DTZ005
    ("datetime.now held", "datetime.now()", lambda: now()),
    ("datetime.utcnow", "datetime.utcnow()", lambda: dt.datetime.utcnow()),  # noqa: DTZ003
    ("datetime.today", "time.time()", lambda: dt.datetime.today()),  # noqa: DTZ002
    ("date.today", "time.time()", lambda: date.today()),  # noqa: DTZ011
    # Entropy.
    ("random.random", "random.random()", lambda: random.random()),
    ("random.shuffle", "random.shuffle()", lambda: random.shuffle([1, 2])),
    ("random.Random()", "a Random without a seed", lambda: random.Random()),
    ("random.seed()", "random.seed()", lambda: random.seed()),
    ("SystemRandom", "os.urandom()", lambda: random.SystemRandom().random()),
    ("os.urandom", "os.urandom()", lambda: os.urandom(4)),
    ("os.getrandom", "os.getrandom()", lambda: os.getrandom(4)),
    ("secrets.token_hex", "os.urandom()", lambda: secrets.token_hex()),
    ("secrets.choice", "os.urandom()", lambda: secrets.choice([1, 2])),
    ("uuid4", "os.urandom()", lambda: uuid.uuid4()),
    ("uuid1", "uuid.uuid1()", lambda: uuid.uuid1()),
    ("ssl.RAND_bytes", "RAND_bytes()", lambda: ssl.RAND_bytes(4)),
    ("tempfile", "a temporary name", lambda: tempfile.mkdtemp()),
]
