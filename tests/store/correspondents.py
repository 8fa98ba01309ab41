"""Ann, who sends, and bob and cat, who receive: ledgers at both ends of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from actors.kernel.messages import Event
from actors.store.messaging.origin import ChannelOrigin
from actors.store.messaging.service_catalog import ServiceCatalog, Subscription
from tests.store.ledger import ADD, Add, Do, Ledger, handlers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from actors.kernel.clock import ManualClock
    from actors.kernel.envelope import Envelope
    from actors.store.aiosqlite_store import AiosqliteStore
    from actors.store.inline_store import InlineStore
    from actors.store.store import WriteResult
    from actors.store.transaction import Transaction

    AnyStore = AiosqliteStore | InlineStore

TAKES = frozenset({"Add", "Refuse", "Crash", "Do"})


class Told(Event):
    label: str


class Heard(Event):
    label: str


def catalog(*subscriptions: Subscription) -> ServiceCatalog:
    """Ann, who sends, and bob and cat, who receive."""
    return ServiceCatalog(
        handled={"ann": TAKES, "bob": TAKES, "cat": TAKES}, subscriptions=tuple(subscriptions)
    )


def wants(subscriber: str, event: type[Event], start: Any = "now") -> Subscription:
    return Subscription(subscriber=subscriber, event_type=event.__name__, start=start)


def made(kind: str, folder: Path, name: str, clock: ManualClock) -> Ledger:
    ledger = Ledger(kind, folder / name, clock)
    ledger.limit(name=name, path=folder / name / f"{name}.db", catalog=catalog())
    return ledger


def act(tx: Transaction, cmd: Do) -> Any:
    """Do what the message itself says."""
    return cmd.what(tx)


def sends(receiver: str, *labels: str) -> Do:
    """Adds an entry for each label, and sends it on."""

    def what(tx: Transaction) -> None:
        for label in labels:
            tx.execute(ADD, label)
            tx.send(receiver, Add(label=label))

    return Do(what=what)


def publishes(*events: Event) -> Do:
    def what(tx: Transaction) -> None:
        for event in events:
            tx.publish(event)

    return Do(what=what)


async def write(ledger: Ledger, store: AnyStore, *messages: Any) -> WriteResult:
    return await store.write(ledger.batch(*messages), handlers(act))


class Row(NamedTuple):
    receiver: str
    number: int
    message_type: str
    label: str


def outbox(ledger: Ledger) -> list[Row]:
    """Return what is on its way, channel by channel."""
    rows = ledger.query(
        "SELECT receiver, number, message_type, message FROM outbox ORDER BY receiver, number"
    )
    return [Row(row[0], row[1], row[2], label_of(msgspec.json.decode(row[3]))) for row in rows]


def label_of(message: dict[str, Any]) -> str:
    """Return its one field, or that of the command it is about."""
    (label,) = message.get("command", message).values()
    return str(label)


def labels_to(ledger: Ledger, receiver: str) -> list[str]:
    return [row.label for row in outbox(ledger) if row.receiver == receiver]


def arriving(
    ledger: Ledger,
    *messages: Any,
    first: int = 1,
    base: int = 1,
    last: int = 2**63 - 1,
    store: str = "ann's file",
    **fields: Any,
) -> list[Envelope]:
    """Return ann's messages as the receiver's mailbox holds them: number `first` and on."""
    return [
        ledger.envelope(
            message,
            origin=ChannelOrigin(sender="ann", store=store, number=number, base=base, last=last),
            **fields,
        )
        for number, message in enumerate(messages, first)
    ]


def adds(labels: Iterable[str]) -> list[Add]:
    return [Add(label=label) for label in labels]


def mark(ledger: Ledger, sender: str = "ann") -> int:
    """Return the highest number that was applied of the sender's."""
    rows = ledger.query("SELECT applied FROM inbox WHERE sender = ?", sender)
    return rows[0][0] if rows else 0
