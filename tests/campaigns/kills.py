"""`make kills`: SIGKILLs under load, and a ledger of what was acknowledged, held against the files.

`python -m tests.campaigns.kills [--seconds 150] [--seed N]`. Clients write on every
listener and note what they were told. The process is killed at random instants, while it boots as
well, and its actors in between. At the end the files are read with sqlite3 alone: the comparison
shares no code with the product. Exit 0: they agree; 1: they do not, and the folder is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import random
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.campaigns.ledger import Ledger, differences
from tests.system.client import connected
from tests.system.process import processes_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.testing.live_system import LiveSystem
    from tests.http_edge.serving import Reply
    from tests.system.client import Client

CLIENTS_A_KIND = 4
UP_S_MAX = 0.8
BOOT_S_MAX = 0.6
BOOT_KILL_SHARE = 0.25
ACTOR_KILLS_MAX = 6
SETTLE_S_MAX = 60.0
# No answer for this long from a process that is up is a finding, not a reason to wait.
ANSWER_S_MAX = 60.0

SERVICES = (
    "customer", "room", "booking", "payment", "card_processor", "notification",
    "tweets", "reader", "flagger", "favouriter", "responder", "x_platform",
)  # fmt: skip
FIRST_DAY = dt.date(2100, 1, 1)
DAYS = 300
ROOMS_WANTED = 3
# As much is tweeted in a minute as in hours elsewhere, and each tweet is to be answered once.
UNBOUNDED = tuple(
    f"tweets.{bound}=1000000"
    for bound in (
        "replies_hour_max", "replies_author_hour_max", "replies_conversation_day_max",
        "likes_author_hour_max",
    )
)  # fmt: skip
RATE = {"amount": 10_001, "currency": "EUR"}
# Approved, declined, without funds, approved with its first answer lost.
CARDS = ("4242424242424242",) * 6 + ("4000000000000002", "4000000000009995", "4000000000001000")
MOODS = ("is awful, I hate it", "is wonderful, I love it", "has a page on sockets")
RETRIED = {503, 504}


class Clients:
    """They write until told to stop, and keep what they were told."""

    def __init__(self, process: LiveSystem, client: Client, chance: random.Random) -> None:
        self.ledger = Ledger()
        self.up = asyncio.Event()
        self.stopping = False
        self.broken = 0
        self.unexpected: list[str] = []
        self._process = process
        self._client = client
        self._chance = chance
        self.rooms: list[str] = []

    def kinds(self) -> tuple[Callable[[str], Awaitable[None]], ...]:
        return (
            self.customer, self.room, self.booking, self.tutorial_customer, self.insert,
            self.tweet, self.post_at_x,
        )  # fmt: skip

    async def work(self, kind: Callable[[str], Awaitable[None]], number: int) -> None:
        count = 0
        while not self.stopping:
            await self.up.wait()
            count += 1
            await kind(f"{kind.__name__}-{number}-{count}")

    # --- What they want ----------------------------------------------------------------------

    async def customer(self, key: str) -> None:
        body = {"name": key, "email": f"{key}@example.com"}
        reply = await self._until({201}, "POST", "/api/v1/customers", key, body)
        self.ledger.customers[reply.json["id"]] = (key, body["email"])

    async def tutorial_customer(self, key: str) -> None:
        body = {"ID": key, "Name": key, "Email": f"{key}@example.com"}
        await self._until({201}, "POST", "/customer", key, body, listener="hotel")
        self.ledger.customers[key] = (key, body["Email"])

    async def room(self, key: str) -> None:
        body = {"type": "double", "rate": RATE, "number": key}
        reply = await self._until({201}, "POST", "/api/v1/rooms", key, body)
        self.ledger.rooms[reply.json["id"]] = key

    async def booking(self, key: str) -> None:
        body = {"name": key, "email": f"{key}@example.com"}
        reply = await self._until({201}, "POST", "/api/v1/customers", f"{key}-guest", body)
        guest = reply.json["id"]
        self.ledger.customers[guest] = (key, body["email"])
        day = FIRST_DAY + dt.timedelta(days=self._chance.randrange(DAYS))
        wish = {
            "customer_id": guest,
            "room_id": self._chance.choice(self.rooms),
            "check_in": day.isoformat(),
            "check_out": (day + dt.timedelta(days=self._chance.randint(1, 3))).isoformat(),
            "card_number": self._chance.choice(CARDS),
        }
        reply = await self._until({201, 409}, "POST", "/api/v1/bookings", key, wish)
        if reply.status == 201:
            booking_id = reply.json["id"]
            self.ledger.confirmed[booking_id] = reply.json
            if self._chance.random() < 0.4:
                path = f"/api/v1/bookings/{booking_id}"
                gone = await self._until({200}, "DELETE", path, f"{key}-gone", None)
                self.ledger.cancelled[booking_id] = gone.json

    async def tweet(self, key: str) -> None:
        body = {"author": "ada", "text": f"{key} & <b> {self._chance.choice(MOODS)}"}
        reply = await self._until({201}, "POST", "/api/v1/tweets", key, body)
        self.ledger.tweets[reply.json["id"]] = body["text"]

    async def insert(self, key: str) -> None:
        """The tutorial's address knows no key: a text that broke off stands at most once."""
        self.ledger.inserts_tried.add(key)
        reply = await self._once("GET", f"/insert/bob/{key}", listener="tweets")
        if reply is not None and self._expected(reply, {200}, f"/insert {key}"):
            self.ledger.inserted.add(key)

    async def post_at_x(self, key: str) -> None:
        """Neither does the operator's address; X itself keeps what it was told."""
        body = {
            "username": key.replace("-", "_")[:15],
            "text": f"tutorialedge {self._chance.choice(MOODS)} {key}",
        }
        reply = await self._once("POST", "/admin/x/tweets", json=body, headers=self._token())
        if reply is not None and self._expected(reply, {201}, f"X {key}"):
            self.ledger.posted_at_x[reply.json["id"]] = body["text"]

    # --- How they ask ------------------------------------------------------------------------

    async def _until(
        self,
        statuses: set[int],
        method: str,
        path: str,
        key: str,
        body: Any,
        listener: str = "gateway",
    ) -> Reply:
        options: dict[str, Any] = {} if body is None else {"json": body}
        begun = time.monotonic()
        while True:
            await self.up.wait()
            reply = await self._once(
                method, path, listener, headers={"Idempotency-Key": key}, **options
            )
            if reply is not None:
                if reply.status in statuses:
                    return reply
                if reply.status not in {202, *RETRIED}:
                    self.unexpected.append(f"{method} {path} {key}: {reply.status} {reply.body!r}")
                await asyncio.sleep(0.1)
            if time.monotonic() - begun > ANSWER_S_MAX + SETTLE_S_MAX:
                message = f"{method} {path} {key}: no end after {time.monotonic() - begun:.0f} s"
                raise AssertionError(message)

    async def _once(
        self, method: str, path: str, listener: str = "gateway", **options: Any
    ) -> Reply | None:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await self._client.send(method, path, listener, **options)
        except (aiohttp.ClientError, ConnectionError):
            self.broken += 1
            await asyncio.sleep(0.01)  # until it is known that the process was killed
            return None

    def _expected(self, reply: Reply, statuses: set[int], what: str) -> bool:
        if reply.status in statuses:
            return True
        if reply.status not in RETRIED:
            self.unexpected.append(f"{what}: {reply.status} {reply.body!r}")
        return False

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._process.token}"}


