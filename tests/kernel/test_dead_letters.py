from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import DeadLettered
from actors.kernel import lifecycle
from actors.kernel.dead_letters import DeadLetters
from actors.kernel.envelope import Envelope
from actors.kernel.messages import Command

if TYPE_CHECKING:
    from actors.kernel.clock import ManualClock


class Book(Command):
    room: str


def make(
    clock: ManualClock, *, capacity: int
) -> tuple[DeadLetters, list[lifecycle.LifecycleEvent]]:
    events: list[lifecycle.LifecycleEvent] = []
    told = lifecycle.Lifecycle()
    told.subscribe(events.append)
    return DeadLetters(capacity=capacity, clock=clock, events=told), events


def test_a_dead_letter_keeps_message_reason_and_origin(clock: ManualClock) -> None:
    """Whatever helps to understand it is in the letter; one event says that it is there."""
    letters, events = make(clock, capacity=10)
    clock.advance(2.0)
    envelope = Envelope(Book(room="1"), key="key-1", trace="request-1")
    envelope.attempt = 3
    letter = letters.add("room", envelope, "three crashes")
    assert letters.list() == [letter]
    assert letter.actor == "room"
    assert letter.message_type == "Book"
    assert letter.message == "Book(room='1')"
    assert letter.reason == "three crashes"
    assert letter.attempts == 3
    assert letter.at_us == clock.now_us()
    assert letter.request_key == "key-1"
    assert not letter.durable
    assert events == [
        lifecycle.DeadLettered(
            name="room",
            message_type="Book",
            reason="three crashes",
            attempts=3,
            trace="request-1",
            letter_id="memory-1",
        )
    ]


def test_the_newest_are_kept_and_all_are_counted(clock: ManualClock) -> None:
    """Bounded: beyond capacity the oldest goes, and the count tells."""
    letters, events = make(clock, capacity=3)
    for number in range(5):
        letters.add("room", Envelope(number), "full")
    assert [letter.message for letter in letters.list()] == ["2", "3", "4"]
    assert letters.count == len(events) == 5
    assert len({letter.id for letter in letters.list()}) == 3


def test_a_letter_that_a_store_keeps_is_announced_and_not_kept_twice(clock: ManualClock) -> None:
    """With a letter_id it lives in a store; without one it is kept here."""
    letters, events = make(clock, capacity=3)
    letters.note("room", Envelope("stored"), DeadLettered("gone", letter_id="row-1"))
    assert letters.list() == []
    letters.note("room", Envelope("not stored"), DeadLettered("gone"))
    assert [letter.message for letter in letters.list()] == ["'not stored'"]
    assert letters.count == len(events) == 2


def test_a_large_message_is_cut(clock: ManualClock) -> None:
    """A letter's text is bounded."""
    letters, _ = make(clock, capacity=1)
    assert len(letters.add("room", Envelope("x" * 100_000), "large").message) <= 1_000
