"""Reads lists to their ends, and single things, as clients of the monitor do."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from actors.systems.tweets.scenario.call import ODD_REQUESTS
from actors.systems.tweets.scenario.told import ListWalk

if TYPE_CHECKING:
    from actors.simulation.check.history import History
    from actors.simulation.stage.client import Client
    from actors.systems.tweets.scenario.call import TweetsCall
    from actors.systems.tweets.scenario.told import Told

TUTORIAL_PORT: Final = 8_001
TUTORIAL_GREETING: Final = "Our Simple RESTful Microservice!"
TUTORIAL_LIST: Final = "/all"
TWEETS: Final = "/api/v1/tweets"
FLAGS: Final = "/api/v1/flags"
# Few enough for any list to have several pages.
PAGE: Final = 1
# More than any list of a run has: who comes so far goes in circles.
PAGES_MAX: Final = 200


class TweetsReading:
    """What one client reads."""

    def __init__(self, told: Told, client: Client, call: TweetsCall, history: History) -> None:
        self._told = told
        self._client = client
        self._call = call
        self._history = history
        self._begun_s = asyncio.get_running_loop().time()

    async def read_list(self) -> None:
        """Read it from its first page to its last, and keep it for who knows what must be there."""
        address, told = self._call.list, self._told
        listed = TWEETS if address == TUTORIAL_LIST else address
        ids = frozenset(known for known in told.seen if known.startswith(f"{listed}/"))
        is_all = address in {TWEETS, TUTORIAL_LIST}
        texts = frozenset(told.inserted) if is_all else frozenset[str]()
        if address == TUTORIAL_LIST:
            items, is_whole = await self._read_tutorial_list()
        else:
            items, is_whole = await self._read_pages(address)
        walk = ListWalk(self._client.name, address, tuple(items), is_whole, ids, texts)
        told.walks.append(walk)
        for item in items if address.startswith((TWEETS, FLAGS)) else ():
            told.seen[f"{address.partition('?')[0]}/{item['id']}"] = item

    async def _read_tutorial_list(self) -> tuple[list[dict[str, Any]], bool]:
        greeting = await self._client.ask("GET", "/", port=TUTORIAL_PORT)
        if greeting.status and greeting.body != TUTORIAL_GREETING:
            self._complain(f"the tutorial's service says {greeting}")
        reply = await self._client.ask("GET", TUTORIAL_LIST, port=TUTORIAL_PORT)
        if reply.status != HTTPStatus.OK:
            self._expect(reply.status, HTTPStatus.OK)
            return [], False
        return reply.body, True

    async def _read_pages(self, address: str) -> tuple[list[dict[str, Any]], bool]:
        items: list[dict[str, Any]] = []
        after = ""
        for _ in range(PAGES_MAX):
            mark = "&" if "?" in address else "?"
            reply = await self._client.ask("GET", f"{address}{mark}limit={PAGE}{after}")
            if reply.status != HTTPStatus.OK:
                self._expect(reply.status, HTTPStatus.OK)
                return items, False
            items += reply.body["items"]
            if reply.body["next"] is None:
                return items, True
            if len(reply.body["items"]) != PAGE:
                self._complain(f"a page of {len(reply.body['items'])} is not the last one")
            after = f"&after={reply.body['next']}"
        self._complain("its pages have no end")
        return items, False

    async def read_one(self) -> None:
        """Look again at what was seen before, under its own address."""
        seen = list(self._told.seen)
        if not seen:
            return
        address = seen[self._call.number % len(seen)]
        name, _, one = address.rpartition("/")
        with self._history.invoke(
            self._client.name, "read" if name == FLAGS else "get", key=one
        ) as attempt:
            reply = await self._client.ask("GET", address)
            if reply.status == HTTPStatus.OK:
                item = reply.body
                walk = ListWalk(self._client.name, name, (item,), is_whole=False)
                self._told.walks.append(walk)
                is_flag = name == FLAGS
                attempt.ok((item["status"], item["assignee"], item["note"]) if is_flag else None)
                if item["id"] != one:
                    self._complain(f"{address} is {item}")
            else:
                self._expect(reply.status, HTTPStatus.OK)

    async def ask_oddly(self) -> None:
        """Ask for what there is not, or what makes no sense: each has its own no."""
        method, path, status = ODD_REQUESTS[self._call.number % len(ODD_REQUESTS)]
        body: dict[str, str] | None = None if method == "GET" else {}
        if path.startswith("/admin"):
            reply = await self._client.administer(method, path, body)
        else:
            reply = await self._client.ask(method, path, body)
        self._expect(reply.status, status)

    def _expect(self, status: int, expected: int) -> None:
        if not status:
            self._told.silence(f"{self._client.name}: {self._call}", self._begun_s)
        elif status != expected:
            self._complain(f"was answered {status}")

    def _complain(self, what: str) -> None:
        self._told.troubles.append(f"{self._client.name}: {self._call}: {what}")
