"""Mistakes in a service's class: what is declared wrongly, and lines that send what nobody takes.

Each is the source of a subclass of one of the system's own services, and a word of what is said.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from actors.simulation.deploys.mistake import Broken, Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from actors.simulation.deploys.parts import Parts

TELL: Final = "@command\ndef next(self, tx: Transaction, cmd: Told) -> None:\n    "
EFFECT: Final = "async def next(self, cmd: Told) -> None: ...\n"
# What is wrong -> the class's body, and what is said after the handler's name.
STORED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "a query that writes": (
            "@query\ndef next(self, tx: Transaction, question: Asked) -> int: ...",
            "next is a @query and takes a Transaction, and a query only reads",
        ),
        "a command that only reads": (
            "@command\ndef next(self, tx: ReadTransaction, cmd: Told) -> None: ...",
            "next is a @command and takes a ReadTransaction, with which it could change nothing",
        ),
        "a handler of something else": (
            "@command\ndef next(self, tx: str, cmd: Told) -> None: ...",
            "next must be typed (self, tx: Transaction, message: SomeCommand)",
        ),
        "a handler without types": (
            "@command\ndef next(self, tx, cmd): ...",
            "next must be typed (self, tx: Transaction, message: SomeCommand)",
        ),
        "a handler of no message": (
            "@command\ndef next(self, tx: Transaction, cmd: Told | Unheard) -> None: ...",
            "next must be typed (self, tx: Transaction, message: SomeCommand)",
        ),
        "a handler that does not say what it replies": (
            "@command\ndef next(self, tx: Transaction, cmd: Told): ...",
            "next does not say what it returns",
        ),
        "a handler of another kind of message": (
            "@command\ndef next(self, tx: Transaction, cmd: Happened) -> None: ...",
            "next is a @command, and Happened is no Command",
        ),
        "an effect of another kind of message": (
            "@effect\nasync def next(self, cmd: Happened) -> None: ...",
            "next is an @effect, and Happened is no Command",
        ),
        "a type that is not known": (
            "@command\ndef next(self, tx: Transaction, cmd: 'Tolds') -> None: ...",
            "name 'Tolds' is not defined",
        ),
        "two handlers of one message": (
            f"{TELL}...\n@command\ndef other(self, tx: Transaction, cmd: Told) -> None: ...",
            "next both handle Told",
        ),
        "two messages of one stored name": (
            (
                "class Renamed(Command):\n    formerly = ('Told',)\n---\n"
                f"{TELL}...\n@command\ndef other(self, tx: Transaction, cmd: Renamed) -> None: ..."
            ),
            "both read what is stored as Told",
        ),
        "a former name that is none": (
            f"class Renamed(Command):\n    formerly = ('Told', 7)\n---\n{TELL}...",
            "write `formerly` as a tuple of other names",
        ),
        "a handler that waits": (
            "@command\nasync def next(self, tx: Transaction, cmd: Told) -> None: ...",
            "next: handlers never await",
        ),
        "an effect that does not": (
            "@effect\ndef next(self, cmd: Told) -> None: ...",
            "next: write an @effect as `async def`",
        ),
        "an outcome that nobody handles": (
            "@effect\nasync def next(self, cmd: Told) -> Unheard: ...",
            "next ends in Unheard, which is no @command",
        ),
        "an outcome of no effect": (
            (
                f"{TELL}...\n@outcome(next)\ndef ended(self, tx: Transaction, cmd: Told, of: int)"
                " -> None: ..."
            ),
            "ended is @outcome(next), which is no @effect",
        ),
        "an outcome of another type": (
            (
                "@effect\nasync def next(self, cmd: Told) -> int: ...\n"
                "@outcome(next)\ndef ended(self, tx: Transaction, cmd: Told, of: str) -> None: ..."
            ),
            "ended is @outcome(next): it must be typed",
        ),
        "an outcome that waits": (
            (
                "@effect\nasync def next(self, cmd: Told) -> int: ...\n"
                "@outcome(next)\nasync def ended(self, tx: Transaction, cmd: Told, of: int)"
                " -> None: ..."
            ),
            "ended: handlers never await",
        ),
        "an effect's limit that is none": (
            f"@effect(limit_s='soon')\n{EFFECT}",
            "next: @effect(limit_s=…) is 'soon'",
        ),
        "an effect's limit that cannot be had": (
            f"@effect(attempts_max=lambda self: self.nowhere)\n{EFFECT}",
            "@effect(attempts_max=…) raised AttributeError",
        ),
        "an effect's limit that comes to nothing": (
            f"@effect(again_s=lambda self: 0)\n{EFFECT}",
            "next: @effect(again_s=…) is 0",
        ),
        "waiting for an effect to give up that is none": (
            "@on(GaveUp[Told])\ndef next(self, tx: Transaction, event: GaveUp[Told]) -> None: ...",
            "has no @effect for Told",
        ),
        "a no to nobody knows what": (
            "@on(Refused)\ndef next(self, tx: Transaction, event: Refused) -> None: ...",
            "next: say of which command, such as Refused[SomeCommand]",
        ),
        "an event handler of another event": (
            "@on(Happened)\ndef next(self, tx: Transaction, event: Refused[Told]) -> None: ...",
            "next is @on(Happened): it must be typed",
        ),
        "a field that has no form in JSON": (
            (
                "class Odd(Command):\n    number: complex\n---\n"
                "@command\ndef next(self, tx: Transaction, cmd: Odd) -> None: ..."
            ),
            "its message Odd has no form in JSON",
        ),
        "a field's type that is not known": (
            (
                "class Odd(Command):\n    number: 'Number'\n---\n"
                "@command\ndef next(self, tx: Transaction, cmd: Odd) -> None: ..."
            ),
            "its message Odd has a type that is not known",
        ),
        "a reply that has no form in JSON": (
            (
                "class Odd: ...\n---\n"
                "@command\ndef next(self, tx: Transaction, cmd: Told) -> list[Odd]: ..."
            ),
            "next: its reply has no form in JSON",
        ),
        "a reply that cannot be told apart": (
            "@command\ndef next(self, tx: Transaction, cmd: Told) -> Asked | Unheard: ...",
            "next: its reply could be stored, and not read back",
        ),
        "a message that changes": (
            f"class Odd(Command, frozen=False): ...\n---\n{TELL}...",
            "Odd: it never changes",
        ),
        "a handler with a name of the runtime's": (
            "@command\ndef ask(self, tx: Transaction, cmd: Told) -> None: ...",
            "ask and run are no handlers' names",
        ),
        "a task of its own that does not wait": ("def run(self): ...", "run: write it as `async"),
        "an answer that a query puts off": (
            (
                "from actors.kernel.messages import Later\n---\n"
                "@query\ndef next(self, tx: ReadTransaction, question: Asked) -> int | Later: ..."
            ),
            "next returns Later: only a @command may",
        ),
        # What is sent is read in the source.
        "a send to nobody": (
            f"{TELL}tx.send('nobody', Told())",
            "sends Told to 'nobody', and no service is called so",
        ),
        "a send to itself": (
            f"{TELL}tx.send('{{service}}', Told())",
            "{service} sends Told to itself",
        ),
        "a command put off that is not handled": (
            f"{TELL}tx.after(60.0, Unheard())",
            "puts off Unheard, and has no handler for it",
        ),
        "a query put off": (
            (
                "@query\ndef other(self, tx: ReadTransaction, question: Asked) -> int: ...\n"
                f"{TELL}later = Asked()\n    self.helps(tx)\n    tx.after(1.0, later)\n"
                "def helps(self, tx: Transaction) -> None:\n    if tx.now_us:\n        return"
            ),
            "puts off Asked, and answers it as a query",
        ),
        "an effect that there is not": (
            f"{TELL}tx.run(Unheard())",
            "runs Unheard, and has no @effect for it",
        ),
        "a command that is published": (
            f"{TELL}event = Told()\n    tx.publish(event)",
            "publishes Told, which is no Event",
        ),
    }
)
STATELESS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "a command of a service that remembers nothing": (
            "@command\ndef next(self, cmd: Told) -> None: ...",
            "next is @command, and a stateless service could lose what it is sent",
        ),
        "an event of a service that remembers nothing": (
            "@on(Happened)\ndef next(self, event: Happened) -> None: ...",
            "next is @on, and a stateless service could lose what it is sent",
        ),
        "a question that waits": (
            "@query\nasync def next(self, question: Asked) -> int: ...",
            "next: handlers never await",
        ),
        "a question that puts its answer off": (
            (
                "from actors.kernel.messages import Later\n---\n"
                "@query\ndef next(self, question: Asked) -> int | Later: ..."
            ),
            "next returns Later: only a @command of a service with a store may",
        ),
    }
)


def _answering(parts: Parts) -> Sequence[tuple[str, str, Any]]:
    """Return who could send to whom what that one answers as a query."""
    return [
        (service, other, message)
        for service in parts.stored
        for other in parts.stored
        if other != service
        for message, spec in parts.classes[other].handlers.items()
        if spec.kind == "query"
    ]


def _ask_by_send(parts: Parts, place: tuple[str, str, Any]) -> Broken:
    service, other, message = place
    source = f"{TELL}tx.send({other!r}, Theirs())"
    return Broken(
        systems=lambda _: parts.with_source(service, source, Theirs=message),
        says=(f"{service} sends {message.__name__} to {other}, which answers it as a query",),
    )


def _make(parts: Parts, service: str, *, source: str, says: str) -> Broken:
    kind, name = parts.classes[service].__name__, {"service": service}
    source, says = source.replace("{service}", service), says.format(**name)
    at = kind if says.startswith(("next", "ended", "ask", "run:")) else ""
    return Broken(systems=lambda _: parts.with_source(service, source), says=(at, says))


HANDLER_MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **{
            name: Mistake(
                places=lambda parts: parts.stored, make=partial(_make, source=source, says=says)
            )
            for name, (source, says) in STORED.items()
        },
        "a send of a query": Mistake(places=_answering, make=_ask_by_send),
        **{
            name: Mistake(
                places=lambda parts: parts.stateless, make=partial(_make, source=source, says=says)
            )
            for name, (source, says) in STATELESS.items()
        },
    }
)