async def storm(clients: Clients, process: LiveSystem, client: Client, seconds: float,
                chance: random.Random) -> int:  # fmt: skip
    """Kill and start until the time is over; return how often it was killed."""
    kills = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if chance.random() < BOOT_KILL_SHARE:
            await asyncio.to_thread(process.launch)
            await asyncio.sleep(chance.uniform(0, BOOT_S_MAX))
            await asyncio.to_thread(process.kill_process)
            kills += 1
        await asyncio.to_thread(process.start)
        clients.up.set()
        for _ in range(chance.randrange(ACTOR_KILLS_MAX)):
            await asyncio.sleep(chance.uniform(0, UP_S_MAX / ACTOR_KILLS_MAX))
            await client.admin("POST", f"/admin/actors/{chance.choice(SERVICES)}/kill")
        await asyncio.sleep(chance.uniform(0, UP_S_MAX))
        clients.up.clear()
        await asyncio.to_thread(process.kill_process)
        kills += 1
    return kills


async def settle(client: Client) -> None:
    """Wait until nothing is on its way any more, and all that X was told has been read."""
    deadline = time.monotonic() + SETTLE_S_MAX
    calm = 0
    while calm < 5:
        channels = (await client.admin("GET", "/admin/channels")).json["items"]
        timers = (await client.admin("GET", "/admin/timers")).json["items"]
        reader = (await client.send("GET", "/api/v1/reader")).json
        busy = [each for each in channels if each["depth"]]
        busy += [each for each in timers if each["due"] or each["effects_running"]]
        calm = 0 if busy or reader.get("status") != "connected" else calm + 1
        if time.monotonic() > deadline:
            message = f"not at rest after {SETTLE_S_MAX} s: {busy[:5]}, reader {reader}"
            raise AssertionError(message)
        await asyncio.sleep(0.2)


