"""What the hotel's guests and its operator do in a simulation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from actors.systems.hotel.card_processor.sandbox_cards import SANDBOX_CARDS

if TYPE_CHECKING:
    from actors.simulation.script.chooser import Chooser

# Few of everything, so that guests get in each other's way.
ROOMS: Final = 2
NIGHTS: Final = 5
# Two who are there, and have one name; and two under ids that anybody may register.
GUESTS: Final = ("guest", "g1", "g2", "twin")
REGISTERED: Final = 2
CARDS: Final = tuple(SANDBOX_CARDS)
# How many days from now the first of the nights is: early enough for all money to come back, just
# enough, just not, the day after, the same day, and over. From the first, nights are counted.
AHEAD_DAYS: Final = (10, 7, 6, 1, 0, -1)
# What a new room costs a night: a share of it is no whole number, it has no cents, it is nothing,
# or no payment takes two of it.
RATES: Final = ((10_001, "EUR"), (3_335, "JPY"), (0, "CHF"), (1_000_000_000_000, "USD"))
# What the tutorial's callers write of a room: that it can be booked, but for the last.
STATUSES: Final = ("available", "", " Available", "dirty")

# Whom an operator stops for a while, and how long, in seconds: about as long as a hold lasts, as
# all attempts of an effect take, and as a booking may take.
STOPPED: Final = ("card_processor", "payment", "booking", "room")
STOPS_S: Final = (1.0, 6.0, 25.0)
# What somebody asks for meanwhile; anew, under an id that could not be booked so long before.
MEANWHILE: Final = ("nothing", "a booking", "a cancellation", "a booking anew")
ANEW_S: Final = (0.5, 5.0, 16.0)
# How long after its booking a withdrawal is sent: on its heels, and as the saga's steps go by.
WITHDRAWN_S: Final = (0.0, 0.004, 0.02, 0.1, 0.5)
# How long a room is closed for; and how long after somebody has asked for it.
CLOSED_S: Final = (0.0, 0.2, 5.0)
ASKED_S: Final = (0.004, 0.02, 0.1)
# When a client asks once more, having its answer: as long as keys are kept.
LATE_S: Final = (60.0, 3_600.0, 57_600.0)
# What is read page by page, how many at a time, and how long is waited for the next, in seconds.
LISTS: Final = (
    "bookings", "guest's bookings", "room's bookings", "guest's bookings of the room",
    "customers", "rooms", "rooms of a type", "free rooms", "free rooms of a type",
    "mails", "guest's mails",
)  # fmt: skip
LIMITS: Final = (1, 2, 50)
PAUSES_S: Final = (0.0, 0.03, 0.5)
# What is read by itself.
THINGS: Final = (
    "the last booking", "a room", "the guest", "no booking", "no room", "nobody",
    "the processor's sums", "the last booking's sums",
)  # fmt: skip
# What makes no sense, or should not.
MISUSES: Final = (
    "two bookings under one key", "two guests under one key", "another's key",
    "a room that is not there", "a guest who is not there", "a stay of no night",
    "a stay of ten years", "the longest stay", "a stay of a night too many",
    "an end of no booking", "a change of no room", "a card that is not",
    "a field that is not", "a mail address that is not", "a currency that is not",
    "pages of nothing", "half a stay",
)  # fmt: skip

Kind = Literal[
    "book", "undo", "rent", "cancel", "register", "look", "join", "build", "name", "stop",
    "withdraw", "leave", "change", "browse", "see", "share", "late", "misuse",
]  # fmt: skip
PARTS: Final[dict[Kind, int]] = {
    "book": 5,
    "undo": 5,
    "rent": 1,
    "cancel": 5,
    "register": 2,
    "look": 1,
    "join": 2,
    "build": 2,
    "name": 2,
    "stop": 5,
    "withdraw": 3,
    "leave": 1,
    "change": 3,
    "browse": 8,
    "see": 3,
    "share": 3,
    "late": 1,
    "misuse": 4,
}
MENU: Final[tuple[Kind, ...]] = tuple([kind for kind, parts in PARTS.items() for _ in range(parts)])


class HotelCall(msgspec.Struct, frozen=True):
    """One request. With `again` it is made twice, under one key.

    | kind | asks for |
    | --- | --- |
    | `book` | nights in a room, for somebody who is there, or whom others may have registered |
    | `undo` | nights in a room, and the end of them as soon as they are booked |
    | `rent` | the tutorial's booking, under an id |
    | `share` | the same under an id that others use as well |
    | `late` | nights in a room, and again, under the same key, hours later |
    | `cancel` | the end of the booking that was confirmed last, whoever made it |
    | `register`, `look` | a guest under an id that others use as well |
    | `join`, `build` | a new guest, a new room; and the first nights there |
    | `name` | a room under an id that others use as well, and nights in it |
    | `withdraw` | the tutorial's booking and its end, the one while the other may be under way |
    | `leave` | the same, does not wait for an answer, and asks anew a while later |
    | `change` | another rate for a room, which is closed for a moment, maybe amid a booking |
    | `browse`, `see` | a list, page by page; a single thing |
    | `misuse` | what makes no sense |
    | `stop` | an operator's suspension of a service, its end a while later, something meanwhile |

    `what` is which of the lists, things, misuses, rates, statuses and of what is asked for
    meanwhile, `limit` how many a page has.
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
    ahead: int = 0
    what: int = 0
    limit: int = 0

    def __str__(self) -> str:  # noqa: PLR0911, PLR0912, C901 - one for each kind
        match self.kind:
            case "withdraw":
                after = WITHDRAWN_S[self.lasts]
                return f"rent room {self.room}, night {self.night}, and cancel {after:g} s later"
            case "leave":
                left = WITHDRAWN_S[self.lasts]
                return f"rent room {self.room}, night {self.night}, and leave {left:g} s later"
            case "change":
                closed = CLOSED_S[self.lasts]
                return (
                    f"change room {self.room}"
                    + (f", in {closed:g} s" if closed else "")
                    + (f", and ask for {MEANWHILE[self.what]}" if self.what else "")
                )
            case "book" | "undo" | "rent" | "share" | "late":
                return (
                    f"{self.kind} room {self.room}, night {self.night}, {self.nights} nights, "
                    f"with the card that {SANDBOX_CARDS[CARDS[self.card]].value}"
                    + (f", for {GUESTS[self.guest]}" if self.guest else "")
                    + (f", from {AHEAD_DAYS[self.ahead]} days ahead" if self.ahead else "")
                    + (f", and after {LATE_S[self.lasts]:g} s" if self.kind == "late" else "")
                )
            case "cancel":
                return "cancel the last booking"
            case "register" | "look":
                return f"{self.kind} guest {self.guest}"
            case "join":
                return f"join as a new guest, and book room {self.room}"
            case "build":
                amount, currency = RATES[self.what]
                return f"build a new room for {amount} {currency}, and book it"
            case "name":
                return f"name room {self.room} and call it {STATUSES[self.what]!r}, and book it"
            case "browse":
                return f"read all {LISTS[self.what]}, by {LIMITS[self.limit]}"
            case "see":
                return f"look at {THINGS[self.what]}"
            case "misuse":
                return f"try {MISUSES[self.what]}"
            case "stop":
                return f"stop {STOPPED[self.service]} for {STOPS_S[self.lasts]:g} s" + (
                    f", and ask for {MEANWHILE[self.what]}" if self.what else ""
                )


