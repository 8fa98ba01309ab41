"""What the hotel's guests and its operator do in a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS

if TYPE_CHECKING:
    from actors.simulation.script.chooser import Chooser

# Few of everything, so that guests get in each other's way.
ROOMS: Final = 2
NIGHTS: Final = 3
GUESTS: Final = 2
CARDS: Final = tuple(SANDBOX_CARDS)

# Whom an operator stops for a while, and how long, in seconds: about as long as a hold lasts, as
# all attempts of an effect take, and as a booking may take.
STOPPED: Final = ("card_processor", "payment", "booking", "room")
STOPS_S: Final = (1.0, 6.0, 25.0)
# How long after its booking a withdrawal is sent: on its heels, and as the saga's steps go by.
WITHDRAWN_S: Final = (0.0, 0.004, 0.02, 0.1, 0.5)

Kind = Literal[
    "book", "rent", "cancel", "register", "look", "join", "build", "name", "stop",
    "withdraw", "change",
]  # fmt: skip
PARTS: Final[dict[Kind, int]] = {
    "book": 8,
    "rent": 2,
    "cancel": 8,
    "register": 2,
    "look": 2,
    "join": 2,
    "build": 2,
    "name": 2,
    "stop": 4,
    "withdraw": 3,
    "change": 2,
}
MENU: Final[tuple[Kind, ...]] = tuple([kind for kind, parts in PARTS.items() for _ in range(parts)])


class HotelCall(msgspec.Struct, frozen=True):
    """One request. With `again` it is made twice, under one key.

    | kind | asks for |
    | --- | --- |
    | `book` | nights in a room, for guest 0, who is there, or one whom others may have registered |
    | `rent` | the tutorial's booking, under an id |
    | `cancel` | the end of the booking that was confirmed last, whoever made it |
    | `register`, `look` | a guest under an id that others use as well |
    | `join`, `build` | a new guest, a new room |
    | `name` | a room under an id that others use as well |
    | `withdraw` | the tutorial's booking and its end, the one while the other may be under way |
    | `change` | another rate for a room, which is closed for a moment |
    | `stop` | an operator's suspension of a service, and its end a while later |
    """

    kind: Kind
    room: int = 0
    night: int = 0
    nights: int = 1
    card: int = 0
    guest: int = 0
    again: bool = False
    service: int = 0
    lasts: int = 0

    def __str__(self) -> str:  # noqa: PLR0911 - one for each kind
        match self.kind:
            case "withdraw":
                after = WITHDRAWN_S[self.lasts]
                return f"rent room {self.room}, night {self.night}, and cancel {after:g} s later"
            case "change":
                return f"change room {self.room}"
            case "book" | "rent":
                return (
                    f"{self.kind} room {self.room}, night {self.night}, {self.nights} nights, "
                    f"with the card that {SANDBOX_CARDS[CARDS[self.card]].value}"
                    + (f", for guest {self.guest}" if self.guest else "")
                )
            case "cancel":
                return "cancel the last booking"
            case "register" | "look":
                return f"{self.kind} guest {self.guest}"
            case "join":
                return "join as a new guest"
            case "build":
                return "build a new room"
            case "name":
                return f"name room {self.room}"
            case "stop":
                return f"stop {STOPPED[self.service]} for {STOPS_S[self.lasts]:g} s"


def choose_hotel_call(choose: Chooser) -> HotelCall:
    """Choose what a client does."""
    kind = MENU[choose(len(MENU))]
    if kind == "stop":
        return HotelCall(
            "stop",
            service=max(0, choose(2 * len(STOPPED)) - len(STOPPED)),
            lasts=choose(len(STOPS_S)),
        )
    again = bool(choose(2))
    match kind:
        case "book" | "rent":
            night = choose(NIGHTS)
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=night,
                nights=1 + choose(NIGHTS - night),
                # Half of all cards are good, and most guests are there: without, little happens.
                card=max(0, choose(2 * len(CARDS)) - len(CARDS)) if kind == "book" else 0,
                guest=max(0, choose(4 * GUESTS) - 3 * GUESTS),
                again=again,
            )
        case "register" | "look":
            return HotelCall(kind, guest=1 + choose(GUESTS), again=again)
        case "withdraw":
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=choose(NIGHTS),
                again=again,
                lasts=choose(len(WITHDRAWN_S)),
            )
        case "name" | "change":
            return HotelCall(kind, room=choose(ROOMS), again=again)
        case _:
            return HotelCall(kind, again=again)
