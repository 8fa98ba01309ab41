"""Makes the data folder of a version, as a kill -9 leaves it with all sorts of things on their way.

    git worktree add /tmp/old COMMIT
    python -m tests.upgrade.make_folder /tmp/old tests/upgrade/COMMIT.tar.gz

`contents.json` in the archive says what was on its way, for who boots it to look for.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tarfile
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system.client import Client, connected
from tests.system.guests import (
    APPROVED,
    BOOKINGS,
    CARD,
    SETTLE_S_MAX,
    ended,
    new_customers,
    new_rooms,
    stay,
)
from tests.system.process import LISTENERS, SILENCE
from tests.upgrade.version_process import version_process

if TYPE_CHECKING:
    from actors.testing.live_system import LiveSystem

# What a start makes anew, and nobody's to know.
LEFT_OUT = {"admin.token", "lock", "x.credentials.json"}
# No booking ends because nobody came on: what is on its way is still wanted when it is taken up.
PATIENT = (
    "hotel.booking_s_max=9e8",
    "hotel.hold_s=9e8",
    "effect.attempts_max=1000",
)
NEVER = next(number for behavior, number in CARD.items() if behavior.name == "NEVER_ANSWERS")


def main(checkout: Path, target: Path) -> None:
    """Run the version in `checkout`, and pack what it leaves."""
    ports = [f"edge.{name}.port=0" for name in LISTENERS]
    settings = [f"--set={each}" for each in (*ports, *SILENCE, *PATIENT)]
    with tempfile.TemporaryDirectory() as scratch:
        data_dir = Path(scratch) / "data"
        process = version_process(data_dir, *settings, checkout=checkout)
        try:
            contents = asyncio.run(fill(process.start()))
        finally:
            process.kill_process()
        (data_dir / "contents.json").write_text(json.dumps(contents, indent=2) + "\n")
        with tarfile.open(target, "w:gz") as archive:
            for path in sorted(data_dir.iterdir()):
                if path.is_file() and path.name not in LEFT_OUT and path.suffix != ".db-shm":
                    archive.add(path, path.name)
    print(f"{target}: {target.stat().st_size} bytes")  # noqa: T201 - a script


async def fill(process: LiveSystem) -> dict[str, Any]:
    """Have things done and things begun; return what a client may ask for."""
    async with connected(process) as client:
        letter = await dead_letter(process, client)
        rooms = await new_rooms(client, 3)
        (customer,) = await new_customers(client, 1)
        done = await book(client, stay(customer, rooms[0], 1, card=APPROVED), "done")
        cancelled = await book(client, stay(customer, rooms[0], 2, card=APPROVED), "cancelled")
        for each in (done, cancelled):
            each["reply"] = await ended(client, each["location"])
        charged = asyncio.create_task(
            book(client, stay(customer, rooms[2], 1, card=NEVER), "charged")
        )
        await until(process.data_dir / "payment.db", "SELECT count(*) FROM timer")
        stored = [await store(client, f"love number {n}") for n in range(3)]
        # What each of these is sent from now on stays with its sender.
        for name in ("room", "flagger", "notification"):
            await client.order(name, "suspend")
            await client.actor_where(name, lambda actor: actor["state"] == "suspended")
        stored += [await store(client, f"hate number {n}") for n in range(3)]
        bodies = {f"held-{day}": stay(customer, rooms[1], day, card=APPROVED) for day in (1, 2, 3)}
        held = await asyncio.gather(*[book(client, body, key) for key, body in bodies.items()])
        await client.send("DELETE", cancelled["location"])
        await until(process.data_dir / "tweets.db", "SELECT count(*) FROM outbox")
        return {
            "customer": customer,
            "done": done,
            "cancelled": cancelled,
            "under way": [*held, await charged],
            "tweets": stored,
            "letter": letter,
        }


async def store(client: Client, text: str) -> str:
    """Store a tweet; return its id."""
    tweet = await client.create("/api/v1/tweets", {"author": "somebody", "text": text})
    found: str = tweet["id"]
    return found


async def book(client: Client, body: dict[str, Any], key: str) -> dict[str, Any]:
    """Ask for a booking under a key; return where it is, and what was said first."""
    reply = await client.send("POST", BOOKINGS, json=body, headers={"Idempotency-Key": key})
    assert reply.status in {201, 202}, (reply.status, reply.body)
    location = f"{BOOKINGS}/{reply.json['id']}"
    return {"key": key, "body": body, "status": reply.status, "location": location}


async def dead_letter(process: LiveSystem, client: Client) -> str:
    """Have a message crash its service each time; return the letter's id."""
    path = process.data_dir / "tweets.db"
    for old, new in (("tweet", "hidden"), ("hidden", "tweet")):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
        if new == "hidden":
            body = {"author": "poison", "text": "set aside"}
            assert (await client.send("POST", "/api/v1/tweets", json=body)).status == 503
    (letter,) = (await client.admin("GET", "/admin/dead-letters")).json["items"]
    found: str = letter["id"]
    return found


async def until(path: Path, count: str) -> None:
    """Wait until the query counts something in the file."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while True:
        with closing(sqlite3.connect(path)) as connection:
            if connection.execute(count).fetchone()[0]:
                return
        assert time.monotonic() < deadline, f"after {SETTLE_S_MAX} s: nothing in {path.name}"
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]).absolute())
