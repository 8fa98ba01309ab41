"""The brand monitor: tweets under ids that several clients use, stored once each."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from actors.simulation.exactly_once import check_exactly_once
from actors.simulation.linearizability import check_linearizability
from actors.simulation.models import Register
from actors.systems.tweets import topology

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.choice import Choose
    from actors.simulation.client import Client
    from actors.simulation.history import History, Operation
    from actors.simulation.machine import Ask

TWEETS: Final = 3


class TweetsCall(msgspec.Struct, frozen=True):
    """Store a tweet under an external id that others use as well, or insert one without."""

    kind: Literal["store", "insert"]
    tweet: int = 0
    again: bool = False

    def __str__(self) -> str:
        return f"store tweet {self.tweet}" if self.kind == "store" else "insert a tweet"


class TweetsScenario:
    """Clients store and insert; in the end each tweet is there as often as it was acknowledged."""

    call_type = TweetsCall
    rest_s = 30.0

    def __init__(self) -> None:
        """Nothing is stored yet."""
        self._troubles: list[str] = []

    def services(self, config: Config, ask: Ask) -> Mapping[str, Any]:
        """Return a factory for each service; X is not simulated, and nothing is read there."""
        return topology.services(config.tweets, config.x, ask, None)

    async def furnish(self, system: ServiceSystem) -> None:
        """Begin with nothing."""

    def choose_call(self, choose: Choose) -> TweetsCall:
        """Choose what a client does."""
        if choose(3) == 2:  # noqa: PLR2004 - one in three
            return TweetsCall("insert", again=bool(choose(2)))
        return TweetsCall("store", tweet=choose(TWEETS), again=bool(choose(2)))

    async def perform(
        self, client: Client, number: int, call: TweetsCall, history: History
    ) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        text = f"{client.name} {number}"
        body = {"author": "ada", "text": text}
        key = ""
        if call.kind == "store":
            body["external_id"] = f"x{call.tweet}"
            key = f"x{call.tweet}"
        with history.invoke(client.name, "put_if_absent", text, key=key or text) as attempt:
            reply = await client.ask("POST", "/api/v1/tweets", body, key=f"k{number}")
            if reply.status not in {200, 201}:
                if reply.status:
                    self._troubles.append(f"{client.name}: {call} was answered {reply}")
                return
            attempt.ok(reply.body["text"])
        if call.again:
            second = await client.ask("POST", "/api/v1/tweets", body, key=f"k{number}")
            if second.status and second != reply:
                self._troubles.append(
                    f"{client.name}: {call} under one key was answered {reply}, then {second}"
                )

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare the table with what the clients were told."""
        del config, clock
        with closing(sqlite3.connect(folder / "tweets.db")) as connection:
            rows = connection.execute("SELECT external_id, text FROM tweet").fetchall()
        stored = [external_id or text for external_id, text in rows]
        verdict = check_linearizability(history.operations, Register())
        found = [] if verdict.linearizable else [str(verdict)]
        found += check_exactly_once(history.operations, stored, effect_of=_effect)
        return self._troubles + found


def _effect(operation: Operation) -> str:
    return operation.key