def choose_hotel_call(choose: Chooser) -> HotelCall:  # noqa: PLR0911 - one for each kind
    """Choose what a client does."""
    kind = MENU[choose(len(MENU))]
    if kind == "stop":
        # A processor that is silent, and rooms that nobody answers for, are what guests notice.
        service, what = (0, 0, 0, 1, 2, 3, 3)[choose(7)], choose(len(MEANWHILE))
        return HotelCall(
            "stop",
            # What is begun anew waits long where no room is held.
            service=STOPPED.index("room") if MEANWHILE[what] == "a booking anew" else service,
            lasts=choose(len(STOPS_S)),
            what=what,
            room=choose(ROOMS),
            night=choose(NIGHTS),
        )
    again = choose(3) == 2  # noqa: PLR2004 - a third of all
    match kind:
        case "book" | "rent" | "share" | "late":
            night = choose(NIGHTS)
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=night,
                nights=1 + choose(NIGHTS - night),
                # Half of all cards are good, and most guests are there: without, little happens.
                card=max(0, choose(2 * len(CARDS)) - len(CARDS)) if kind == "book" else 0,
                guest=_choose_guest(choose),
                again=again,
                ahead=max(0, choose(2 * len(AHEAD_DAYS)) - len(AHEAD_DAYS)),
                lasts=choose(len(LATE_S)) if kind == "late" else 0,
            )
        case "undo":
            return HotelCall(
                kind,
                room=choose(ROOMS),
                nights=1 + choose(NIGHTS),
                guest=_choose_guest(choose),
                again=again,
                ahead=choose(len(AHEAD_DAYS) - 1),
            )
        case "register" | "look":
            return HotelCall(kind, guest=1 + choose(REGISTERED), again=again)
        case "withdraw" | "leave":
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=choose(NIGHTS),
                again=again,
                lasts=choose(len(WITHDRAWN_S)),
            )
        case "join" | "build" | "name":
            menu = {"build": RATES, "name": STATUSES}.get(kind, ("",))
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=choose(NIGHTS),
                nights=1 + choose(2),
                again=again,
                what=choose(len(menu)),
            )
        case "change":
            return HotelCall(
                kind,
                room=choose(ROOMS),
                night=choose(NIGHTS),
                again=again,
                lasts=choose(len(CLOSED_S)),
                ahead=choose(len(AHEAD_DAYS) - 1),
                # Nothing, or more often a booking.
                what=min(choose(3), MEANWHILE.index("a booking")),
            )
        case "browse" | "see" | "misuse":
            return _choose_reading(kind, choose)
        case _:
            return HotelCall(kind, again=again)


def _choose_guest(choose: Chooser) -> int:
    return (0, 0, 0, 0, 3, 3, 1, 2)[choose(8)]


def _choose_reading(kind: Kind, choose: Chooser) -> HotelCall:
    menu = {"browse": LISTS, "see": THINGS}.get(kind, MISUSES)
    what, room = choose(len(menu)), choose(ROOMS)
    if kind != "browse":
        return HotelCall(kind, what=what, room=room)
    night = choose(NIGHTS)
    return HotelCall(
        kind,
        what=what,
        room=room,
        guest=choose(len(GUESTS)),
        night=night,
        nights=1 + choose(NIGHTS - night),
        limit=choose(len(LIMITS)),
        lasts=choose(len(PAUSES_S)),
    )
