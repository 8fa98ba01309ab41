"""`Remote`: a service that is somebody's own HTTP process, as a system declares it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import msgspec

from actors.errors import ConfigError
from actors.kernel.messages import stored_names
from actors.service.handler_spec import HandlerSpec
from actors.service.remote.remote_route import RemoteRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from actors.kernel.messages import Message
    from actors.service.remote.remote_route import Said
    from actors.service.service import Service, StatelessService
    from actors.service.stateless.replicas import Replicas

    StandIn = Callable[[], Service] | Callable[[], StatelessService] | Replicas


class Remote(msgspec.Struct, frozen=True):
    """Instead of a factory: the service runs at `url`, and is asked and told by HTTP.

        Remote("http://127.0.0.1:8080", {
            FindStock: ("GET /stock/{sku}", Stock),
            Reserve: "POST /reservations",
        })

    Each message has its method and path, and the type of the reply; without one nobody reads what
    is answered. Fields that the path names go there, the others into a JSON body, or into the query
    with GET and DELETE. What a handler sends it is repeated, in order and under one
    Idempotency-Key, until it was answered with 2xx or with a refusal: 404, 409 or 422 and a JSON
    object. `stand_in` is what plays it in a simulation, where there is no such process.
    """

    url: str
    messages: Mapping[type[Message], Said]
    stand_in: StandIn | None = None

    def routes(self, name: str) -> dict[type[Message], RemoteRoute]:
        """Return where each message of the service `name` goes. Raises ConfigError."""
        try:
            self._check_url()
            routes = {each: RemoteRoute(each, said) for each, said in self.messages.items()}
            self._check_names()
        except ValueError as fault:
            error = f"service {name!r}: {fault}"
            raise ConfigError(error) from fault
        return routes

    def _check_url(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            error = f"{self.url!r} is no url: write it whole, as http://127.0.0.1:8080"
            raise ValueError(error)
        if parts.query or parts.fragment or parts.username is not None:
            error = f"{self.url!r}: a url ends with its path, and has no user"
            raise ValueError(error)

    def _check_names(self) -> None:
        known: dict[str, type[Message]] = {}
        for message in self.messages:
            for name in stored_names(message):
                if known.setdefault(name, message) is not message:
                    error = f"two of its messages are stored as {name}: rename one of them"
                    raise ValueError(error)


class RemoteStub:
    """What can be asked of a remote service, where others have the class of theirs."""

    handlers: ClassVar[dict[Any, HandlerSpec]] = {}


def stub_of(name: str, remote: Remote) -> RemoteStub:
    """Return one of a class of its own, with what the service takes. Raises ConfigError."""
    handlers = {
        message: HandlerSpec(
            "query" if route.is_query else "command", _runs_elsewhere, message, route.reply
        )
        for message, route in remote.routes(name).items()
    }
    kind: type[RemoteStub] = type("Remote", (RemoteStub,), {"handlers": handlers})
    return kind()


def _runs_elsewhere() -> None:
    """Stand where others have their handler: nobody calls it, for no store runs it."""
    raise NotImplementedError
