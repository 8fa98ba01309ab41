"""Every mistake in a handler's types is told, by name, when its class is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Union

import msgspec
import pytest

from actors.kernel.messages import (
    Command,
    Event,
    GaveUp,
    Later,
    Query,
    Refusal,
    Refused,
)
from actors.service.caching.cache_options import CacheOptions
from actors.service.service import Service, command, effect, on, query
from actors.store.transaction import ReadTransaction, Transaction

if TYPE_CHECKING:
    from collections.abc import Callable


class Rename(Command):
    name: str


class Find(Query):
    name: str


class Found(msgspec.Struct, frozen=True):
    name: str


class Lost(msgspec.Struct, frozen=True):
    name: str


class People(Service):
    @command
    def rename(self, tx: Transaction, cmd: Rename) -> Found | Refusal:
        return Found(cmd.name)


class FoundOut(Event):
    name: int


class FindAll(Query):
    names: list[str]


@pytest.mark.parametrize(
    ("asked", "by", "words"),
    [
        (Find, "name", r"FoundOut.name is of another type than Find.name"),
        (FindAll, "names", r"FindAll.names is another thing"),
    ],
)
def test_answers_are_sorted_by_what_an_event_can_say(asked: Any, by: str, words: str) -> None:
    """What would never be equal, or has no hash, sorts nothing."""
    with pytest.raises(TypeError, match=words):
        CacheOptions(cache_s=1.0, by=by, forget=(FoundOut,)).check("People.find", asked)


def test_subclass_overrides_by_name() -> None:
    """A handler of the same name replaces the base's, in the subclass alone."""

    class Others(People):
        @command
        def rename(self, tx: Transaction, cmd: Rename) -> Found:
            return Found("other")

    assert Others.handlers[Rename].function is Others.rename
    assert People.handlers[Rename].function is People.rename


def test_subclass_may_not_handle_under_another_name() -> None:
    """Which of the two it would be, nobody could tell."""
    with pytest.raises(
        TypeError, match=r"Twice\.again and Twice\.rename both handle Rename: keep one"
    ):

        class Twice(People):
            @command
            def again(self, tx: Transaction, cmd: Rename) -> None: ...


@pytest.mark.parametrize(
    ("annotation", "stored"),
    [
        (Found | Refusal, Found),
        (Found, Found),
        (None, type(None)),
        (Refusal | None, type(None)),
        (list[Found] | None, list[Found] | None),
        (int | str | Refusal, int | str),
    ],
    ids=str,
)
def test_stored_reply_has_the_annotated_type(annotation: Any, stored: Any) -> None:
    """A Refusal is stored apart; what is left of the annotation is what is read back."""

    def handle(self: Any, tx: Transaction, cmd: Rename) -> Any: ...

    handle.__annotations__.update({"return": annotation})
    del handle.__annotations__["self"]
    made: Any = type("Made", (Service,), {"handle": command(handle)})
    assert made.handlers[Rename].reply == stored


