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

CUSTOMER: dict[str, Any] = {"name": "Ada Lovelace", "email": "ada@example.com"}
ROOM: dict[str, Any] = {
    "type": "double",
    "rate": {"amount": 12_000, "currency": "EUR"},
    "number": "12a",
}
TWEET: dict[str, Any] = {"author": "ada", "text": "tutorialedge rocks"}
RESOURCES = [("/api/v1/customers", CUSTOMER), ("/api/v1/rooms", ROOM), ("/api/v1/tweets", TWEET)]