async def campaign(process: LiveSystem, seconds: float, seed: int) -> list[str]:
    """Return what does not agree, with the figures of the run printed."""
    chance = random.Random(seed)
    await asyncio.to_thread(process.start)
    async with connected(process) as client:
        clients = Clients(process, client, chance)
        for number in range(ROOMS_WANTED):
            name = f"wanted-{number}"
            body = {"type": "suite", "rate": RATE, "number": name}
            room_id = (await client.create("/api/v1/rooms", body))["id"]
            clients.rooms.append(room_id)
            clients.ledger.rooms[room_id] = name
        await asyncio.to_thread(process.kill_process)
        tasks = [
            asyncio.create_task(clients.work(kind, number))
            for kind in clients.kinds()
            for number in range(CLIENTS_A_KIND)
        ]
        try:
            kills = await storm(clients, process, client, seconds, chance)
            await asyncio.to_thread(process.start)
            clients.stopping = True
            clients.up.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await settle(client)
        code = await asyncio.to_thread(process.stop)
    print(f"{kills} SIGKILLs, {clients.broken} requests cut off; {clients.ledger.figures()}")
    found = [] if code == 0 else [f"the last SIGTERM ended in exit {code}"]
    if kills < 2 or clients.broken < kills:
        found.append("the kills hardly met a request: this run proves nothing")
    found += clients.unexpected
    found += differences(clients.ledger, process.data_dir)
    found += [f"stderr: {process.errors[-2000:]}"] if process.errors else []
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kills", description=__doc__)
    parser.add_argument("--seconds", type=float, default=150.0, help="of killing")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    data_dir = Path(tempfile.mkdtemp(prefix="kills-"))
    print(f"seed {arguments.seed}; the folder is {data_dir}")
    found = ["it was interrupted"]
    with contextlib.suppress(KeyboardInterrupt), processes_in(data_dir) as made:
        process = made.make("breaker.open_s=0.05", *UNBOUNDED)
        found = asyncio.run(campaign(process, arguments.seconds, arguments.seed))
    for each in found[:50]:
        print(f"FOUND: {each}")
    if found:
        print(f"{len(found)} findings; rerun with: --seed {arguments.seed}; see {data_dir}")
        return 1
    print("the files hold what was acknowledged, each of it once, and nothing else")
    shutil.rmtree(data_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
