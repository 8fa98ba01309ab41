"""What is sent to nobody is found in the source; what cannot be seen there is left alone."""

from __future__ import annotations

import gc
import math
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

import actors.store.transaction as ours
from actors.kernel.messages import Command, Event, Query
from actors.service import send_check
from actors.service.send_check import Sends, sent_by
from actors.service.service import Service, StatelessService, command, effect, on, query
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = "nobody"


class Go(Command):
    """Whose handler sends."""


class Take(Command):
    """What the other takes."""


class Ring(Command):
    """What the other does, outside."""


class Lost(Command):
    """What nobody takes."""


class Look(Query):
    """What the other answers."""


class Gone(Event):
    """What is heard."""


class Other(Service):
    @command
    def take(self, tx: Transaction, cmd: Take) -> None: ...

    @query
    def look(self, tx: ours.ReadTransaction, question: Look) -> None: ...

    @effect
    async def ring(self, cmd: Ring) -> None: ...


class Quiet(StatelessService):
    @query
    def look(self, question: Look) -> None: ...


class Names:
    nobody: ClassVar[str] = "nobody"


class Sender(Service):
    name = "nobody"

    def tells(self, tx: Transaction) -> None:
        tx.send("nobody", Take())

    @staticmethod
    def tells_too(tx: Transaction) -> None:
        tx.send("nobody", Take())


def helps(tx: Transaction, name: str = "other") -> None:
    tx.send(name, Take())
    tx.send("nobody", Take())


def helps_untyped(tx, name) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    tx.send("nobody", Take())
    tx.send(name, Take())


def publishes_untyped(tx, event) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    tx.publish(event)


def log(tx: Transaction) -> None:
    """As another function of another module is called."""
    tx.send("nobody", Take())


somebody = "nobody"


def meet() -> None:
    global somebody  # noqa: PLW0603 - what the check must not take for a constant
    somebody = "other"


