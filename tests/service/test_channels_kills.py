"""Messages between services that are killed at any instant: none is lost, none comes twice."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest

from actors.kernel.messages import Command
from actors.service.service import Service, command
from actors.store.transaction import Transaction
from tests.service.messengers import SCHEMA, Services, Town, running
from tests.store.ledger import query_file
from tests.store.leftovers import at_most_connected, open_files

if TYPE_CHECKING:
    from pathlib import Path

    from actors.kernel.rng import Rng

pytestmark = [
    pytest.mark.real_time,
    # A strike that meets a finalizer, run by the garbage collector in the handler, is lost there:
    # Python prints it and the next strike follows, but pytest would make it an error.
    pytest.mark.filterwarnings(
        "ignore:(?s)Exception ignored in.*_Struck:pytest.PytestUnraisableExceptionWarning"
    ),
]

NEXT = {"a": "b", "b": "c", "c": "a"}
TOKENS_PER_KILL = 5
HOPS = 10  # a message each


class Token(Command):
    """`number` counts what `sender` has sent to the receiver."""

    token: int
    hop: int
    sender: str
    number: int


class Inject(Command):
    tokens: tuple[int, ...]


class Relay(Service):
    """Notes each token in its journal, and passes it on."""

    schema: ClassVar[Path] = SCHEMA

    def __init__(self, name: str) -> None:
        self._name = name

    @command
    def inject(self, tx: Transaction, cmd: Inject) -> None:
        for token in cmd.tokens:
            self._send(tx, token, hop=1)

    @command
    def token(self, tx: Transaction, cmd: Token) -> None:
        tx.execute(
            "INSERT INTO journal (sender, number, token, hop) VALUES (?, ?, ?, ?)",
            cmd.sender, cmd.number, cmd.token, cmd.hop,
        )  # fmt: skip
        if cmd.hop < HOPS:
            self._send(tx, cmd.token, cmd.hop + 1)

    def _send(self, tx: Transaction, token: int, hop: int) -> None:
        receiver = NEXT[self._name]
        row = tx.one(
            "INSERT INTO sent (receiver, last) VALUES (?, 1)"
            " ON CONFLICT (receiver) DO UPDATE SET last = last + 1 RETURNING last",
            receiver,
        )
        assert row is not None
        tx.send(receiver, Token(token=token, hop=hop, sender=self._name, number=row["last"]))


def journal(town: Town, name: str) -> list[tuple[str, int, int, int]]:
    return query_file(
        town.file(name), "SELECT sender, number, token, hop FROM journal ORDER BY seq"
    )


@pytest.mark.parametrize("kills", [60, pytest.param(200, marks=pytest.mark.long)])
async def test_messages_arrive_once_and_in_order_in_a_storm_of_kills(
    tmp_path: Path, rng: Rng, kills: int
) -> None:
    """Round three services in a ring: 0 lost, 0 duplicated, each channel in its order."""
    total = kills * TOKENS_PER_KILL * HOPS
    services: Services = {name: partial(Relay, name) for name in NEXT}
    async with running(tmp_path, services, seed=rng.getrandbits(32)) as town:
        asked = []
        under_way = 0
        for number in range(kills):
            first = number * TOKENS_PER_KILL
            asked.append(town.send("a", Inject(tokens=tuple(range(first, first + 5)))))
            town.system.kill(rng.choice(tuple(NEXT)))
            await asyncio.sleep(rng.random() * 0.02)
            under_way += town.depth("a") + town.depth("b") + town.depth("c") > 0
        await asyncio.gather(*asked)
        await town.until_true(lambda: sum([len(journal(town, name)) for name in NEXT]) >= total)
        await town.until_delivered()
        # Nearly all on a machine that does nothing else; a kill that meets a start is no restart.
        assert under_way > kills / 10
        assert sum(town.stats(name).restarts for name in NEXT) > kills / 10
        assert await town.system.dead_letters(limit=10) == []
        await at_most_connected(tmp_path, 2 * len(NEXT))
    seen: list[tuple[int, int]] = []
    for sender, receiver in NEXT.items():
        rows = journal(town, receiver)
        assert {row[0] for row in rows} == {sender}
        assert [row[1] for row in rows] == list(range(1, len(rows) + 1))
        seen.extend((token, hop) for _, _, token, hop in rows)
    assert sorted(seen) == [
        (token, hop) for token in range(kills * TOKENS_PER_KILL) for hop in range(1, HOPS + 1)
    ]
    assert open_files(tmp_path) == 0
