"""A system that takes every promise of the platform literally: its handlers repeat nothing safely.

The hotel's handlers change nothing when a message comes twice, and look before they write; so a
platform that delivers twice, or does not roll back, would stay unnoticed there. Here it shows: the
tweets are stored, counted, reviewed and announced, and in the end the four numbers are the same.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgspec

from actors.kernel.messages import Command, Refusal
from actors.service.service import Service, command, effect, outcome
from actors.simulation.check.conservation import check_conserved
from actors.simulation.check.exactly_once import check_exactly_once
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import CLIENTS, ClientRequest
from actors.simulation.stage.scenario import Scenario
from actors.store.transaction import Transaction
from actors.system import System
from actors.systems.tweets.config import TweetsConfig
from actors.systems.tweets.messages import StoreTweet, Tweet, TweetStored
from actors.systems.tweets.tweet_rows import INSERT, x_columns
from actors.systems.tweets.tweets import TweetsService
from http_edge.address import Address
from http_edge.endpoints.service_endpoint import service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History, Operation
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.script.schedule import Step
    from actors.simulation.stage.client import Client
    from actors.system import Wiring

AUTHORS: Final = 2
TWEETS_MAX: Final = 3
REVIEW_S: Final = 0.5


class CountTweet(Command):
    pass


class ReviewTweet(Command):
    pass


class AnnounceTweet(Command):
    pass


class TalliedTweets(TweetsService):
    """Stores so many tweets of an author, and has each counted; none is scored."""

    async def run(self) -> None:
        """There is no backlog."""

    @command
    def store(  # type: ignore[override] # refuses, which the one above it does not
        self, tx: Transaction, cmd: StoreTweet
    ) -> TweetStored | Refusal:
        """Store first and look then: what is refused is rolled back."""
        tweet = Tweet(id=tx.new_id(), author=cmd.author, text=cmd.text, external_id=None)
        tx.execute(INSERT, tweet.id, tweet.author, tweet.text, None, *x_columns(None))
        stored = TweetStored(tweet=tweet, created=True)
        tx.send("tally", CountTweet())
        row = tx.one("SELECT count(*) FROM tweet WHERE author = ?", cmd.author)
        if row is not None and row[0] > TWEETS_MAX:
            return Refusal.conflict(f"{cmd.author} has said enough")
        return stored


class TallyService(Service):
    """Counts what it is told, without asking whether it has been told before."""

    schema: ClassVar[Path] = Path(__file__).parent / "tally_schema"

    @command
    def count(self, tx: Transaction, cmd: CountTweet) -> None:
        tx.execute("UPDATE tally SET counted = counted + 1")
        tx.after(REVIEW_S, ReviewTweet())
        tx.run(AnnounceTweet())

    @command
    def review(self, tx: Transaction, cmd: ReviewTweet) -> None:
        tx.execute("UPDATE tally SET reviewed = reviewed + 1")

    @effect
    async def announce(self, cmd: AnnounceTweet) -> int:
        return 1

    @outcome(announce)
    def announced(self, tx: Transaction, cmd: AnnounceTweet, often: int) -> None:
        tx.execute("UPDATE tally SET announced = announced + ?", often)


class TallyCall(msgspec.Struct, frozen=True):
    """Tweet, as one of a few authors; with `again` twice, under one key."""

    author: int = 0
    again: bool = False

    def __str__(self) -> str:
        return f"tweet as author {self.author}"


class TallyScenario(Scenario):
    """Clients tweet; in the end every tweet is stored, counted, reviewed and announced once."""

    name = "tally"
    call_type = TallyCall
    rest_s = 30.0

    def __init__(self) -> None:
        self._troubles: list[str] = []

    async def furnish(self, system: ServiceSystem) -> None:
        pass

    def choose_call(self, choose: Chooser) -> TallyCall:
        return TallyCall(author=choose(AUTHORS), again=bool(choose(2)))

    async def perform(self, client: Client, number: int, call: TallyCall, history: History) -> None:
        text = f"tweet {number}"
        body = {"author": f"author {call.author}", "text": text}
        with history.invoke(client.name, "tweet", text) as attempt:
            reply = await client.ask("POST", "/api/v1/tweets", body, key=f"k{number}")
            if reply.status == 201:
                attempt.ok()
            elif reply.status == 409:
                attempt.fail("refused")
            elif reply.status:
                self._troubles.append(f"{call} was answered {reply}")
        if call.again and reply.status:
            second = await client.ask("POST", "/api/v1/tweets", body, key=f"k{number}")
            if second.status and second != reply:
                self._troubles.append(f"{call} was answered {reply}, then {second}")

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        texts = [row[0] for row in _rows(folder / "tweets.db", "SELECT text FROM tweet")]
        ((counted, reviewed, announced),) = _rows(
            folder / "tally.db", "SELECT counted, reviewed, announced FROM tally"
        )
        found = [*self._troubles]
        found += check_exactly_once(history.operations, texts, effect_of=_text)
        for name, number in (
            ("counted", counted),
            ("reviewed", reviewed),
            ("announced", announced),
        ):
            found += check_conserved("tweets", {"stored": len(texts)}, {name: number})
        return found


def _stored(reply: TweetStored) -> tuple[int, Tweet]:
    return 201, reply.tweet


def tally(
    tweets: type[TalliedTweets] = TalliedTweets, scenario: Callable[[], Scenario] | None = None
) -> System:
    """Return the system, or one that is broken."""

    def services(wiring: Wiring) -> Mapping[str, Callable[[], Service]]:
        config = wiring.config.section(TweetsConfig)
        return {"tweets": lambda: tweets(config, wiring.ask), "tally": TallyService}

    return System(
        name="tally",
        services=services,
        addresses=[STORE],
        config={"tweets": TweetsConfig},
        scenario=lambda: scenario or TallyScenario,
    )


STORE = Address("POST", "/api/v1/tweets", service("tweets", StoreTweet, 201, reply=_stored))
TALLY = tally()


def under_load(*steps: Step) -> Script:
    """A tweet every millisecond, and of each author as many as may be."""
    workload = tuple(
        [
            ClientRequest(1_000, n % CLIENTS, TallyCall(author=n % AUTHORS))
            for n in range(AUTHORS * TWEETS_MAX)
        ]
    )
    return Script(seed=1, workload=workload, schedule=Schedule(steps))


def _text(operation: Operation) -> Any:
    return operation.argument


def _rows(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()
