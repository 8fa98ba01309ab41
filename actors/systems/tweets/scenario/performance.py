"""Does what a client of the brand monitor is to do, and notes what it was told."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.tweets.reading.rule_watch import TAG
from actors.systems.tweets.scenario.call import (
    LATER_S,
    LISTS,
    LOCKS_S,
    OLD_RULES,
    PAUSES_S,
    TALK_S,
    TRIED_AGAIN_S,
    WINDOW_S,
    Kind,
    TweetsCall,
)
from actors.systems.tweets.scenario.fickle import be_fickle
from actors.systems.tweets.scenario.looks import TUTORIAL_LIST, TUTORIAL_PORT, TweetsReading
from actors.systems.tweets.scenario.moods import KEYWORD, MOODS, TAGS, X_TAGS
from actors.systems.tweets.scenario.told import (
    OLD_X_ID,
    OLD_X_USERNAME,
    RULE_IS_BACK_S,
    Done,
    Lock,
    Utterance,
)
from actors.systems.tweets.scenario.x_requests import (
    SERIES,
    ask_x,
    look_beyond,
    sign_twice,
    tweet_and_delete,
)
from actors.systems.x_platform.messages import (
    ACCOUNT_ID,
    AddRules,
    ComposeTweet,
    DeleteRules,
    DeleteTweet,
    NewRule,
    XTweet,
)

if TYPE_CHECKING:
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client, ClientReply
    from actors.systems.tweets.scenario.told import Told

# The mood in which somebody is liked and answered.
DELIGHTED: Final = 1
# With the first of them, one more than there is done of one author in an hour.
TALKS_MORE: Final = 3
# More than a page of the search has.
GAP_TWEETS: Final = 5
# Who asks X for this and that says something as the account as well, one time in so many.
OWN_ONE_IN: Final = 3
# Within how long a tweet is read where nothing is in the way, in seconds.
READ_S: Final = 0.5
# Of so many requests one lets nobody answer its tweets but whom they mention; in X's words.
CLOSED_ONE_IN: Final = 4
CLOSED: Final = "mentionedUsers"
# How a tweet answers another, in X's words.
TO_ANSWER: Final = ("in_reply_to_tweet_id", "quote_tweet_id")
# When is looked for an answer of ours, each time so much later, in seconds.
ANSWERED_S: Final = (0.0, 0.5, 2.0)
# How long after a list was asked for its service is stopped, and how long that lasts, in seconds:
# longer than anybody waits for a page.
AMID_S: Final = (0.004, 0.006, 0.008)
AMID_STOP_S: Final = 6.0
INSERTED: Final = "Inserted one into the Database"


class TweetsPerformance:
    """One call of one client. Its key, and the end of its texts, are made of its number."""

    def __init__(
        self,
        told: Told,
        client: Client,
        number: int,
        call: TweetsCall,
        history: History,
        part: str = "",
    ) -> None:
        """`part` tells what else belongs to the same request."""
        self._told = told
        self._client = client
        self._call = call
        self._history = history
        self._key = f"k{number}{part}"
        self._part = part
        self._number = number
        self._mood = list(MOODS.values())[call.mood]
        about = self._mood.about("the weather" if call.off else KEYWORD)
        self._begun_s = asyncio.get_running_loop().time()
        self._text = f"{about} ({client.name} n{number}{part})"

    async def run(self) -> None:
        """Do it, and where the call says so, a second time under the same key."""
        match self._call.kind:
            case "say" | "answer" | "repeat" | "edit" | "retort":
                await self._tweet()
            case "store" | "insert":
                await self._store()
            case "flag":
                await self._change_flag()
            case "list" | "get" | "odd":
                await self._read()
            case "misuse" | "late":
                await self._use_a_key_again()
            case "look":
                await self._look()
            case "stop":
                await self._stop()
            case "lock":
                await self._lock()
            case _:
                await self._act_on_x()
        if not self._part:
            await self._follow_up()

    async def _follow_up(self) -> None:
        """Do once more what only a second time shows: a newer version, an id that is known."""
        kind = self._call.kind
        if kind == "store" or (kind == "edit" and self._call.number):
            await self._also(kind)
        if kind == "say" and self._call.number:
            for time in range(TALKS_MORE):
                if time == TALKS_MORE - 1:
                    await asyncio.sleep(PAUSES_S[self._call.number])
                await self._also("say", author=self._call.author, time=time)

    # --- At X --------------------------------------------------------------------------------

    async def _tweet(self) -> None:
        tags = X_TAGS[self._mood.lang]
        body = {"username": self._call.username, "text": self._text}
        body["lang"] = tags[self._number % len(tags)]
        body.update(await self._refers())
        if self._call.kind == "say" and self._number % CLOSED_ONE_IN == CLOSED_ONE_IN - 1:
            body["reply_settings"] = CLOSED
        self._told.texts[self._text] = Utterance(body["username"], self._mood, self._call.off)
        repeats = "retweet_tweet_id" in body
        name = "retweet" if repeats else "tweet"
        with self._history.invoke(self._client.name, name, self._text) as attempt:
            reply = await self._twice("POST", "/admin/x/tweets", body, is_admin=True)
            if reply.status == HTTPStatus.CREATED:
                tweet = msgspec.convert(reply.body, XTweet)
                self._told.last, self._told.last_by = tweet, body["username"]
                if KEYWORD in tweet.text:
                    self._told.tweeted[tweet.id] = self._client.name
                if tweet.reply_settings == CLOSED:
                    self._told.closed.add(tweet.id)
                attempt.ok(tweet.id)
            elif reply.status == HTTPStatus.CONFLICT and (
                repeats
                or "edits" in body
                or (self._told.deleted | self._told.closed) & set(body.values())
            ):
                attempt.fail("retweeted already, not to be edited or answered, or deleted")
            else:
                self._expect(reply, HTTPStatus.CREATED)

    async def _refers(self) -> dict[str, str]:
        """Return what the tweet refers to, where there is such a thing."""
        last = self._told.last
        match self._call.kind:
            case "answer" if last is not None:
                return {TO_ANSWER[self._call.number % 2]: last.id}
            case "repeat" if last is not None:
                return {"retweet_tweet_id": last.id}
            case "edit" if last is not None and self._told.last_by is not None:
                return {"username": self._told.last_by, "edits": last.id}
            case "edit" if last is None:
                return {"username": OLD_X_USERNAME, "edits": str(OLD_X_ID)}
            case "retort":
                ours = await self._our_latest_answer()
                return {} if ours is None else {TO_ANSWER[self._call.number % 2]: ours}
            case _:
                return {}

    async def _our_latest_answer(self) -> str | None:
        """Return X's id of it; where there is none, look again in a while."""
        for wait_s in ANSWERED_S:
            await asyncio.sleep(wait_s)
            replies = await self._client.ask("GET", "/api/v1/replies?status=done")
            items = replies.body["items"] if replies.status == HTTPStatus.OK else []
            ids: list[str] = [each["reply_id"] for each in items if each["reply_id"] is not None]
            if ids:
                return ids[-1]
        return None

    async def _look(self) -> None:
        reply = await self._client.ask("GET", "/api/v1/reader")
        self._expect(reply, HTTPStatus.OK)
        if reply.status == HTTPStatus.OK and reply.body["status"] == "parked":
            self._told.parked.append(self._client.name)

    async def _act_on_x(self) -> None:  # noqa: C901 - one a kind
        client, last = self._client, self._told.last
        match self._call.kind:
            case "compose":
                reply = await client.tell("x_platform", ComposeTweet(), key=self._key)
                if reply.status == HTTPStatus.OK:
                    self._told.last, self._told.last_by = reply.body, None
            case "fickle" if last is not None and last.author_id != ACCOUNT_ID:
                await be_fickle(self._told, client, self._key, last)
            case "delete" if last is not None and self._told.last_by and not last.history:
                self._told.deleted.add(last.id)
                delete = DeleteTweet(user_id=last.author_id, tweet_id=last.id)
                await client.tell("x_platform", delete, key=self._key)
            case "meddle":
                besides = OLD_RULES[self._call.number % len(OLD_RULES)]
                rule = NewRule(value=f"{KEYWORD} {besides}", tag=TAG)
                await client.tell("x_platform", AddRules(rules=(rule,)), key=self._key)
            case "unrule":
                self._told.deleted_rules = True
                with self._told.upset("stream", "rule", after_s=RULE_IS_BACK_S):
                    await client.tell("x_platform", DeleteRules(all=True), key=self._key)
                if self._call.number:
                    await self._also("say")
                    await asyncio.sleep(RULE_IS_BACK_S)
                    await self._also("say", author=1)
            case "requeue":
                await self._requeue()
            case "ask_x":
                await self._ask_x()
            case "disconnect":
                with self._told.upset("stream", after_s=TRIED_AGAIN_S):
                    await client.administer("POST", "/admin/x/disconnect")
                await self._also("say")

    async def _ask_x(self) -> None:
        """Whoever asks X uses up what the monitor may ask, too."""
        client, last, number = self._client, self._told.last, self._call.number
        with self._told.upset("requests", after_s=WINDOW_S):
            for each in SERIES[number % len(SERIES)]:
                with self._told.asking_x():
                    await ask_x(client, each)
            match number % OWN_ONE_IN:
                case 0:
                    self._told.troubles += await tweet_and_delete(client, self._number)
                case 1 if last is not None:
                    with self._told.asking_x():
                        await look_beyond(client, last.id)
                case 2 if self._told.is_calm:  # a new process has seen no signature
                    with self._told.asking_x():
                        await sign_twice(client)

    async def _also(self, kind: Kind, *, author: int = 0, time: int = 0) -> None:
        """Have it tweeted by somebody who is delighted; `time` tells the same apart."""
        call = TweetsCall(kind, mood=DELIGHTED, author=author, number=self._call.number)
        part = f"{self._part}-{kind}{author or ''}{(time and f'-{time}') or ''}"
        await TweetsPerformance(
            self._told, self._client, self._number, call, self._history, part
        ).run()

    async def _lock(self) -> None:
        """Lock the account, and give it something to do meanwhile, which may be gone after."""
        loop = asyncio.get_running_loop()
        for_s = LOCKS_S[self._call.lasts]
        lock = Lock(loop.time(), for_s)
        self._told.locks.append(lock)
        with self._told.upset("account", after_s=for_s):
            reply = await self._client.administer("POST", "/admin/x/lock", {"for_s": for_s})
        if reply.status == HTTPStatus.OK:
            lock.done_s = loop.time()
        await self._also("say")
        if self._number % 2:
            first = self._told.last, self._told.last_by
            await self._also("say", time=1)
            await asyncio.sleep(READ_S)
            await self._also("delete", time=1)
            self._told.last, self._told.last_by = first
            await self._also("delete")
            # Then X has refused whatever was to be done about them.
            await asyncio.sleep(for_s + TRIED_AGAIN_S)
            await self._have_one_tried_again()

    async def _requeue(self) -> None:
        kind = ("replies", "likes")[self._call.number % 2]
        address = f"/admin/{kind}/requeue"
        if self._call.number > 1:
            done = await self._client.ask("GET", f"/api/v1/{kind}")
            items = done.body["items"] if done.status == HTTPStatus.OK else []
            one = items[-1]["external_id"] if items else "1"
            address = f"/admin/{kind}/{one}/requeue"
        await self._have_one_tried_again()
        await self._client.administer("POST", address, {})

    async def _have_one_tried_again(self) -> None:
        """Of what X has refused, whatever more there is."""
        for kind in ("likes", "replies"):
            reply = await self._client.administer("POST", f"/admin/{kind}/requeue", {"limit": 1})
            again = reply.body["external_ids"] if reply.status == HTTPStatus.OK else []
            if len(again) > 1:
                self._told.troubles.append(f"one of the {kind} was to be tried, and {again} are")

    # --- At the monitor ----------------------------------------------------------------------

    async def _store(self) -> None:
        call, key, port = self._call, self._text, None
        method, path, body = "GET", f"/insert/{call.storer}/{self._text}", None
        if call.kind == "store":
            key = f"x{call.number}"
            method, path = "POST", "/api/v1/tweets"
            body = {"author": call.storer, "text": self._text, "external_id": key}
            tags = TAGS[self._mood.lang]
            if (lang := tags[self._number % len(tags)]) is not None:
                body["lang"] = lang
        else:
            port = TUTORIAL_PORT
        self._told.texts[self._text] = Utterance(call.storer, self._mood)
        with self._history.invoke(
            self._client.name, "put_if_absent", self._text, key=key
        ) as attempt:
            reply = await self._twice(method, path, body, port=port)
            if body is not None and reply.status:
                self._told.stores.append((key, self._key, reply))
            if reply.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
                self._expect(reply, HTTPStatus.CREATED)
                return
            self._told.done.append(Done(method, path, body, self._key, port, reply))
            if body is not None:
                self._told.seen[f"{path}/{reply.body['id']}"] = reply.body
                attempt.ok(reply.body["text"])
            elif reply.body == INSERTED:
                self._told.inserted.add(self._text)
                attempt.ok(self._text)
            else:
                self._expect(reply, HTTPStatus.CREATED)

    async def _use_a_key_again(self) -> None:
        if self._call.kind == "misuse":
            await self._misuse_a_key()
        else:
            await self._ask_late()

    async def _misuse_a_key(self) -> None:
        """Under one key there is one request: neither the second is run, nor the first again."""
        if not self._told.done:
            return
        done = self._told.done[self._number % len(self._told.done)]
        self._told.refused.add(self._text)
        body = {"author": self._call.storer, "text": self._text}
        reply = await self._client.ask("POST", "/api/v1/tweets", body, key=done.key)
        self._expect(reply, HTTPStatus.UNPROCESSABLE_ENTITY)

    async def _ask_late(self) -> None:
        """Ask once more under its key, long after: the answer is the same, and nothing is done."""
        later_s = LATER_S[self._call.lasts]
        if later_s > TALK_S and not self._told.done:  # such a wait is dear, and not for nothing
            await self._also("store")
        if not self._told.done:
            return
        done = self._told.done[self._number % len(self._told.done)]
        if later_s > TALK_S:
            await self._talk_on(later_s)
            await self._also("edit")  # what was said before that is too old by now
        else:
            await asyncio.sleep(later_s)
        reply = await self._client.ask(
            done.method, done.path, done.body, key=done.key, port=done.port
        )
        if reply.status and reply != done.reply:
            what = f"{done.method} {done.path} was answered {done.reply}, then {reply}"
            self._told.troubles.append(f"{self._client.name}: {self._call}: {what}")

    async def _talk_on(self, later_s: float) -> None:
        """Begin a conversation and go on with it at the end; both leave it as full as it may be."""
        await asyncio.sleep(later_s - TALK_S)
        await self._also("say")
        await self._also("answer", author=1)
        last = self._told.last, self._told.last_by
        await asyncio.sleep(TALK_S)
        self._told.last, self._told.last_by = last
        await self._also("answer", time=1)
        self._told.last, self._told.last_by = last

    async def _read(self) -> None:
        reading = TweetsReading(self._told, self._client, self._call, self._history)
        match self._call.kind:
            case "list":
                await reading.read_list()
                if self._number % 2:
                    await self._read_amid_a_stop()
            case "get":
                await reading.read_one()
            case _:
                await reading.ask_oddly()

    async def _read_amid_a_stop(self) -> None:
        """Stop whose list it is between two of its pages: it is whole, or visibly cut off."""
        call = TweetsCall("list", number=LISTS.index(TUTORIAL_LIST))
        reading = TweetsReading(self._told, self._client, call, self._history)
        with self._told.upset("tweets", after_s=TRIED_AGAIN_S):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reading.read_list())
                await asyncio.sleep(AMID_S[self._number // 2 % len(AMID_S)])
                await self._client.operate("suspend", "tweets", for_s=AMID_STOP_S)

    async def _change_flag(self) -> None:
        flags = await self._client.ask("GET", "/api/v1/flags")
        if flags.status != HTTPStatus.OK or not flags.body["items"]:
            return
        flag = flags.body["items"][self._number % len(flags.body["items"])]["id"]
        key = self._key
        for number, change in enumerate(self._call.flag_changes):
            self._key = f"{key}-{number}"
            with self._history.invoke(self._client.name, "change", change, key=flag) as attempt:
                reply = await self._twice("PATCH", f"/api/v1/flags/{flag}", change)
                if reply.status == HTTPStatus.OK:
                    body = reply.body
                    attempt.ok((body["status"], body["assignee"], body["note"]))
                elif reply.status:
                    attempt.ok(reply.status)

    async def _stop(self) -> None:
        stopped = self._call.stopped
        with self._told.upset(*stopped, after_s=TRIED_AGAIN_S):
            await self._stop_and_resume(stopped)

    async def _stop_and_resume(self, stopped: tuple[str, ...]) -> None:
        is_x = "x_platform" in stopped
        if is_x:  # what is to be done about it finds nobody
            await self._also("say")
        # Every other operator says at once for how long.
        for_s = self._call.stops_s if self._number % 2 else None
        for service in stopped:
            await self._client.operate("suspend", service, for_s=for_s)
        if not is_x:
            await self._also("say")
            await self._also("edit")
            await self._also("answer", author=1)
        if "reader" in stopped:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look())
                await self._fill_a_gap(self._call.stops_s)
        else:
            await asyncio.sleep(self._call.stops_s)
        for service in stopped if for_s is None else ():
            await self._client.operate("resume", service)

    async def _fill_a_gap(self, lasts_s: float) -> None:
        """Cut the stream, and tweet what X does not send again, where the stop lasts that long.

        The search finds it, in pages. Of the last of it the stream has a newer version.
        """
        await self._client.administer("POST", "/admin/x/disconnect")
        await asyncio.sleep(lasts_s / 8)
        for time in range(GAP_TWEETS):
            await self._also("say", author=1, time=time)
        await asyncio.sleep(lasts_s * 3 / 8)
        await self._also("edit", time=1)
        await asyncio.sleep(lasts_s / 2)

    # --- Inside ------------------------------------------------------------------------------

    async def _twice(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        port: int | None = None,
        is_admin: bool = False,
    ) -> ClientReply:
        async def ask() -> ClientReply:
            if is_admin:
                return await self._client.administer(method, path, body, key=self._key)
            return await self._client.ask(method, path, body, key=self._key, port=port)

        reply = await ask()
        # What makes no sense leaves its key free: asked again, it is looked at again.
        if self._call.again and reply.status not in {0, HTTPStatus.UNPROCESSABLE_ENTITY}:
            second = await ask()
            if second.status and second != reply:
                self._told.troubles.append(
                    f"{self._client.name}: {self._call} under one key was answered {reply}, "
                    f"then {second}"
                )
        return reply

    def _expect(self, reply: ClientReply, status: int) -> None:
        if not reply.status:
            self._told.silence(f"{self._client.name}: {self._call}", self._begun_s)
        if reply.status not in {0, status}:
            self._told.troubles.append(f"{self._client.name}: {self._call} was answered {reply}")
