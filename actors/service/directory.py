"""Which service takes which messages, and the way there: one for all services of a system."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ServiceUnavailable
from actors.kernel.messages import type_name
from actors.service.service import StatelessService
from actors.store.messaging.dead_letter_table import Unreadable
from actors.store.messaging.service_catalog import ServiceCatalog, Subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.kernel.envelope import Envelope
    from actors.kernel.mailbox import Mailbox
    from actors.kernel.router import Router
    from actors.service.service import Service


class Directory:
    """Made before the services' stores, from their classes; `connect` comes before any starts."""

    def __init__(self, services: Mapping[str, type[Service | StatelessService]]) -> None:
        """`services` are the classes by name."""
        self._decoders = {
            name: {
                type_name(spec.message): msgspec.json.Decoder(spec.stored)
                for spec in service.handlers.values()
                if spec.kind != "query"
            }
            for name, service in services.items()
        }
        self.catalog = ServiceCatalog(
            handled={name: frozenset(decoders) for name, decoders in self._decoders.items()},
            effects={
                name: frozenset(
                    type_name(spec.message)
                    for spec in service.handlers.values()
                    if spec.kind == "effect"
                )
                for name, service in services.items()
            },
            subscriptions=tuple(
                [
                    Subscription(
                        subscriber=name, event_type=type_name(spec.message), start=spec.start
                    )
                    for name, service in services.items()
                    for spec in service.handlers.values()
                    if spec.kind == "event"
                ]
            ),
        )
        self._stateless = frozenset(
            name for name, service in services.items() if issubclass(service, StatelessService)
        )
        self._router: Router | None = None
        # Held by the service whose file is read whole: all files are on one disk.
        self.checking = asyncio.Lock()
        # Set when the process drains: what an effect does not reach any more is no trouble.
        self.leaving = False

    def connect(self, router: Router) -> None:
        """Every message goes through the router from now on."""
        self._router = router

    def deliver(self, service: str, envelope: Envelope) -> None:
        """Put a message there that its sender keeps. Raises ActorError where none is taken."""
        if service in self._stateless:  # it had a store when this was sent
            message = f"{service} is stateless and would lose what it was sent; the sender keeps it"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        self._mailbox(service).admit(envelope)

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

        self._router.pick(service).actor_inbox.withdraw(wanted)
        return taken

    def decode(self, service: str, message_type: str, blob: bytes) -> Any:
        """Return the stored message; Unreadable where its receiver knows it no more."""
        decoder = self._decoders.get(service, {}).get(message_type)
        if decoder is None:
            reason = f"{service} has no handler for {message_type}"
        else:
            try:
                return decoder.decode(blob)
            except Exception as error:  # noqa: BLE001 - a message's own __post_init__, too
                reason = f"{service} cannot read this {message_type}: {error}"
        return Unreadable(message_type=message_type, blob=blob, reason=reason)

    def _mailbox(self, service: str) -> Mailbox:
        if self._router is None:
            message = f"{service} cannot be reached before the system is assembled"
            raise ServiceUnavailable(message, retry_after_s=1.0)
        return self._router.pick(service).actor_inbox