class Handlers:
    """What the sender's only handler does, in a test."""

    name: str
    send: Any
    socket: Any
    tells: Any
    tells_too: Any
    event: Any

    def literal(self, tx: Transaction, cmd: Go) -> None:
        tx.send("nobody", Take())

    def constant(self, tx: Transaction, cmd: Go) -> None:
        tx.send(NOBODY, Take())

    def constant_of_a_class(self, tx: Transaction, cmd: Go) -> None:
        tx.send(Names.nobody, Take())

    def by_keyword(self, tx: Transaction, cmd: Go) -> None:
        tx.send(service="nobody", command=Take())

    def made_before(self, tx: Transaction, cmd: Go) -> None:
        name = "nobody"
        take = Take()
        tx.send(name, take)

    def perhaps(self, tx: Transaction, cmd: Go) -> None:
        if self.name:
            tx.send("nobody", Take())

    def perhaps_helped(self, tx: Transaction, cmd: Go) -> None:
        for _ in self.name:
            helps(tx)

    def guarded(self, tx: Transaction, cmd: Go) -> None:
        if not self.name:
            return
        self.tells(tx)

    def within(self, tx: ours.Transaction, cmd: Go) -> None:
        def inner() -> None:
            tx.send("nobody", Take())

        inner()

    def found(self, tx: Transaction, cmd: Go) -> None:
        row = tx.one("SELECT 1")
        if row is None:
            return
        tx.send("nobody", Take())

    def helped(self, tx: Transaction, cmd: Go) -> None:
        helps(tx)

    def by_a_method(self, tx: Transaction, cmd: Go) -> None:
        self.tells(tx)

    def by_a_static_method(self, tx: Transaction, cmd: Go) -> None:
        self.tells_too(tx)

    def under_another_name(self, told: Transaction, cmd: Go) -> None:
        told.send("nobody", Take())

    def not_handled(self, tx: Transaction, cmd: Go) -> None:
        tx.send("other", Lost())

    def asked(self, tx: Transaction, cmd: Go) -> None:
        tx.send("other", Look())  # type: ignore[arg-type]

    def to_stateless(self, tx: Transaction, cmd: Go) -> None:
        tx.send("quiet", Take())

    def to_itself(self, tx: Transaction, cmd: Go) -> None:
        tx.send("sender", Go())

    def put_off(self, tx: Transaction, cmd: Go) -> None:
        tx.after(1.0, Take())

    def run_elsewhere(self, tx: Transaction, cmd: Go) -> None:
        tx.run(Ring())

    def run_command(self, tx: Transaction, cmd: Go) -> None:
        tx.run(Go())

    def published(self, tx: Transaction, cmd: Go) -> None:
        tx.publish(Take())  # type: ignore[arg-type]

    def taken(self, tx: Transaction, cmd: Go) -> None:
        tx.send("other", Take())
        tx.send("other", Ring())
        tx.after(1.0, Go())
        tx.publish(Gone())

    def handed_in(self, tx: Transaction, cmd: Go) -> None:
        tx.send(self.name, Take())
        tx.send(str(cmd), Take())

    def either(self, tx: Transaction, cmd: Go) -> None:
        name = "nobody"
        for name in ("other", "quiet"):
            tx.send(name, Take())
        lost: Command = Lost()
        if tx.now_us:
            lost = Take()
        tx.send("other", lost)

    def within_another(self, tx: Transaction, cmd: Go) -> None:
        def inner(NOBODY: str) -> None:  # noqa: N803 - as the module's own
            tx.send(NOBODY, Take())

        inner("other")

    def of_a_function_within(self, tx: Transaction, cmd: Go) -> None:
        def inner(tx: Any) -> None:
            tx.send("nobody", Take())

        inner(self.socket)

    def of_the_same_name(self, tx: Transaction, cmd: Go) -> None:
        self.socket.helps(cmd)
        math.log(tx.now_us)

    def with_something_else(self, tx: Transaction, cmd: Go) -> None:
        helps(self.socket)

    def to_a_name_that_is_set(self, tx: Transaction, cmd: Go) -> None:
        tx.send(somebody, Take())

    def of_something_else(self, tx: Transaction, cmd: Go) -> None:
        self.send("nobody", Take())
        self.socket.send("nobody", Lost())

    def by_another_name(self, tx: Transaction, cmd: Go) -> None:
        told = tx
        told.send("nobody", Take())

    def helped_by_who_knows(self, tx: Transaction, cmd: Go) -> None:
        helps_untyped(tx, "other")

    def publishes_any(self, tx: Transaction, cmd: Go) -> None:
        event = self.event()
        tx.publish(event)

    def publishes_by_who_knows(self, tx: Transaction, cmd: Go) -> None:
        publishes_untyped(tx, Gone())

    def publishes_by_another_name(self, tx: Transaction, cmd: Go) -> None:
        tell = tx.publish
        tell(Gone())


def faults_of(
    handler: Callable[..., Any], base: type[Service] = Sender, *, sure: bool = True
) -> list[str]:
    """Return what is wrong with what a handler sends, without the place."""
    sender: Any = type("Made", (base,), {"go": command(handler)})
    services = {"sender": sender, "other": Other, "quiet": Quiet}
    return [fault.partition(" (")[0] for _, fault in Sends(services).faults(sure=sure)]


# --- What is seen -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "handler",
    [
        Handlers.literal,
        Handlers.constant,
        Handlers.constant_of_a_class,
        Handlers.by_keyword,
        Handlers.made_before,
        Handlers.found,
        Handlers.helped,
        Handlers.by_a_method,
        Handlers.by_a_static_method,
        Handlers.under_another_name,
    ],
    ids=lambda each: each.__name__,
)
def test_a_send_to_nobody_is_seen(handler: Callable[..., Any]) -> None:
    """However it is written, as long as it is written out, and under no condition."""
    assert faults_of(handler) == [
        "sends Take to 'nobody', and no service is called so: there are sender, other, quiet"
    ]


