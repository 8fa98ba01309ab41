"""A simulated client: real aiohttp over the simulated network, patient, and careful to repeat."""

from __future__ import annotations

import asyncio
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from actors.errors import Busy, DressRehearsalError
from actors.kernel.messages import Accepted, Refusal, type_name
from actors.simulation.errors import NoSuchName
from actors.simulation.oracles.calm_oracle import NO_ROOM
from actors.simulation.oracles.http_contract import HttpAnswer
from actors.simulation.requests.oddities import (
    BODY_METHODS,
    HURRIES,
    TIMEOUT,
    Asked,
    oddities,
    one_of,
)
from actors.simulation.requests.rough_request import TOO_SLOW, WAITED_FOR, exchange
from actors.simulation.requests.rough_requests import rough_requests
from actors.simulation.stage.edge_host import ADMIN_TOKEN, EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from types import TracebackType
    from typing import Self

    from actors.kernel.messages import Message
    from actors.kernel.rng import Rng
    from actors.service.assembly import ServiceSystem
    from actors.simulation.oracles.admission_oracle import Sample
    from actors.simulation.oracles.engine import Engine
    from actors.simulation.requests.rough_request import RoughAnswer, RoughRequest
    from actors.simulation.stage.trace import Trace

# How often and how long a client asks for one thing, in virtual seconds: a crash, a full disk or a
# partition of the usual length is ridden out; what lasts longer leaves the client not knowing.
ATTEMPTS_MAX: Final = 12
ATTEMPT_S_MAX: Final = 10.0
PAUSE_S: Final = 1.5

# What says: not now, ask again; so does whoever has waited too long for what was sent too slowly.
AGAIN: Final = frozenset({TOO_SLOW, 500, NO_ROOM, 504})
# To who asks under a key, this says so as well: the same key then waits for the end. An operator
# has no key: asked again, everything would be done again.
ACCEPTED: Final = frozenset({202})
# What an operator may order an actor.
ORDERS: Final = ("kill", "restart", "resume", "suspend")
# What a service itself answers, as the edge would put it.
OK: Final = 200
STATUS: Final[Mapping[Any, int]] = MappingProxyType({Accepted: 202, Refusal: 409})

# Below it is what disturbs a service; a system's own addresses for operators are what it serves.
ACTORS: Final = "/admin/actors/"
METRICS: Final = "/metrics"
IDEMPOTENCY_KEY: Final = "Idempotency-Key"
AUTHORIZATION: Final = "Authorization"
REQUEST_ID: Final = "X-Request-ID"
# What had its effect, and so is answered the same whenever it is asked under its key again.
DONE: Final = frozenset({200, 201})
# What makes no sense, and says which field is wrong.
INVALID: Final = 422
# Of so many odd requests one is of bytes that no library would send.
ROUGH_ONE_IN: Final = 3
# Of so many who ask for the same again one is in a hurry.
HURRY_ONE_IN: Final = 3
# A key that is none: what has it is refused as invalid once it was let in, and so does nothing.
NO_KEY: Final = "two words"
# A body in pieces, and how long each is on its way; how long all of it is for who asks again, whom
# something has kept from being answered, and may keep still: slow, and within `edge.body_s_max`;
# after how long at most a client has left.
PIECE_BYTES: Final = 40
PIECE_S: Final = 0.01
SLOW_BODY_S: Final = 2.0
LEAVES_S_MAX: Final = 0.02
# Two clocks that go alike differ by rounding alone.
CLOCK_ERROR_US: Final = 10


class ClientReply(msgspec.Struct, frozen=True):
    """A status and its body, decoded where it is JSON, else its text.

    A status of 0: nobody answered, however often it was tried.
    """

    status: int
    body: Any = None


class Repeatable(NamedTuple):
    """What had its effect under a key, its answer, and when that came, by the loop's time."""

    asked: Asked
    reply: ClientReply
    at_s: float


