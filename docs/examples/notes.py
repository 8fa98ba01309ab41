"""A first durable service: a note is on the disk before its 201, once, whatever is killed."""

import actors


class AddNote(actors.Command):
    text: str


class ListNotes(actors.Query):
    """What there is."""


class Notes(actors.Service):
    schema = "CREATE TABLE note (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"

    @actors.command
    def add(self, tx: actors.Transaction, cmd: AddNote) -> int:
        (row,) = tx.all("INSERT INTO note (text) VALUES (?) RETURNING seq", cmd.text)
        return int(row["seq"])

    @actors.query
    def every(self, tx: actors.ReadTransaction, question: ListNotes) -> list[str]:
        return [row["text"] for row in tx.all("SELECT text FROM note ORDER BY seq")]


ADD = actors.Address("POST", "/notes", actors.service("notes", AddNote, 201))
LIST = actors.Address("GET", "/notes", actors.service("notes", ListNotes))
NOTES = actors.System(name="notes", services={"notes": Notes}, addresses=[ADD, LIST])