def reply_missing(self, tx: Transaction, cmd: Rename): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
def tx_missing(self, cmd: Rename) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def one_more(self, tx: Transaction, cmd: Rename, more: int) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def union(self, tx: Transaction, cmd: Rename | Find) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def no_message(self, tx: Transaction, cmd: int) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def unknown(self, tx: Transaction, cmd: Nowhere) -> None: ...  # type: ignore[no-untyped-def,name-defined]  # noqa: ANN001, F821
def two_structs(self, tx: Transaction, cmd: Rename) -> Found | Lost: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (reply_missing, "must be typed"),
        (tx_missing, "must be typed"),
        (one_more, "must be typed"),
        (union, "must be typed"),
        (no_message, "is a @command, and int is no Command"),
        (unknown, "'Nowhere' is not defined"),
        (two_structs, "could be stored, and not read back"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mistyped_handler_is_named(function: Callable[..., Any], says: str) -> None:
    """The error names the class, the handler and what is wrong with it."""
    with pytest.raises(TypeError, match=says) as raised:
        type("Made", (Service,), {"handle": command(function)})
    assert "Made.handle" in str(raised.value)


# --- Events, effects, answers put off ---------------------------------------------------------


class Renamed(Event):
    name: str


class Tell(Command):
    name: str


class Told(Command):
    name: str


class Untold(Command):
    name: str


class Messenger(Service):
    @on(Renamed)
    def renamed(self, tx: Transaction, event: Renamed) -> None: ...

    @on(Refused[Rename], start="beginning")
    def refused(self, tx: Transaction, event: Refused[Rename]) -> None: ...

    @effect
    async def tell(self, cmd: Tell) -> Told | Untold | None: ...

    @command
    def told(self, tx: Transaction, cmd: Told) -> None: ...

    @command
    def untold(self, tx: Transaction, cmd: Untold) -> Found | Refusal | Later: ...  # type: ignore[empty-body]

    @on(GaveUp[Tell])
    def gave_up(self, tx: Transaction, event: GaveUp[Tell]) -> None: ...


def test_handlers_of_every_kind_are_found_by_their_message() -> None:
    """An event's says where it starts, a command's whether it puts off; an effect asks no tx."""
    specs = Messenger.handlers
    assert {message: (spec.kind, spec.start) for message, spec in specs.items()} == {
        Renamed: ("event", "now"),
        Refused[Rename]: ("event", "beginning"),
        Tell: ("effect", "now"),
        Told: ("command", "now"),
        Untold: ("command", "now"),
        GaveUp[Tell]: ("event", "now"),
    }
    assert (specs[Untold].defers, specs[Untold].reply) == (True, Found)
    assert not specs[Told].defers


def test_refusals_of_different_commands_have_a_handler_each() -> None:
    """They are told apart by the command."""

    class Both(Messenger):
        @on(Refused[Tell])
        def other(self, tx: Transaction, event: Refused[Tell]) -> None: ...

    assert Both.handlers[Refused[Tell]].function is Both.other
    assert Both.handlers[Refused[Rename]].function is Messenger.refused


async def awaits(self, tx: Transaction, cmd: Rename) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def awaits_event(self, tx: Transaction, event: Renamed) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def event_read(self, tx: Transaction, event: Renamed) -> Found: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
def event_refused(self, tx: Transaction, event: Renamed) -> Refusal | None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def event_is_a_command(self, tx: Transaction, event: Rename) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def event_bare(self, tx: Transaction, event: Refused) -> None: ...  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
def event_other(self, tx: Transaction, event: Refused[Tell]) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def gave_up(self, tx: Transaction, event: GaveUp[Rename]) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def old_union(self, tx: Transaction, cmd: Union[Rename, Tell]) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001, UP007
def later_alone(self, tx: Transaction, cmd: Rename) -> Later: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
def later_or_no(self, tx: Transaction, cmd: Rename) -> Later | Refusal: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
def later_read(self, tx: ReadTransaction, question: Find) -> Found | Later: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
def effect_blocks(self, cmd: Tell) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def effect_writes(self, tx: Transaction, cmd: Tell) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def effect_untyped(self, cmd: Tell): ...  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
async def list_of_none(self, cmds: list[Tell]) -> Told: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
async def list_or_none(self, cmds: list[Tell]) -> list[Told] | None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def list_of_any(self, cmds: list[Tell | Rename]) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def list_bare(self, cmds: list) -> None: ...  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
async def list_reads(self, cmds: list[Find]) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def list_ends_elsewhere(self, cmds: list[Tell]) -> list[Found]: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
async def effect_reads(self, cmd: Find) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def told(self, cmd: Tell) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def effect_ends_elsewhere(self, cmd: Tell) -> Told: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001
async def effect_ends_in_a_value(self, cmd: Tell) -> Found | None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def effect_refuses(self, cmd: Tell) -> Refusal | None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
async def effect_puts_off(self, cmd: Tell) -> Later: ...  # type: ignore[no-untyped-def,empty-body]  # noqa: ANN001


@pytest.mark.parametrize(
    ("mark", "function", "says"),
    [
        (command, awaits, "handlers never await"),
        (on(Renamed), awaits_event, "handlers never await"),
        (on(Renamed), event_read, r"is @on\(Renamed\): it must be typed"),
        (on(Renamed), event_refused, r"is @on\(Renamed\): it must be typed"),
        (on(Renamed), event_is_a_command, "is an @on, and Rename is no Event"),
        (on(Rename), event_is_a_command, "is an @on, and Rename is no Event"),
        (on(Refused), event_bare, r"say of which command, such as Refused\[SomeCommand\]"),
        (on(Refused[Rename]), event_other, r"is @on\(Refused\[Rename\]\): it must be typed"),
        (on(GaveUp[Rename]), gave_up, "Made has no @effect for Rename"),
        (command, old_union, "must be typed"),
        (command, later_alone, "it says what its reply will be"),
        (command, later_or_no, "it says what its reply will be"),
        (query, later_read, "only a @command may"),
        (effect, effect_blocks, "write an @effect as `async def`"),
        (effect, effect_writes, r"must be typed async \(self, message"),
        (effect, effect_untyped, r"must be typed async \(self, message"),
        (effect, effect_reads, "is an @effect, and Find is no Command"),
        (effect(attempts_max=0), told, r"@effect\(attempts_max=…\) is 0: Expected `int` >= 1"),
        (effect(limit_s=-1.0), told, r"@effect\(limit_s=…\) is -1.0: Expected `float` > 0"),
        (effect(again_s=0.0), told, r"@effect\(again_s=…\) is 0.0: Expected `float` > 0"),
        (effect(together_max=0), told, r"@effect\(together_max=…\) is 0: Expected `int` >= 1"),
        (effect(again_s="soon"), told, r"is 'soon': Expected `float`, got `str`"),  # type: ignore[call-overload]
        (effect, list_of_none, r"takes a list, and returns none, of an outcome for each message"),
        (effect, list_or_none, r"typed async \(self, messages: list\[SomeCommand\]\) -> list"),
        (effect, list_of_any, r"must be typed async \(self, messages: list"),
        (effect, list_bare, r"must be typed async \(self, message"),
        (effect, list_reads, "is an @effect, and Find is no Command"),
        (effect, list_ends_elsewhere, "ends in Found, which is no @command of Made"),
        (effect(together_max=5), told, r"@effect\(together_max=…\) is for one that takes a list"),
        (effect, effect_ends_elsewhere, "ends in Told, which is no @command of Made"),
        (
            effect,
            effect_ends_in_a_value,
            r"ends in Found, which is no @command of Made: .* @outcome\(effect_ends_in_a_value\)",
        ),
        (effect, effect_refuses, "ends in Refusal, which is no @command of Made"),
        (effect, effect_puts_off, "ends in Later, which is no @command of Made"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_mistyped_handler_of_any_kind_is_named(
    mark: Any, function: Callable[..., Any], says: str
) -> None:
    """What could only be noticed when it is too late is told when the class is made."""
    with pytest.raises(TypeError, match=says) as raised:
        type("Made", (Service,), {function.__name__: mark(function)})
    assert f"Made.{function.__name__}" in str(raised.value)


def test_outcome_may_be_handled_by_a_base_or_a_subclass_of_the_effects() -> None:
    """What counts is who handles it in the class that is made."""

    class More(Messenger):
        @effect
        async def more(self, cmd: Rename) -> Told: ...  # type: ignore[empty-body]

    assert More.handlers[Rename].kind == "effect"


def test_effects_outcome_may_not_be_an_effect() -> None:
    """The next effect is asked for in a transaction; an outcome is applied in one."""
    with pytest.raises(TypeError, match="ends in Tell, which is no @command of Endless"):

        class Endless(Messenger):
            @effect
            async def again(self, cmd: Rename) -> Tell: ...  # type: ignore[empty-body]
