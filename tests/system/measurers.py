"""A system of two: one that remembers nothing, in four replicas, and one that keeps notes."""

from __future__ import annotations

from actors import (
    Address,
    Command,
    Query,
    Replicas,
    Service,
    StatelessService,
    System,
    Transaction,
    command,
    query,
    service,
)


class Measure(Query):
    text: str


class Note(Command):
    text: str


class Measurer(StatelessService):
    @query
    def measure(self, question: Measure) -> int:
        return len(question.text)


class Notes(Service):
    schema = "CREATE TABLE note (text TEXT NOT NULL) STRICT;"

    @command
    def note(self, tx: Transaction, cmd: Note) -> int:
        tx.execute("INSERT INTO note VALUES (?)", cmd.text)
        return len(cmd.text)


MEASURERS = System(
    name="measurers",
    services={"measurer": Replicas(Measurer, 4), "notes": Notes},
    addresses=[
        Address("GET", "/length/{text}", service("measurer", Measure)),
        Address("POST", "/notes", service("notes", Note, 201)),
    ],
)