@pytest.mark.parametrize(
    ("handler", "says"),
    [
        (Handlers.not_handled, "sends Lost to other, which has no handler for it"),
        (Handlers.asked, "sends Look to other, which answers it as a query: ask it, such as"),
        (Handlers.to_stateless, "sends Take to quiet, which has no handler for it"),
        (Handlers.to_itself, "sends Go to itself: write tx.run(...) for an @effect"),
        (Handlers.put_off, "puts off Take, and has no handler for it"),
        (Handlers.run_elsewhere, "runs Ring, and has no @effect for it"),
        (Handlers.run_command, "runs Go, and has no @effect for it"),
        (Handlers.published, "publishes Take, which is no Event: send it to a service"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_what_would_not_be_taken_is_seen(handler: Callable[..., Any], says: str) -> None:
    """By another service, or by the sender itself."""
    (fault,) = faults_of(handler)
    assert fault.startswith(says)


def test_a_fault_names_its_line() -> None:
    """Of the call itself, wherever the function begins."""

    class Far(Service):
        @command
        def go(self, tx: Transaction, cmd: Go) -> None:
            text = """
        Not indented as the rest is.
"""
            with suppress(ValueError if text else OSError):
                tx.send(
                    "nobody",
                    Take(),
                )

    line = Far.go.__code__.co_firstlineno + 6
    ((name, fault),) = Sends({"far": Far}).faults()
    assert name == "far"
    assert fault.endswith(f"({__file__}, line {line})")


@pytest.mark.parametrize(
    "handler",
    [Handlers.perhaps, Handlers.perhaps_helped, Handlers.guarded, Handlers.within],
    ids=lambda each: each.__name__,
)
def test_what_may_never_be_sent_to_who_is_not_there_is_no_fault(
    handler: Callable[..., Any],
) -> None:
    """It is worth a warning: the other may be of a system that is booted elsewhere."""
    assert faults_of(handler) == []
    assert faults_of(handler, sure=False) == faults_of(Handlers.literal)


# --- What is left alone -----------------------------------------------------------------------


def no_source() -> Callable[..., Any]:
    names = dict(globals())
    source = "def made(self, tx: Transaction, cmd: Go) -> None:\n    tx.send('nobody', Take())\n"
    exec(source, names)  # noqa: S102 - a shell's class, say
    made: Callable[..., Any] = names["made"]
    return made


@pytest.mark.parametrize(
    "handler",
    [
        Handlers.taken,
        Handlers.handed_in,
        Handlers.either,
        Handlers.within_another,
        Handlers.of_a_function_within,
        Handlers.of_the_same_name,
        Handlers.with_something_else,
        Handlers.to_a_name_that_is_set,
        Handlers.of_something_else,
        Handlers.by_another_name,
        Handlers.helped_by_who_knows,
        no_source(),
    ],
    ids=lambda each: each.__name__,
)
def test_what_cannot_be_known_is_no_fault(handler: Callable[..., Any]) -> None:
    """It may be right, or never be called: nobody is kept from booting what would work."""
    assert faults_of(handler) == []
    assert faults_of(handler, sure=False) == []


def test_what_a_subclass_does_otherwise_is_not_looked_at() -> None:
    """Of two methods of one name only one is called."""

    class Wrong(Sender):
        @command
        def go(self, tx: Transaction, cmd: Go) -> None:
            tx.send("nobody", Take())

    assert faults_of(Handlers.taken, Wrong) == []
    assert len(list(Sends({"wrong": Wrong, "other": Other}).faults())) == 1


def test_a_class_is_read_once_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever boots again asks of the same ones, and a deploy that is played makes its own."""

    class Made(Sender):
        @command
        def go(self, tx: Transaction, cmd: Go) -> None:
            tx.send("other", Take())

    sent = sent_by(Made)
    monkeypatch.setattr(send_check, "_parse", None)
    assert [each.receiver for each in sent] == ["other"]
    assert sent_by(Made) is sent
    made = weakref.ref(Made)
    del Made
    gc.collect()
    assert made() is None


# --- Events -----------------------------------------------------------------------------------


class Hearer(Service):
    @on(Gone)
    def gone(self, tx: Transaction, event: Gone) -> None: ...


@pytest.mark.parametrize(
    ("handler", "found"),
    [
        (Handlers.literal, [("hearer", "Gone")]),
        (Handlers.taken, []),
        (Handlers.publishes_any, []),
        (Handlers.publishes_by_who_knows, []),
        (Handlers.publishes_by_another_name, []),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_an_event_from_nobody_is_noted(
    handler: Callable[..., Any], found: list[tuple[str, str]]
) -> None:
    """Where it is known of all that is published what it is."""
    sender: Any = type("Made", (Sender,), {"go": command(handler)})
    assert list(Sends({"sender": sender, "hearer": Hearer}).unpublished()) == found
