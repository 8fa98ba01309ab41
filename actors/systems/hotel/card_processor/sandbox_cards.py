"""The card numbers that mean something to the simulated processor; no other is ever taken.

As the sandboxes of real processors do, the number alone decides what happens:

| number           | the charge                                        | the booking ends        |
| ---------------- | ------------------------------------------------- | ----------------------- |
| 4242424242424242 | is approved                                       | confirmed               |
| 4000000000000002 | is declined                                       | rejected                |
| 4000000000009995 | is declined: insufficient funds                   | rejected                |
| 4000000000001000 | is made, but its first answer is lost             | confirmed, charged once |
| 4000000000002008 | is never made, and every attempt times out        | rejected                |
| 4000000000003006 | is made, but every attempt times out              | rejected, and refunded  |
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class CardBehavior(Enum):
    """What the processor does with a charge."""

    APPROVES = "approves"
    DECLINES = "declines"
    LACKS_FUNDS = "lacks funds"
    LOSES_FIRST_ANSWER = "loses the first answer"
    NEVER_ANSWERS = "never answers"
    CHARGES_AND_NEVER_ANSWERS = "charges and never answers"


APPROVED_CARD: Final = "4242424242424242"

SANDBOX_CARDS: Final[Mapping[str, CardBehavior]] = {
    APPROVED_CARD: CardBehavior.APPROVES,
    "4000000000000002": CardBehavior.DECLINES,
    "4000000000009995": CardBehavior.LACKS_FUNDS,
    "4000000000001000": CardBehavior.LOSES_FIRST_ANSWER,
    "4000000000002008": CardBehavior.NEVER_ANSWERS,
    "4000000000003006": CardBehavior.CHARGES_AND_NEVER_ANSWERS,
}

# A pattern, and not a look-up in a handler: a number that somebody's real card has is refused
# before it is part of any message, and the refusal names those that exist without repeating it.
SANDBOX_PATTERN: Final = rf"^({'|'.join(SANDBOX_CARDS)})\Z"
