"""The brand monitor and the X that it reads: people tweet, the stream breaks, nothing is lost."""

from __future__ import annotations

import asyncio
import datetime as dt
import sqlite3
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.config import ListenerConfig
from actors.errors import ConfigError
from actors.simulation.net.host_table import ANY
from actors.simulation.sealed.watch import Allowance
from actors.simulation.stage.scenario import Scenario
from actors.systems.tweets.config import TweetsConfig, XConfig
from actors.systems.tweets.favouriter import PostponeLike
from actors.systems.tweets.messages import (
    GetReader,
    ListActions,
    ListTweets,
    ReaderState,
    RequeueAction,
    RequeueActions,
)
from actors.systems.tweets.reading.reader_messages import (
    KeepLine,
    NoteFound,
    NoteNotFilled,
    OddLine,
    PlanFilling,
)
from actors.systems.tweets.responder import PostponeReply
from actors.systems.tweets.scenario import embedded_x
from actors.systems.tweets.scenario.asked_in_vain import asked_in_vain, asked_too_soon
from actors.systems.tweets.scenario.at_rest import read_at_rest, search_at_rest
from actors.systems.tweets.scenario.call import (
    KEYS_KEPT_S,
    WINDOW_S,
    TweetsCall,
    choose_tweets_call,
)
from actors.systems.tweets.scenario.checks import GIVEN_UP, tweets_violations
from actors.systems.tweets.scenario.garblings import GARBLINGS, ODD_LINES
from actors.systems.tweets.scenario.lines_aside import let_lines_go
from actors.systems.tweets.scenario.looks import TUTORIAL_PORT
from actors.systems.tweets.scenario.moods import KEYWORD
from actors.systems.tweets.scenario.performance import TweetsPerformance
from actors.systems.tweets.scenario.told import OLD_AUTHOR, OLD_TEXT, OLD_X_ID, OLD_X_USERNAME, Told
from actors.systems.tweets.scenario.x_requests import RULES_MAX
from actors.systems.x_platform.config import XPlatformConfig
from actors.systems.x_platform.messages import (
    DeleteRules,
    DeleteTweet,
    GetTweets,
    ListRules,
    LockAccount,
    ReadMatches,
    XTweet,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from actors.config import Config
    from actors.kernel.clock import Clock
    from actors.kernel.messages import Query
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.history import History
    from actors.simulation.script.chooser import Chooser
    from actors.simulation.stage.client import Client
    from actors.system import System

    AskX = Callable[[str, Query], Awaitable[Any]]

# Few in X's window; the pause after a failed like is short enough for a run to see its end.
WINDOW_REQUESTS: Final = 3
RETRY_S: Final = 5.0
BARRED_S_MAX: Final = 10.0
RULES_CHECK_S: Final = 15.0
GAP_WAIT_S: Final = 12.0
# How seldom the embedded authors say something by themselves: all comes to rest in between.
AUTHORS_S: Final = 1_800.0
# Few enough for a run to reach.
# A page of few, for a gap to have several.
SEARCH_PAGE: Final = 4
# Of a list all of which somebody is sent at once, too.
PAGE_ITEMS: Final = 3
AUTHOR_HOUR_MAX: Final = 3
CONVERSATION_DAY_MAX: Final = 2
HOUR_MAX: Final = 5
# A dead stream has been noticed by then, and the next one has sent what it had.
SETTLED_S: Final = 45.0
ROWS_MAX: Final = 1_000
ASK_S_MAX: Final = 60.0
POLL_S: Final = 0.01
OLD_TWEET: Final = (
    "INSERT INTO tweet (seq, id, author, text) VALUES (1, 'old-tweet', ?, ?)",
    "INSERT INTO backlog (seq) VALUES (1)",
)


OLD_X_AUTHOR: Final = "INSERT INTO x_user (id, username, name) VALUES (?, ?, ?)"
OLD_X_TWEET: Final = (
    "INSERT INTO tweet (id, author_id, text, text_crc, lang, conversation_id)"
    " VALUES (?, ?, 'It rains', 0, 'en', ?)"
)


class TweetsScenario(Scenario):
    """People tweet; in the end each tweet was read, scored, flagged, liked and answered once."""

    call_type = TweetsCall
    rest_s = SETTLED_S
    wires = MappingProxyType({embedded_x.ADDRESS: embedded_x.HOST})
    garblings = GARBLINGS
    # It signs a request to X: its nonce and its time are the seed's.
    allowed = (Allowance("oauthlib", ("time", "entropy"), "virtual", "signs a request to X"),)
    settings = MappingProxyType({"tweets.retry_s": (1.0, 30.0), "x.rules_check_s": (1.0,)})
    seldom = (
        PostponeLike,
        PostponeReply,
        RequeueAction,
        RequeueActions,
        PlanFilling,
        NoteFound,
        DeleteRules,
        DeleteTweet,
        LockAccount,
    )
    # A line is garbled, and X's search refuses where its window is used up, too seldom to wait for
    # a kill there.
    unreached = (KeepLine, OddLine, NoteNotFilled)

    def __init__(self) -> None:
        """Nobody has said anything yet."""
        self._told = Told()

    # --- The system --------------------------------------------------------------------------

    def configure(self, config: Config) -> Config:
        """Put X at the end of a wire, silence its authors, and let it count in short windows."""
        if config.named("x_platform") is None:
            message = (
                "a simulation of the brand monitor needs x_platform beside it: --system tweets"
            )
            raise ConfigError(message)
        replace = msgspec.structs.replace
        edge = replace(
            config.edge,
            page_items_default=PAGE_ITEMS,
            page_items_max=PAGE_ITEMS,
            tweets=ListenerConfig(host=ANY, port=TUTORIAL_PORT),
            x_platform=ListenerConfig(host=embedded_x.ADDRESS, port=embedded_x.PORT),
        )
        store = replace(config.store, client_keys_kept_s=KEYS_KEPT_S)
        config = replace(config, edge=edge, store=store).changed(
            XPlatformConfig,
            tweets_per_s=1.0 / AUTHORS_S,
            keywords=(KEYWORD,),
            window_s=WINDOW_S,
            requests_max=WINDOW_REQUESTS,
            search_page_max=SEARCH_PAGE,
            rules_max=RULES_MAX,
        )
        config = config.changed(
            TweetsConfig,
            keywords=(KEYWORD,),
            retry_s=RETRY_S,
            likes_author_hour_max=AUTHOR_HOUR_MAX,
            replies_author_hour_max=AUTHOR_HOUR_MAX,
            replies_conversation_day_max=CONVERSATION_DAY_MAX,
            replies_hour_max=HOUR_MAX,
        )
        return config.changed(
            XConfig,
            rules_check_s=RULES_CHECK_S,
            gap_wait_s=GAP_WAIT_S,
            gap_retry_s=RETRY_S,
            barred_s_max=BARRED_S_MAX,
        )

    def systems(self, own: System) -> tuple[System, ...]:
        """Boot the embedded X beside it."""
        return (own, embedded_x.X)

    def prepare(self, folder: Path) -> None:
        """Give X the keys that the monitor has."""
        embedded_x.lay_out_credentials(folder)

    async def furnish(self, system: ServiceSystem) -> None:
        """Let the reader make its rule and be connected once: from then on X owes it everything."""
        while True:
            reader = await system.ask("reader", GetReader(), timeout_s=ASK_S_MAX)
            if reader.status == "connected":
                return
            await asyncio.sleep(POLL_S)

    def age(self, folder: Path) -> None:
        """Leave a tweet there from the time before there were scores, which is to be flagged.

        And one at X that is too old to be edited.
        """
        with closing(sqlite3.connect(folder / "tweets.db")) as connection, connection:
            connection.execute(OLD_TWEET[0], [OLD_AUTHOR, OLD_TEXT])
            connection.execute(OLD_TWEET[1])
        with closing(sqlite3.connect(folder / "x_platform.db")) as connection, connection:
            author_id = OLD_X_ID - 1
            connection.execute(OLD_X_AUTHOR, [author_id, OLD_X_USERNAME, OLD_X_USERNAME])
            connection.execute(OLD_X_TWEET, [OLD_X_ID, author_id, OLD_X_ID])

    async def tend(self, system: ServiceSystem) -> None:
        """Have each line that was set aside read once more, in vain, and let it go."""
        if any(what in ODD_LINES for what, _ in self.garbled):
            await let_lines_go(system, self._told)

    async def busy(self, system: ServiceSystem) -> list[str]:
        """Return what is not done: something to read, to score, to like or to answer."""

        async def ask(service: str, question: Query) -> Any:
            return await system.ask(service, question, timeout_s=ASK_S_MAX)

        found = []
        reader = await ask("reader", GetReader())
        if reader.status != "connected":
            found.append(f"the reader is {reader.status}")
        rules = (await ask("x_platform", ListRules())).rules
        if all(rule.value != KEYWORD for rule in rules):
            found.append("the reader's rule is gone")
        if reader.gaps_open:
            found.append(f"{reader.gaps_open} gaps are open")
        tweets = (await ask("tweets", ListTweets(limit=ROWS_MAX))).items
        found += [f"tweet {each.id} has no score" for each in tweets if each.sentiment is None]
        found += await _unread(ask, reader, {each.external_id: each.text for each in tweets})
        for service in ("favouriter", "responder"):
            found += [
                f"{service}: {each.external_id} is {each.status}"
                for each in (await ask(service, ListActions(limit=ROWS_MAX))).items
                if each.status in {"pending", "failed"} and each.detail != GIVEN_UP
            ]
        if not found:
            self._told.at_rest = await read_at_rest(ask)
            self._told.searched = await search_at_rest(ask)
            self._told.reader = reader
        return found

    def violations(self, folder: Path, config: Config, clock: Clock, history: History) -> list[str]:
        """Compare the books with what the clients were told, and with what X did."""
        violations = tweets_violations(
            folder,
            config,
            clock,
            history,
            self._told,
            is_calm=self.is_calm,
            garbled=self.garbled,
        )
        asked = asked_in_vain(embedded_x.counted(), self._told.asked_x, self.was_disturbed)
        return [*violations, *asked, *self._asked_too_soon(config.section(XConfig))]

    def _asked_too_soon(self, x: XConfig) -> Iterator[str]:
        if self.is_calm:
            yield from asked_too_soon(
                embedded_x.counted(),
                self._told.asked_x,
                self._told.locked(),
                least_s=x.barred_s_min,
                most_s=x.barred_s_max,
            )

    # --- Its people --------------------------------------------------------------------------

    def choose_call(self, choose: Chooser) -> TweetsCall:
        """Choose what a client does."""
        return choose_tweets_call(choose)

    async def perform(
        self, client: Client, number: int, call: TweetsCall, history: History
    ) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        self._told.is_calm = self.is_calm
        await TweetsPerformance(self._told, client, number, call, history).run()


async def _unread(ask: AskX, reader: ReaderState, stored: dict[str | None, str]) -> list[str]:
    """Return what X has sent and is not stored, but for what is lost: by external id, its text."""
    found = []
    # Of an edited tweet, the version that X sent last is what is to stand.
    latest = {}
    for match in (await ask("x_platform", ReadMatches(after=0, limit=ROWS_MAX))).matches:
        at = dt.datetime.fromtimestamp(match.tweet.created_at_us / 1_000_000, tz=dt.UTC)
        is_lost = any(
            gap.state == "lost" and gap.since <= at <= gap.until for gap in reader.latest_gaps
        )
        if not is_lost:
            latest[(*match.tweet.history, match.tweet.id)[0]] = match.tweet
    for first_id, tweet in latest.items():
        text = stored.get(first_id)
        is_newest = text == tweet.text or not tweet.history
        if text is None or not (is_newest or text in await _later_texts(ask, tweet)):
            found.append(f"{tweet.id} is not read")
    return found


async def _later_texts(ask: AskX, tweet: XTweet) -> set[str]:
    """Return what later versions say: made while the rule was gone, they stood in no stream."""
    things = await ask("x_platform", GetTweets(ids=(tweet.id,)))
    (ids,) = [each.history for each in things.tweets if each.id == tweet.id]
    things = await ask("x_platform", GetTweets(ids=ids))
    return {each.text for each in things.tweets if each.id in ids and int(each.id) > int(tweet.id)}
