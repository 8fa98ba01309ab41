"""As many services as the environment says: each keeps notes in a file of its own.

But for one, which passes notes on to the first of them.
"""

from __future__ import annotations

import os
from typing import Final

import actors

SERVICES: Final = int(os.environ.get("GROWTH_SERVICES", "2"))


class AddNote(actors.Command):
    text: str


class PassOn(actors.Command):
    """Have the first service keep so many notes."""

    count: int


class FindNote(actors.Query):
    note_id: str


class Notes(actors.Service):
    schema = (
        "CREATE TABLE note (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, text TEXT) STRICT;"
    )

    @actors.command
    def add(self, tx: actors.Transaction, cmd: AddNote) -> str:
        note_id = tx.new_id()
        tx.execute("INSERT INTO note (id, text) VALUES (?, ?)", note_id, cmd.text)
        return note_id

    @actors.query
    def find(self, tx: actors.ReadTransaction, question: FindNote) -> str | actors.Refusal:
        row = tx.one("SELECT text FROM note WHERE id = ?", question.note_id)
        return str(row["text"]) if row is not None else actors.Refusal.not_found("no such note")


class Sender(actors.Service):
    schema = ""  # what it has to do is in the messages

    @actors.command
    def pass_on(self, tx: actors.Transaction, cmd: PassOn) -> int:
        for _ in range(cmd.count):
            tx.send("notes_0", AddNote(text="as long a note as people write who are in a hurry"))
        return cmd.count


NAMES: Final = [f"notes_{number}" for number in range(SERVICES - 1)]
ADDRESSES: Final = [
    *(actors.Address("POST", f"/{name}", actors.service(name, AddNote, 201)) for name in NAMES),
    actors.Address("GET", "/notes_0/{note_id}", actors.service("notes_0", FindNote)),
    actors.Address("POST", "/pass-on", actors.service("sender", PassOn, 201)),
]
SERVED: Final = {**dict.fromkeys(NAMES, Notes), "sender": Sender}
GROWING = actors.System(name="growing", services=SERVED, addresses=ADDRESSES)
