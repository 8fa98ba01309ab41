"""The bakery as its last version was."""

from __future__ import annotations

from typing import Final

from actors import Command, Event, Service, System, Transaction, command, effect, outcome

# Seconds: beyond a commit, so that a process may end while bread cools.
COOLS_S: Final = 5.0


class PlaceOrder(Command):
    label: str


class OrderPlaced(Event):
    label: str


class Bake(Command):
    label: str


class Cool(Command):
    label: str


class Bring(Command):
    label: str


class Counter(Service):
    schema = "CREATE TABLE ordered (label TEXT PRIMARY KEY) STRICT;"

    @command
    def place(self, tx: Transaction, cmd: PlaceOrder) -> None:
        tx.execute("INSERT INTO ordered (label) VALUES (?)", cmd.label)
        tx.publish(OrderPlaced(label=cmd.label))
        tx.send("oven", Bake(label=cmd.label))


class Oven(Service):
    schema = "CREATE TABLE bread (label TEXT NOT NULL, state TEXT NOT NULL) STRICT;"

    @command
    def bake(self, tx: Transaction, cmd: Bake) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'baked')", cmd.label)
        tx.after(COOLS_S, Cool(label=cmd.label))
        tx.after(COOLS_S, Bring(label=cmd.label))

    @command
    def cool(self, tx: Transaction, cmd: Cool) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'cool')", cmd.label)

    @effect
    async def bring(self, cmd: Bring) -> str:
        return cmd.label

    @outcome(bring)
    def brought(self, tx: Transaction, _cmd: Bring, label: str) -> None:
        tx.execute("INSERT INTO bread VALUES (?, 'brought')", label)


BEFORE: Final = System(name="bakery", services={"counter": Counter, "oven": Oven})
