"""What an author gets wrong, in the smallest code that does, beside a system that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# What is wrong below is one change of this.
RIGHT: Final = '''\
"""Notes: what is written down is mailed; what nobody wants any more is forgotten."""

from pathlib import Path

import msgspec

from actors import (
    Address,
    Command,
    Dependency,
    Event,
    GaveUp,
    Group,
    Later,
    Query,
    ReadTransaction,
    Refusal,
    Remote,
    Replicas,
    Scenario,
    Section,
    Service,
    StatelessService,
    System,
    Transaction,
    command,
    effect,
    on,
    query,
    service,
)


class AddNote(Command):
    text: str


class Forget(Command):
    text: str


class FindNote(Query):
    text: str


class Noted(Event):
    text: str


class SendMail(Command):
    text: str


class MailSent(Command):
    text: str


class CountWords(Query):
    text: str


class Note(msgspec.Struct):
    text: str


class NotesConfig(Section):
    # In seconds, until a note is forgotten: a day.
    kept_s: float = 86_400.0


class Notes(Service):
    schema = "CREATE TABLE note (text TEXT NOT NULL) STRICT;"

    @command
    def add(self, tx: Transaction, cmd: AddNote) -> Note:
        tx.execute("INSERT INTO note (text) VALUES (?)", cmd.text)
        tx.publish(Noted(text=cmd.text))
        tx.after(60.0, Forget(text=cmd.text))
        return Note(text=cmd.text)

    @command
    def forget(self, tx: Transaction, cmd: Forget) -> None:
        tx.execute("DELETE FROM note WHERE text = ?", cmd.text)

    @query
    def find(self, tx: ReadTransaction, question: FindNote) -> Note | Refusal:
        row = tx.one("SELECT text FROM note WHERE text = ?", question.text)
        return Refusal.not_found("no such note") if row is None else Note(text=row["text"])


class Mails(Service):
    schema = "CREATE TABLE mail (text TEXT NOT NULL) STRICT;"

    @on(Noted)
    def noted(self, tx: Transaction, event: Noted) -> None:
        tx.run(SendMail(text=event.text))

    @effect
    async def send(self, cmd: SendMail) -> MailSent:
        return MailSent(text=cmd.text)

    @command
    def sent(self, tx: Transaction, cmd: MailSent) -> None:
        tx.execute("INSERT INTO mail (text) VALUES (?)", cmd.text)


class Words(StatelessService):
    @query
    def count(self, question: CountWords) -> int:
        return len(question.text.split())


class NotesScenario(Scenario):
    call_type = int

    def choose_call(self, choose):
        return choose(2)

    async def perform(self, client, number, call, history):
        with history.invoke(client.name, "find a note") as attempt:
            reply = await client.ask("GET", "/notes/a")
            if reply.status:
                attempt.ok(reply.status)

    def violations(self, folder, config, clock, history):
        return []


def audit(folder, config, now_us):
    return []


NOTES = System(
    name="notes",
    services={"notes": Notes, "mails": Mails, "words": Replicas(Words, 2)},
    addresses=[
        Address("POST", "/notes", service("notes", AddNote, 201)),
        Address("GET", "/notes/{text}", service("notes", FindNote)),
    ],
    config={"notes": NotesConfig},
    supervision=(Group(name="mailing", services=("notes", "mails")),),
    outside={"post": Dependency(live=lambda _: print, simulated=lambda _: print)},
    scenario=lambda: NotesScenario,
    audit=lambda: audit,
)
'''


@dataclass(frozen=True, slots=True)
class Mistake:
    """`wrong` in place of `right` in notes.py, or in own.toml, which lies over the configuration.

    `simulated` is what only `simulate` looks at.
    """

    what: str
    right: str
    wrong: str
    simulated: bool = False

    @property
    def source(self) -> str:
        """The whole of notes.py."""
        if not self.right:
            return RIGHT
        assert RIGHT.count(self.right) == 1, f"{self.right!r} stands once in notes.py"
        return RIGHT.replace(self.right, self.wrong)


FIND = "def find(self, tx: ReadTransaction, question: FindNote) -> Note | Refusal:"
QUERY = f"@query\n    {FIND}"
ADD = "def add(self, tx: Transaction, cmd: AddNote) -> Note:"
FORGET = "def forget(self, tx: Transaction, cmd: Forget) -> None:"
SENT = "def sent(self, tx: Transaction, cmd: MailSent) -> None:"
SEND = "async def send(self, cmd: SendMail) -> MailSent:"
COUNT = "def count(self, question: CountWords) -> int:"
ADD_TEXT = "class AddNote(Command):\n    text: str"
NOTE_TEXT = "class Note(msgspec.Struct):\n    text: str"
RUN = "tx.run(SendMail(text=event.text))"
PUBLISH = "tx.publish(Noted(text=cmd.text))"
AFTER = "tx.after(60.0, Forget(text=cmd.text))"
SCHEMA = 'schema = "CREATE TABLE note (text TEXT NOT NULL) STRICT;"'
GET = 'Address("GET", "/notes/{text}", service("notes", FindNote))'
POST = 'Address("POST", "/notes", service("notes", AddNote, 201))'
SERVICES = 'services={"notes": Notes, "mails": Mails, "words": Replicas(Words, 2)}'
CONFIG = 'config={"notes": NotesConfig}'
GROUP = 'Group(name="mailing", services=("notes", "mails"))'
OUTSIDE = "Dependency(live=lambda _: print, simulated=lambda _: print)"

# As an author meets them: when the file is imported, ...
AT_CLASS_TIME: Final = (
    Mistake(
        "a query that writes",
        FIND,
        "def find(self, tx: Transaction, question: FindNote) -> Note | Refusal:",
    ),
    Mistake(
        "a command that only reads",
        ADD,
        "def add(self, tx: ReadTransaction, cmd: AddNote) -> Note:",
    ),
    Mistake("a handler without types", ADD, "def add(self, tx, cmd):"),
    Mistake(
        "a handler that does not say what it replies",
        FORGET,
        "def forget(self, tx: Transaction, cmd: Forget):",
    ),
    Mistake(
        "a handler of another kind of message",
        ADD,
        "def add(self, tx: Transaction, cmd: Noted) -> Note:",
    ),
    Mistake(
        "a type that is not known",
        ADD,
        "def add(self, tx: Transaction, cmd: 'AddNotes') -> Note:",
    ),
    Mistake(
        "two handlers of one message",
        FORGET,
        "def forget(self, tx: Transaction, cmd: AddNote) -> None:",
    ),
    Mistake(
        "a handler that waits",
        ADD,
        "async def add(self, tx: Transaction, cmd: AddNote) -> Note:",
    ),
    Mistake("an effect that does not", SEND, "def send(self, cmd: SendMail) -> MailSent:"),
    Mistake(
        "an outcome that nobody handles",
        SEND,
        "async def send(self, cmd: SendMail) -> Note:",
    ),
    Mistake(
        "a limit that is none",
        f"@effect\n    {SEND}",
        f"@effect(limit_s=0)\n    {SEND}",
    ),
    Mistake(
        "waiting for an effect to give up that is none",
        "@on(Noted)\n    def noted(self, tx: Transaction, event: Noted) -> None:",
        "@on(GaveUp[Forget])\n    def noted(self, tx: Transaction, event: GaveUp[Forget]) -> None:",
    ),
    Mistake(
        "an event handler of another event",
        "def noted(self, tx: Transaction, event: Noted) -> None:",
        "def noted(self, tx: Transaction, event: Forget) -> None:",
    ),
    Mistake(
        "a field that has no form in JSON",
        ADD_TEXT,
        "class AddNote(Command):\n    text: complex",
    ),
    Mistake(
        "a field's type that is not known",
        ADD_TEXT,
        "class AddNote(Command):\n    text: 'Text'",
    ),
    Mistake(
        "a reply that has no form in JSON",
        NOTE_TEXT,
        "class Note:\n    text: str",
    ),
    Mistake(
        "a reply that cannot be told apart",
        ADD,
        "def add(self, tx: Transaction, cmd: AddNote) -> Note | AddNote:",
    ),
    Mistake(
        "a message that changes", "class AddNote(Command):", "class AddNote(Command, frozen=False):"
    ),
    Mistake(
        "a handler with a name of the runtime's",
        ADD,
        "def ask(self, tx: Transaction, cmd: AddNote) -> Note:",
    ),
    Mistake(
        "a command of a service that remembers nothing",
        f"@query\n    {COUNT}",
        f"@command\n    {COUNT}",
    ),
    Mistake(
        "an answer that a query puts off",
        FIND,
        "def find(self, tx: ReadTransaction, question: FindNote) -> Note | Later:",
    ),
    Mistake("answers that are kept for no time", QUERY, f"@query(cache_s=0)\n    {FIND}"),
    Mistake(
        "answers sorted by what a question has not",
        QUERY,
        f'@query(cache_s=60.0, by="id", forget=[Noted])\n    {FIND}',
    ),
    Mistake("answers sorted for no event", QUERY, f'@query(cache_s=60.0, by="text")\n    {FIND}'),
    Mistake(
        "answers forgotten by a command",
        QUERY,
        f"@query(cache_s=60.0, forget=[AddNote])\n    {FIND}",
    ),
    Mistake("answers forgotten and not kept", QUERY, f"@query(forget=[Noted])\n    {FIND}"),
    Mistake(
        "answers kept that are computed",
        f"@query\n    {COUNT}",
        f"@query(cache_s=60.0)\n    {COUNT}",
    ),
)
# ... when the system is looked through, before any file is made, ...
AT_BOOT: Final = (
    Mistake("a service without a schema", SCHEMA, ""),
    Mistake("a schema that is not there", SCHEMA, 'schema = Path("schema")'),
    Mistake(
        "a table that is not STRICT", SCHEMA, 'schema = "CREATE TABLE note (text TEXT NOT NULL);"'
    ),
    Mistake("wrong SQL", SCHEMA, 'schema = "CREATE TABLE note (text TEXT NOT NUL) STRICT;"'),
    Mistake(
        "a statement without its end", SCHEMA, 'schema = "CREATE TABLE note (text TEXT) STRICT"'
    ),
    Mistake(
        "a table with a name of the framework's",
        SCHEMA,
        'schema = "CREATE TABLE event (text TEXT NOT NULL) STRICT;"',
    ),
    Mistake(
        "a limit that cannot be had",
        f"@effect\n    {SEND}",
        f"@effect(limit_s=lambda self: self.limit_s)\n    {SEND}",
    ),
    Mistake("a send to nobody", RUN, 'tx.send("mailer", SendMail(text=event.text))'),
    Mistake(
        "a send of what is not handled there", RUN, 'tx.send("notes", SendMail(text=event.text))'
    ),
    Mistake("a send of a query", RUN, 'tx.send("notes", FindNote(text=event.text))'),
    Mistake(
        "a command put off that is not handled", AFTER, "tx.after(60.0, MailSent(text=cmd.text))"
    ),
    Mistake("an effect of another service", PUBLISH, "tx.run(SendMail(text=cmd.text))"),
    Mistake("a send to itself", RUN, 'tx.send("mails", SendMail(text=event.text))'),
    Mistake("a command that is published", PUBLISH, "tx.publish(Forget(text=cmd.text))"),
    Mistake(
        "answers forgotten by what never comes",
        QUERY,
        f"@query(cache_s=60.0, forget=[GaveUp[SendMail]])\n    {FIND}",
    ),
    Mistake(
        "an address to nobody", POST, 'Address("POST", "/notes", service("note", AddNote, 201))'
    ),
    Mistake(
        "an address for what is not handled there",
        POST,
        'Address("POST", "/notes", service("mails", AddNote, 201))',
    ),
    Mistake(
        "a misspelt parameter", GET, 'Address("GET", "/notes/{txt}", service("notes", FindNote))'
    ),
    Mistake(
        "two rows for one address",
        POST,
        'Address("GET", "/notes/{text}", service("notes", AddNote))',
    ),
    Mistake(
        "a location without an id",
        POST,
        'Address("POST", "/notes", service("notes", AddNote, 201, location="/notes/"))',
    ),
    Mistake(
        "addresses at a listener that nobody declares",
        f"addresses=[\n        {POST},\n        {GET},\n    ]",
        f'addresses={{"desk": [{POST}]}}',
    ),
    Mistake("a service's name that is no file's", SERVICES, 'services={"My notes": Notes}'),
    Mistake("a service that is none", SERVICES, 'services={"notes": NotesConfig}'),
    Mistake("a service that is made already", SERVICES, 'services={"notes": Notes()}'),
    Mistake(
        "replicas of a service that remembers",
        SERVICES,
        'services={"notes": Replicas(Notes, 2), "mails": Mails}',
    ),
    Mistake(
        "a remote service whose url is none",
        SERVICES,
        'services={"notes": Remote("localhost:80", {FindNote: ("GET /{text}", Note)})}',
    ),
    Mistake(
        "a route of a remote service that is none",
        SERVICES,
        'services={"notes": Remote("http://a.example", {AddNote: "/notes"})}',
    ),
    Mistake(
        "a misspelt field in such a route",
        SERVICES,
        'services={"notes": Remote("http://a.example", {AddNote: "PUT /notes/{txt}"})}',
    ),
    Mistake(
        "a query of a remote service that nothing answers",
        SERVICES,
        'services={"notes": Remote("http://a.example", {FindNote: "GET /notes/{text}"})}',
    ),
    Mistake(
        "an event for a remote service",
        SERVICES,
        'services={"notes": Remote("http://a.example", {Noted: "POST /noted"})}',
    ),
    Mistake(
        "a stand-in that lacks a handler",
        SERVICES,
        'services={"notes": Remote("http://a.example", {AddNote: "POST /notes"}, Mails)}',
    ),
    Mistake("a group of nobody", GROUP, 'Group(name="mailing", services=("notes", "mailer"))'),
    Mistake(
        "something outside that cannot be made",
        OUTSIDE,
        "Dependency(live=lambda _: print, simulated=lambda _: prin)",
    ),
    Mistake("a system's name that is none", 'name="notes"', 'name="My notes"'),
    Mistake("a section's name that is taken", CONFIG, 'config={"edge": NotesConfig}'),
    Mistake("a section that is none", CONFIG, 'config={"notes": Note}'),
    Mistake("a key that is not there", "", "[notes]\nkept = 1.0"),
    Mistake("a key's value of another type", "", '[notes]\nkept_s = "a day"'),
    Mistake("a section that is not there", "", "[note]\nkept_s = 1.0"),
    Mistake("a value in place of a section", "", "notes = 1"),
    Mistake("no system", "NOTES = System(\n", "NOTES = dict(\n"),
)
# ... and when it is rehearsed.
AT_REHEARSAL: Final = (
    Mistake(
        "a remote service that nothing stands in for",
        '"words": Replicas(Words, 2)}',
        '"words": Remote("http://a.example", {CountWords: ("GET /words/{text}", int)})}',
        simulated=True,
    ),
    Mistake(
        "a scenario that is not handed out",
        "scenario=lambda: NotesScenario",
        "scenario=NotesScenario",
        simulated=True,
    ),
    Mistake(
        "a scenario without its clients",
        "    async def perform(self, client, number, call, history):",
        "    async def performs(self, client, number, call, history):",
        simulated=True,
    ),
    Mistake(
        "an audit that is not handed out", "audit=lambda: audit", "audit=audit", simulated=True
    ),
)
EVERY: Final = (
    ("When the file is imported", AT_CLASS_TIME),
    ("When the system is looked through, before any file is made", AT_BOOT),
    ("When it is rehearsed", AT_REHEARSAL),
)
