"""What a message's author need not say."""

from __future__ import annotations

import msgspec
import pytest

from actors.kernel.messages import Command, Event, Refusal, Refused


class AddNote(Command):
    line: int = 0
    text: str


class AddNoteTwice(AddNote):
    again_s: float


class NoteAdded(Event):
    text: str


@pytest.mark.parametrize(
    "note", [AddNote(text="tea"), AddNoteTwice(text="tea", again_s=1.0), NoteAdded(text="tea")]
)
def test_it_does_not_change(note: AddNote | NoteAdded) -> None:
    """Nor what was derived from it; a type checker says so, too: its ignore would be unused."""
    with pytest.raises(AttributeError, match="immutable"):
        note.text = "coffee"  # type: ignore[misc]
    assert note == msgspec.structs.replace(note)
    assert hash(note) == hash(msgspec.structs.replace(note))


def test_nobody_makes_one_that_changes() -> None:
    """What was sent could be altered on its way."""
    with pytest.raises(TypeError, match="Loose: it never changes: leave out frozen=False"):

        class Loose(Command, frozen=False):  # type: ignore[misc]
            pass


def test_its_fields_are_named() -> None:
    """So that one more does no harm, a needed one behind one that has a default neither."""
    with pytest.raises(TypeError, match="positional"):
        NoteAdded("tea")  # type: ignore[call-arg]


def test_it_is_read_as_strictly_as_before() -> None:
    """Also inside another; what is unknown is refused."""
    refused = Refused(command=AddNote(text="tea"), refusal=Refusal.conflict("no"))
    blob = msgspec.json.encode(refused)
    assert msgspec.json.decode(blob, type=Refused[AddNote]) == refused
    with pytest.raises(msgspec.ValidationError, match="unknown field `cups`"):
        msgspec.json.decode(b'{"text": "tea", "cups": 1}', type=AddNote)