class Booted(Protocol):
    """A machine: at each boot it is another system that runs there."""

    system: ServiceSystem

    def as_read(self, service: str, message: Message) -> Message:
        """Return a message as what runs there reads it. Raises DressRehearsalError."""
        ...


class Client:
    """One client of the gateway. `async with` it; requests of one client follow each other."""

    def __init__(
        self,
        name: str,
        machine: Booted,
        port: int,
        trace: Trace,
        services: frozenset[str],
        engine: Engine | None = None,
    ) -> None:
        """`name` is its host's, `port` the gateway's on the machine; `services` are all there are.

        `requests` counts what it was made to ask; `engine` hears the answers.
        """
        self._engine = engine
        self.name = name
        self.requests = 0
        self._services = services
        self._machine = machine
        self._port = port
        self._trace = trace
        self._session: aiohttp.ClientSession
        # What was asked last; what had its effect under a key, and when; how many requests were
        # sent.
        self._asked: Asked | None = None
        self._done: list[Repeatable] = []
        self._sent = 0

    async def __aenter__(self) -> Self:
        """Open the session; connections come with the requests."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S_MAX)
        self._session = aiohttp.ClientSession(timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self._session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        port: int | None = None,
    ) -> ClientReply:
        """Ask until there is an answer; a key makes asking again harmless.

        `port` is another listener's than the gateway's.
        """
        headers = {} if key is None else {IDEMPOTENCY_KEY: key}
        return await self._ask(method, path, body, headers, AGAIN | ACCEPTED, port)

    async def tell(self, service: str, message: Message, *, key: str | None = None) -> ClientReply:
        """Ask a service past the edge, as patiently: for a system that has no addresses yet.

        The body is what the service replied: status 200, or 409 with its Refusal. Raises
        NoSuchName where there is none of that name, which ends the rehearsal.
        """
        self.requests += 1
        self._insist_on(service, "client.tell")
        name = f"{service} {type_name(type(message))}"
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            begun_s = asyncio.get_running_loop().time()
            try:
                told = self._machine.as_read(service, message)
                body = await self._machine.system.ask(
                    service, told, timeout_s=ATTEMPT_S_MAX, key=key
                )
            except DressRehearsalError as error:
                self._trace.add("client", self.name, f"{name} {type(error).__name__}")
                status = NO_ROOM if isinstance(error, Busy) else 0
                self._heard(name, status, begun_s, ATTEMPT_S_MAX)
                continue
            status = STATUS.get(type(body), OK)
            self._trace.add("client", self.name, f"{name} {status}", (message, body))
            self._heard(name, status, begun_s, ATTEMPT_S_MAX)
            if status not in AGAIN | ACCEPTED:
                if key is not None and self._engine is not None:
                    self._engine.heard(service, key, message, body)
                return ClientReply(status, body)
        return ClientReply(0)

    async def operate(self, action: str, actor: str, *, for_s: float | None = None) -> ClientReply:
        """Suspend, resume, restart or kill an actor, as an operator: from the admin's addresses.

        A suspension of so many seconds, `for_s`, ends by itself. Raises NoSuchName as `tell`.
        """
        if action not in ORDERS:
            raise NoSuchName("order", action, ORDERS, where="client.operate")
        self._insist_on(actor, "client.operate")
        body = None if for_s is None else {"for_s": for_s}
        return await self.administer("POST", f"{ACTORS}{actor}/{action}", body)

    async def administer(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> ClientReply:
        """Ask one of the admin's addresses; with a key, as patiently as others are asked."""
        headers = {AUTHORIZATION: f"Bearer {ADMIN_TOKEN}"}
        engine, (*_, actor, action) = self._engine, path.split("/")
        if engine is None or method == "GET" or not path.startswith(ACTORS):
            return await self._administer(method, path, body, headers, key)
        engine.wanted(action, actor)
        engine.asking(action, actor, 1)
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        try:
            reply = await self._administer(method, path, body, headers, key)
            for_s = (body or {}).get("for_s") if action == "suspend" else None
            if for_s and reply.status in ACCEPTED and loop.time() - begun_s < ATTEMPT_S_MAX:
                engine.confirmed(actor, for_s)
            return reply
        finally:
            # Of more attempts than one, the first may be on its way still.
            lost = loop.time() - begun_s >= ATTEMPT_S_MAX
            engine.asking(action, actor, -1, lost=lost)

    async def _administer(
        self, method: str, path: str, body: Any, headers: dict[str, str], key: str | None
    ) -> ClientReply:
        if key is None:
            return await self._ask(method, path, body, headers, AGAIN)
        return await self._ask(
            method, path, body, {**headers, IDEMPOTENCY_KEY: key}, AGAIN | ACCEPTED
        )

    def _insist_on(self, service: str, where: str) -> None:
        if service not in self._services:
            raise NoSuchName("service", service, self._services, where=where)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Any,
        headers: dict[str, str],
        again: frozenset[int],
        port: int | None = None,
    ) -> ClientReply:
        self.requests += 1
        data = None if body is None else msgspec.json.encode(body)
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            sent: bytes | AsyncIterator[bytes] | None = data
            if data and attempt % 2 == 1:
                sent = _pieces(data, SLOW_BODY_S)
            reply = await self._once(method, path, sent, headers, port, said=body)
            if reply.status and reply.status not in again:
                self._asked = asked = _asked(method, path, body, headers, port, reply)
                if IDEMPOTENCY_KEY in headers and reply.status in DONE:
                    self._done.append(Repeatable(asked, reply, asyncio.get_running_loop().time()))
                return reply
        return ClientReply(0)

    async def scrape(self, *, at_rest: bool = False) -> None:
        """Look at `/metrics` as Prometheus does; at rest nothing is to happen any more."""
        begun_s = asyncio.get_running_loop().time()
        headers = {AUTHORIZATION: f"Bearer {ADMIN_TOKEN}"}
        known = None if self._engine is None else self._engine.metrics.known()
        reply = await self._once("GET", METRICS, None, headers, None)
        if self._engine is not None and known is not None and reply.status == OK:
            self._engine.scraped(str(reply.body), known, begun_s, at_rest=at_rest)

    async def ask_oddly(self, rng: Rng) -> None:
        """Ask as no careful client does, of what was asked last; none of it has an effect."""
        engine, asked = self._engine, self._asked
        if engine is None:
            return
        if rng.randrange(ROUGH_ONE_IN) == 0:
            await self.ask_roughly(rng.choice(rough_requests(ADMIN_TOKEN)))
            return
        if self._done and rng.randrange(3) == 0:
            await self._ask_again(rng.choice(self._done), rng)
            return
        if asked is not None and asked.is_list and rng.randrange(2) == 0:
            await self._turn_pages(asked.path)
            return
        general, apt = oddities(asked, engine.edge, ADMIN_TOKEN)
        odd = one_of(rng, apt if apt and rng.randrange(3) else general)
        reply = await self._once(odd.method, odd.path, odd.data, odd.headers, None)
        amiss = odd.amiss(reply.status, reply.body) if reply.status else None
        if amiss is not None:
            engine.told(f"{self.name}: {amiss}")

    async def ask_roughly(
        self,
        rough: RoughRequest,
        *,
        host: str = EDGE_HOST,
        port: int | None = None,
        wire: str = "",
    ) -> RoughAnswer | None:
        """Send these bytes by themselves, judge what comes back, and return it, if anything is.

        `host`, `port`: elsewhere, by the wire that is called so, and not by the client's own link.
        """
        engine, at_gateway = self._engine, host == EDGE_HOST and port is None
        link = wire or self.name
        begun_s = asyncio.get_running_loop().time()
        try:
            answer = await exchange(host, port or self._port, rough)
        except (OSError, EOFError, TimeoutError) as error:
            said = type(error).__name__
            self._trace.add("client", self.name, f"sends {rough}: {said}")
            if engine is not None and not rough.cut and engine.is_calm_since(link, begun_s):
                engine.told(f"{self.name}: {rough} was not answered: {said}")
            return None
        self._trace.add("client", self.name, f"sends {rough}: {answer and answer.status}")
        if engine is None or answer is None:
            return answer
        took_s = asyncio.get_running_loop().time() - begun_s
        if at_gateway and answer.status not in {TOO_SLOW, WAITED_FOR}:  # that takes its time
            engine.asked(self.name, f"sends {rough}", answer.status, took_s)
        whole = engine.deadlines.is_whole(link, begun_s)
        has_room = at_gateway and engine.has_room_since(self.name, begun_s)
        amiss = rough.amiss(answer, links_whole=whole, has_room=has_room)
        if amiss is not None:
            engine.told(f"{self.name}: {amiss}")
        elif at_gateway and answer.body:
            engine.answered(self.name, _as_http(rough, answer, took_s))
        return answer

    async def ask_at_once(self, sample: Sample, count: int) -> None:
        """Ask so often at once what does nothing: a read, or a write under a key that is none."""
        writes = sample.method not in {"GET", "HEAD"}
        headers = {IDEMPOTENCY_KEY: NO_KEY} if writes else {}
        data = b"{}" if sample.method in BODY_METHODS else None
        await asyncio.gather(
            *[self._once(sample.method, sample.target, data, headers, None) for _ in range(count)]
        )

    # --- Inside ------------------------------------------------------------------------------

    async def _ask_again(self, done: Repeatable, rng: Rng) -> None:
        """Leave in the middle, send it in pieces, or be in a hurry: the answer stays what it was.

        What may be forgotten is not asked for again, for it would be done again.
        """
        asked, engine = done.asked, self._engine
        # When it arrives at the latest.
        age_s = asyncio.get_running_loop().time() - done.at_s + ATTEMPT_S_MAX
        if engine is None or engine.may_have_forgotten(age_s):
            return
        data = None if asked.body is None else msgspec.json.encode(asked.body)
        leaves, port = rng.randrange(2) == 0, asked.port
        if leaves:
            try:
                async with asyncio.timeout(rng.random() * LEAVES_S_MAX):
                    await self._once(asked.method, asked.path, data, asked.headers, port)
            except TimeoutError:
                self._trace.add("client", self.name, f"left {asked.method} {asked.path}")
        headers, slow_s = asked.headers, None
        if rng.randrange(HURRY_ONE_IN) == 0:
            headers = {**headers, TIMEOUT: rng.choice(HURRIES)}
            slow_s = rng.choice((None, SLOW_BODY_S))
        pieces = None if data is None or leaves else _pieces(data, slow_s)
        reply = await self._once(asked.method, asked.path, pieces or data, headers, port)
        if reply.status in DONE and reply != done.reply:
            what = f"{asked.method} {asked.path} was answered {done.reply}, then {reply}"
            engine.told(f"{self.name}: {what}")

    async def _turn_pages(self, path: str) -> None:
        """Read two pages of one item each: they are not the same."""
        path = path.partition("?")[0]
        first = await self._once("GET", f"{path}?limit=1", None, {}, None)
        if first.status not in DONE or first.body.get("next") is None:  # or it has no pages
            return
        target = f"{path}?limit=1&after={quote(str(first.body['next']), safe='')}"
        second = await self._once("GET", target, None, {}, None)
        if second.status in DONE and self._engine is not None:
            items = second.body["items"]
            if not items or items == first.body["items"]:
                self._engine.told(f"{self.name}: behind {first.body} in {path} is {second.body}")

    async def _once(
        self,
        method: str,
        path: str,
        data: bytes | AsyncIterator[bytes] | None,
        headers: Mapping[str, str],
        port: int | None,
        *,
        said: Any = None,
    ) -> ClientReply:
        """Ask once; a status of 0 where nobody answered. `said` is the body for the trace."""
        self._sent += 1
        request_id = f"{self.name}-{self._sent}"
        sent = {**headers, REQUEST_ID: request_id}
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = URL(f"http://{EDGE_HOST}:{port or self._port}{path}", encoded="%zz" in path)
        begun_s = asyncio.get_running_loop().time()
        begun_us = 0 if self._engine is None else self._engine.wall_us
        what = f"{method} {path}"
        timeout_s = float(headers[TIMEOUT]) if headers.get(TIMEOUT) in HURRIES else inf
        answered = False
        if self._engine is not None and port is None:
            as_operator = AUTHORIZATION in headers
            self._engine.sends(request_id, method, path, as_operator=as_operator)
        try:
            async with self._session.request(method, url, data=data, headers=sent) as response:
                content = await response.read()
                is_json = response.content_type.endswith("json") and content
                text = content.decode(response.charset or "utf-8")
                reply = ClientReply(
                    response.status, msgspec.json.decode(content) if is_json else text
                )
                answered = True
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            self._trace.add("client", self.name, f"{what} {type(error).__name__}")
            self._heard(what, 0, begun_s, timeout_s=timeout_s)
            return ClientReply(0)
        finally:
            if self._engine is not None:
                self._engine.ended(self.name, request_id, begun_s, answered=answered)
        self._trace.add("client", self.name, f"{what} {reply.status}", (said, reply.body))
        self._heard(what, reply.status, begun_s, timeout_s=timeout_s)
        if self._engine is not None:
            took_s, wall_us = asyncio.get_running_loop().time() - begun_s, self._engine.wall_us
            was_set = abs(wall_us - begun_us - took_s * 1e6) > CLOCK_ERROR_US
            exchange = HttpAnswer(
                method=method,
                target=path,
                port=port,
                request_id=request_id,
                status=reply.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=reply.body,
                size=len(content),
                took_s=took_s,
                wall_us=0 if was_set else wall_us,
                timeout_s=timeout_s,
            )
            self._engine.answered(self.name, exchange)
        return reply

    def _heard(
        self,
        what: str,
        status: int,
        begun_s: float,
        deadline_s: float | None = None,
        *,
        timeout_s: float = inf,
    ) -> None:
        if self._engine is not None:
            took_s = asyncio.get_running_loop().time() - begun_s
            self._engine.asked(self.name, what, status, took_s, deadline_s, timeout_s=timeout_s)


