"""Which service takes which messages, and the way there: one for all services of a system."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from actors.errors import ServiceUnavailable
from actors.kernel.messages import stored_names, type_name
from actors.service.json_types import decoder_of
from actors.service.remote.remote import RemoteStub
from actors.service.service import StatelessService
from actors.store.messaging.service_catalog import ServiceCatalog, Subscription
from actors.store.messaging.unheard import unheard_refusal
from actors.store.messaging.unreadable import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import msgspec

    from actors.config import StoreConfig
    from actors.kernel.discovery.sharding import Sharding
    from actors.kernel.envelope import Envelope
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.router import Router
    from actors.service.handler_spec import HandlerSpec
    from actors.service.service import Service

log = structlog.get_logger()


class Directory:
    """Made before the services' stores, from their classes; `connect` comes before any starts."""

    def __init__(
        self,
        services: Mapping[str, type[Service | StatelessService | RemoteStub]],
        config: StoreConfig,
        sharded: Mapping[str, Sharding] | None = None,
    ) -> None:
        """`services` are the classes by name, and `sharded` those that are kept in shards."""
        sharded = sharded or {}
        # What a handler sends to a service goes to one of its shards, which are sent all there is.
        stored = {
            place: [spec for spec in service.handlers.values() if spec.kind != "query"]
            for name, service in services.items()
            for place in (*(sharded[name].names() if name in sharded else ()), name)
        }
        self._decoders = {name: _decoders(specs) for name, specs in stored.items()}
        self.catalog = ServiceCatalog(
            handled={
                name: frozenset(type_name(spec.message) for spec in specs)
                for name, specs in stored.items()
            },
            effects={
                name: frozenset(type_name(spec.message) for spec in specs if spec.kind == "effect")
                for name, specs in stored.items()
            },
            subscriptions=tuple(
                [
                    Subscription(
                        subscriber=name,
                        event_type=type_name(spec.message),
                        start=spec.start,
                        formerly=stored_names(spec.message)[1:],
                        sharding=sharded.get(name.rpartition("-")[0]),
                    )
                    for name, specs in stored.items()
                    if name not in sharded
                    for spec in specs
                    if spec.kind == "event"
                ]
            ),
            sharded=dict(sharded),
        )
        self._stateless = frozenset(
            name for name, service in services.items() if issubclass(service, StatelessService)
        )
        self._remote = frozenset(
            name for name, service in services.items() if issubclass(service, RemoteStub)
        )
        self._router: Router | None = None
        # Held by the service whose file is read whole: all files are on one disk.
        self.checking = asyncio.Lock()
        # Set when the process drains: what an effect does not reach any more is no trouble.
        self.leaving = False
        self._warned_max = config.warned_kinds_max
        self._warned: set[tuple[str | None, str, str]] = set()

    def connect(self, router: Router) -> None:
        """Every message goes through the router from now on."""
        self._router = router

    def deliver(self, service: str, envelopes: Sequence[Envelope]) -> None:
        """Put messages there, no queries, that their sender keeps.

        Raises ActorError where none is taken.
        """
        if service in self._stateless:  # it had a store when this was sent
            message = f"{service} is stateless and would lose what it was sent; the sender keeps it"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        self._mailbox(service).admit(envelopes)

    def ask(self, service: str, envelope: Envelope) -> None:
        """Put a message there that may be refused. Raises ActorError, such as MailboxFull."""
        self._mailbox(service).put(envelope)

    def withdraw(self, service: str, keeper: object) -> list[Envelope]:
        """Take back what this keeper has sent and the service has not had in hand."""
        taken: list[Envelope] = []
        if self._router is None or service not in self._decoders:
            return taken

        def wanted(envelope: Envelope) -> bool:
            if getattr(envelope.reply_to, "keeper", None) is not keeper:
                return False
            taken.append(envelope)
            return True

        self._router.at(service).actor_inbox.withdraw(wanted)
        return taken

    def takes(self, service: str) -> bool:
        """Whether there is a service of that name that could keep what it is sent."""
        kept = service not in self._stateless and service not in self._remote
        return service in self._decoders and kept and service not in self.catalog.sharded

    def decode(self, service: str, message_type: str, blob: bytes) -> Any:
        """Return the stored message, or Unreadable where the service's code cannot read it.

        Any thread may call it.
        """
        decoder = self._decoders.get(service, {}).get(message_type)
        if decoder is not None:
            try:
                return decoder.decode(blob)
            except Exception as error:  # noqa: BLE001 - a message's own __post_init__, too
                reason = f"{service} cannot read this {message_type}: {error}"
                return Unreadable(message_type=message_type, blob=blob, reason=reason)
        unheard = unheard_refusal(message_type)
        if unheard is not None:
            reason = f"{service} had no handler for {unheard}"
            waits = not self.takes(service)  # for somebody who could keep it
            return Unreadable(message_type=unheard, blob=blob, reason=reason, waits=waits)
        reason = self._why_no_handler(service, message_type)
        return Unreadable(message_type=message_type, blob=blob, reason=reason)

    def warn(self, sender: str | None, service: str, unreadable: Unreadable) -> None:
        """Say that the message waits; of each kind once, whatever incarnation finds it again.

        Without a `sender` it is one of the service's own timers.
        """
        kind = (sender, service, unreadable.message_type)
        if kind in self._warned or len(self._warned) >= self._warned_max:
            return
        self._warned.add(kind)
        where = "/admin/timers" if sender is None else "/admin/channels"
        log.warning(
            "unreadable message waits",
            receiver=service,
            message_type=unreadable.message_type,
            reason=unreadable.reason,
            advice=f"run the version that wrote it, or one that can read it: docs/UPGRADES.md; or "
            f"let it go, see {where}",
            **({} if sender is None else {"sender": sender}),
        )

    def warn_expired(self, service: str, message_type: str) -> None:
        """Say that what a service has sent was too late, and it has no handler to be told by.

        Of each kind once: how many there are is counted.
        """
        kind = (None, service, f"Expired[{message_type}]")
        if kind in self._warned or len(self._warned) >= self._warned_max:
            return
        self._warned.add(kind)
        log.warning(
            "message expired",
            sender=service,
            message_type=message_type,
            advice="its by_us had passed, and it was not run; this is said once, and /metrics "
            f"counts how many; to be told of each, {service} needs an "
            f"@on(Expired[{message_type}]), or of an effect an @on(GaveUp[{message_type}])",
        )

    # --- Inside ------------------------------------------------------------------------------

    def _why_no_handler(self, service: str, message_type: str) -> str:
        if service not in self._decoders:
            return f"no service is called {service}"
        if service in self._stateless:
            return f"{service} is stateless and takes no messages"
        return f"{service} has no handler for {message_type}"

    def _mailbox(self, service: str) -> Mailbox:
        if self._router is None:
            message = f"{service} cannot be reached before the system is assembled"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        return self._router.at(service).actor_inbox


def _decoders(specs: Iterable[HandlerSpec]) -> dict[str, msgspec.json.Decoder[Any]]:
    """Return what reads each message of these handlers, by the names it may be stored under."""
    found: dict[str, msgspec.json.Decoder[Any]] = {}
    for spec in specs:
        decoder = decoder_of(spec.stored)
        found.update(dict.fromkeys(stored_names(spec.message), decoder))
    return found
