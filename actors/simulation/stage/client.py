"""A simulated client: real aiohttp over the simulated network, patient, and careful to repeat."""

from __future__ import annotations

import asyncio
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

import aiohttp
import msgspec

from actors.errors import DressRehearsalError
from actors.kernel.messages import Accepted, Refusal, type_name
from actors.simulation.errors import NoSuchService
from actors.simulation.stage.edge_host import ADMIN_TOKEN, EDGE_HOST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from actors.kernel.messages import Message
    from actors.service.assembly import ServiceSystem
    from actors.simulation.check.engine import Engine
    from actors.simulation.stage.trace import Trace

# How often and how long a client asks for one thing, in virtual seconds: a crash, a full disk or a
# partition of the usual length is ridden out; what lasts longer leaves the client not knowing.
ATTEMPTS_MAX: Final = 12
ATTEMPT_S_MAX: Final = 10.0
PAUSE_S: Final = 1.5

# What says: not now, ask again.
AGAIN: Final = frozenset({500, 503, 504})
# To who asks under a key, this says so as well: the same key then waits for the end. An operator
# has no key: asked again, everything would be done again.
ACCEPTED: Final = frozenset({202})
# What a service itself answers, as the edge would put it.
OK: Final = 200
STATUS: Final[Mapping[Any, int]] = MappingProxyType({Accepted: 202, Refusal: 409})

IDEMPOTENCY_KEY: Final = "Idempotency-Key"


class ClientReply(msgspec.Struct, frozen=True):
    """A status and its body, decoded where it is JSON, else its text.

    A status of 0: nobody answered, however often it was tried.
    """

    status: int
    body: Any = None


class Booted(Protocol):
    """A machine: at each boot it is another system that runs there."""

    system: ServiceSystem


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
        NoSuchService where there is none of that name, which ends the rehearsal.
        """
        self.requests += 1
        self._insist_on(service, "client.tell")
        name = f"{service} {type_name(type(message))}"
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            try:
                body = await self._machine.system.ask(
                    service, message, timeout_s=ATTEMPT_S_MAX, key=key
                )
            except DressRehearsalError as error:
                self._trace.add("client", self.name, f"{name} {type(error).__name__}")
                continue
            status = STATUS.get(type(body), OK)
            self._trace.add("client", self.name, f"{name} {status}", (message, body))
            if status not in AGAIN | ACCEPTED:
                return ClientReply(status, body)
        return ClientReply(0)

    async def operate(self, action: str, actor: str) -> ClientReply:
        """Suspend, resume, restart or kill an actor, as an operator: from the admin's addresses.

        Raises NoSuchService as `tell` does.
        """
        self._insist_on(actor, "client.operate")
        return await self.administer("POST", f"/admin/actors/{actor}/{action}")

    async def administer(
        self, method: str, path: str, body: Any = None, *, key: str | None = None
    ) -> ClientReply:
        """Ask one of the admin's addresses; with a key, as patiently as others are asked."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        if self._engine is not None and method != "GET":
            *_, actor, action = path.split("/")
            self._engine.told(action, actor)
        if key is None:
            return await self._ask(method, path, body, headers, AGAIN)
        return await self._ask(
            method, path, body, {**headers, IDEMPOTENCY_KEY: key}, AGAIN | ACCEPTED
        )

    def _insist_on(self, service: str, where: str) -> None:
        if service not in self._services:
            raise NoSuchService(service, self._services, where=where)

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
        base = f"http://{EDGE_HOST}:{port or self._port}"
        status = 0
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            begun_s = asyncio.get_running_loop().time()
            try:
                async with self._session.request(
                    method, f"{base}{path}", json=body, headers=headers
                ) as response:
                    status = response.status
                    is_json = response.content_type.endswith("json")
                    decoded = response.json(content_type=None) if is_json else response.text()
                    reply = ClientReply(status, await decoded)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                self._trace.add("client", self.name, f"{method} {path} {type(error).__name__}")
                self._heard(f"{method} {path}", 0, begun_s)
                continue
            said = (body, reply.body)
            self._trace.add("client", self.name, f"{method} {path} {status}", said)
            self._heard(f"{method} {path}", status, begun_s)
            if status not in again:
                return reply
        return ClientReply(0)

    def _heard(self, what: str, status: int, begun_s: float) -> None:
        if self._engine is not None:
            took_s = asyncio.get_running_loop().time() - begun_s
            self._engine.asked(f"{self.name}: {what}", status, took_s)
