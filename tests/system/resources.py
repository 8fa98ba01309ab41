"""The services by name, in the order of their start; and bodies of what the API creates."""

from __future__ import annotations

from typing import Any

SERVICES = (
    "customer",
    "room",
    "booking",
    "payment",
    "card_processor",
    "notification",
    "tweets",
    "sentiment",
    "flagger",
    "favouriter",
    "responder",
    "reader",
    "x_platform",
)

# The actors: one a service, but for the replicas of the one that keeps nothing.
REPLICAS = ("sentiment-1", "sentiment-2")
ACTORS = tuple(
    actor for name in SERVICES for actor in (REPLICAS if name == "sentiment" else (name,))
)
# Whose supervisor is another than the root; it starts before them, and stops behind them.
GROUPED = dict.fromkeys(("favouriter", "responder"), "acting")
STARTED = tuple(
    each for name in ACTORS for each in (("acting", name) if name == "favouriter" else (name,))
)
# Those that keep something, in a file of their name.
STORES = tuple(name for name in SERVICES if name != "sentiment")

CUSTOMER: dict[str, Any] = {"name": "Ada Lovelace", "email": "ada@example.com"}
ROOM: dict[str, Any] = {
    "type": "double",
    "rate": {"amount": 12_000, "currency": "EUR"},
    "number": "12a",
}
TWEET: dict[str, Any] = {"author": "ada", "text": "tutorialedge rocks"}
RESOURCES = [("/api/v1/customers", CUSTOMER), ("/api/v1/rooms", ROOM), ("/api/v1/tweets", TWEET)]


def as_created(item: dict[str, Any]) -> dict[str, Any]:
    """Return the item as it was answered when it was created: of a tweet, without its score."""
    unknown = dict.fromkeys(item.keys() & {"score", "sentiment"})
    return item | unknown
