"""A service's handlers are found by their types, and what does not fit is named."""

from __future__ import annotations

import pytest

from actors.kernel.messages import Command, Query, Refusal
from actors.service.service import Service, command, query
from actors.store.transaction import ReadTransaction, Transaction
from tests.service.hosted import Add, Added, Diary, Labels


class Ask(Query):
    pass


class Do(Command):
    pass


def test_handlers_are_found_by_their_messages() -> None:
    """Kind, message and reply come from the decorator and the annotations."""
    spec = Diary.handlers[Add]
    assert (spec.kind, spec.message, spec.reply) == ("command", Add, Added)
    spec = Diary.handlers[Labels]
    assert (spec.kind, spec.reply) == ("query", list[str])


def test_a_subclass_adds_to_its_base() -> None:
    """What the base handles, the subclass handles too; the base learns nothing."""

    class More(Diary):
        @command
        def more(self, tx: Transaction, cmd: Do) -> None:
            """Do nothing."""

    assert set(More.handlers) == {*Diary.handlers, Do}
    assert Do not in Diary.handlers


def test_two_handlers_for_one_message_are_refused() -> None:
    """The error names both."""
    with pytest.raises(TypeError, match=r"\.second and \w+\.first both handle"):

        class Twice(Service):
            @command
            def first(self, tx: Transaction, cmd: Do) -> None:
                """Do nothing."""

            @command
            def second(self, tx: Transaction, cmd: Do) -> None:
                """Do nothing."""


def test_a_handler_of_the_wrong_kind_is_refused() -> None:
    """A command cannot be read, nor a query written."""
    with pytest.raises(TypeError, match=r"Wrong\.find is a @command, and Ask is no Command"):

        class Wrong(Service):
            @command
            def find(self, tx: Transaction, cmd: Ask) -> None:
                """Do nothing."""

    with pytest.raises(TypeError, match="is no Query"):

        class AlsoWrong(Service):
            @query
            def do(self, tx: ReadTransaction, cmd: Do) -> None:
                """Do nothing."""


def test_a_handler_without_types_is_refused() -> None:
    """Without annotations there is nothing to go by, and the error shows the form."""
    with pytest.raises(TypeError, match=r"Bare\.do must be typed \(self, tx"):

        class Bare(Service):
            @command
            def do(self, tx, cmd):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - the point
                """Do nothing."""


def test_a_refusal_is_no_reply_type() -> None:
    """A stored reply is decoded as what the handler returns beside a Refusal."""

    class Either(Service):
        @command
        def do(self, tx: Transaction, cmd: Do) -> Added | Refusal | None:
            """Do nothing."""

    assert Either.handlers[Do].reply == Added | None