def _asked(
    method: str, path: str, body: Any, headers: dict[str, str], port: int | None, reply: ClientReply
) -> Asked:
    said = reply.body if isinstance(reply.body, dict) else {}
    return Asked(
        method=method,
        path=path,
        body=body,
        headers=headers,
        port=port,
        status=reply.status,
        is_list="items" in said and method == "GET",
        blamed=str(said.get("field") or "") if reply.status == INVALID else "",
    )


def _as_http(rough: RoughRequest, answer: RoughAnswer, took_s: float) -> HttpAnswer:
    """Put it as an answer of the gateway; who sent bytes that are no HTTP has named no address."""
    method, _, rest = rough.pieces[0].lstrip().partition(b" ")
    is_json = answer.headers.get("content-type", "").endswith("json")
    text = answer.body.decode()
    return HttpAnswer(
        method=method.decode("latin-1"),
        target=rest.partition(b" ")[0].decode("latin-1"),
        port=None,
        request_id=answer.headers.get("x-request-id", "one"),
        status=answer.status,
        headers=answer.headers,
        body=msgspec.json.decode(text) if is_json else text,
        size=len(answer.body),
        took_s=took_s,
        wall_us=0,
    )


async def _pieces(data: bytes, all_s: float | None = None) -> AsyncIterator[bytes]:
    """Yield it bit by bit, as somebody sends it who does not know yet how long it is.

    With `all_s` it takes so long, however many pieces it has.
    """
    pieces = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    for piece in pieces:
        yield piece
        await asyncio.sleep(PIECE_S if all_s is None else all_s / len(pieces))
