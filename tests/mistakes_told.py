"""What is said of each mistake, word for word: docs/MISTAKES.md is written from it."""

from __future__ import annotations

from typing import Final

# By what is wrong. The lines are those of notes.py with the mistake in it.
TOLD: Final = {
    "a query that writes": (
        "notes.py cannot be imported: TypeError: Notes.find is a @query and takes a "
        "Transaction, and a query only reads: write `tx: ReadTransaction`, or make it a "
        "@command; mend notes.py, line 85"
    ),
    "a command that only reads": (
        "notes.py cannot be imported: TypeError: Notes.add is a @command and takes a "
        "ReadTransaction, with which it could change nothing: write `tx: Transaction`, or "
        "make it a @query; mend notes.py, line 74"
    ),
    "a handler without types": (
        "notes.py cannot be imported: TypeError: Notes.add must be typed (self, tx: "
        "Transaction, message: SomeCommand) -> Reply | Refusal | Later; mend notes.py, line "
        "74"
    ),
    "a handler that does not say what it replies": (
        "notes.py cannot be imported: TypeError: Notes.forget does not say what it returns: "
        "it must be typed (self, tx: Transaction, message: SomeCommand) -> Reply | Refusal | "
        "Later; mend notes.py, line 81"
    ),
    "a handler of another kind of message": (
        "notes.py cannot be imported: TypeError: Notes.add is a @command, and Noted is no "
        "Command: it must be typed (self, tx: Transaction, message: SomeCommand) -> Reply | "
        "Refusal | Later; mend notes.py, line 74"
    ),
    "a type that is not known": (
        "notes.py cannot be imported: TypeError: Notes.add: name 'AddNotes' is not defined; "
        "types are read at run time: define or import it, and not for the type checker "
        "alone; mend notes.py, line 74"
    ),
    "two handlers of one message": (
        "notes.py cannot be imported: TypeError: Notes.forget and Notes.add both handle "
        "AddNote: keep one of them; mend notes.py, line 81"
    ),
    "a handler that waits": (
        "notes.py cannot be imported: TypeError: Notes.add: handlers never await: write it "
        "as `def`, and what has to wait as an @effect; mend notes.py, line 74"
    ),
    "an effect that does not": (
        "notes.py cannot be imported: TypeError: Mails.send: write an @effect as `async "
        "def`, for it waits for somebody else; mend notes.py, line 98"
    ),
    "an outcome that nobody handles": (
        "notes.py cannot be imported: TypeError: Mails.send ends in Note, which is no "
        "@command of Mails: handle it by a method with @outcome(send); mend notes.py, line 98"
    ),
    "a limit that is none": (
        "notes.py cannot be imported: TypeError: Mails.send: @effect(limit_s=…) is 0: "
        "Expected `float` > 0.0; mend notes.py, line 98"
    ),
    "waiting for an effect to give up that is none": (
        "notes.py cannot be imported: TypeError: Mails.noted is @on(GaveUp[Forget]), and "
        "Mails has no @effect for Forget: write one, or leave this out; mend notes.py, line "
        "94"
    ),
    "an event handler of another event": (
        "notes.py cannot be imported: TypeError: Mails.noted is an @on, and Forget is no "
        "Event: it must be typed (self, tx: Transaction, event: SomeEvent) -> None; mend "
        "notes.py, line 94"
    ),
    "a field that has no form in JSON": (
        "notes.py cannot be imported: TypeError: Notes.add: its message AddNote has no form "
        "in JSON: AddNote.text is a complex; use str, int, float, bool, bytes, a date or a "
        "time, a Decimal, an Enum, a list, a dict, or a msgspec.Struct of these; mend "
        "notes.py, line 74"
    ),
    "a field's type that is not known": (
        "notes.py cannot be imported: TypeError: Notes.add: its message AddNote has a type "
        "that is not known: name 'Text' is not defined; types are read at run time: define "
        "or import it, and not for the type checker alone; mend notes.py, line 74"
    ),
    "a reply that has no form in JSON": (
        "notes.py cannot be imported: TypeError: Notes.add: its reply has no form in JSON: "
        "it is a Note; use str, int, float, bool, bytes, a date or a time, a Decimal, an "
        "Enum, a list, a dict, or a msgspec.Struct of these; mend notes.py, line 74"
    ),
    "a reply that cannot be told apart": (
        "notes.py cannot be imported: TypeError: Notes.add: its reply could be stored, and "
        "not read back: If a type union contains multiple Struct types, all Struct types "
        "must be tagged (via `tag` or `tag_field` kwarg) - type `typing.Union[notes.Note, "
        "notes.AddNote]` is not supported; mend notes.py, line 74"
    ),
    "a message that changes": (
        "notes.py cannot be imported: TypeError: AddNote: it never changes: leave out "
        "frozen=False; mend notes.py, line 34"
    ),
    "a handler with a name of the runtime's": (
        "notes.py cannot be imported: TypeError: Notes: ask and run are no handlers' names: "
        "call it otherwise; mend notes.py, line 74"
    ),
    "a command of a service that remembers nothing": (
        "notes.py cannot be imported: TypeError: Words.count is @command, and a stateless "
        "service could lose what it is sent: it answers queries only. Make it a @query that "
        "others ask from an @effect, or a Service; mend notes.py, line 108"
    ),
    "an answer that a query puts off": (
        "notes.py cannot be imported: TypeError: Notes.find returns Later: only a @command "
        "may, and it says what its reply will be; mend notes.py, line 85"
    ),
    "answers that are kept for no time": (
        "notes.py cannot be imported: TypeError: Notes.find: @query(cache_s=…) is 0: Expected "
        "`float` > 0.0; mend notes.py, line 85"
    ),
    "answers sorted by what a question has not": (
        "notes.py cannot be imported: TypeError: Notes.find: @query(by='id'): FindNote has no "
        "such field, but text; mend notes.py, line 85"
    ),
    "answers sorted for no event": (
        "notes.py cannot be imported: TypeError: Notes.find: @query(by='text') says which "
        "answers an event is about: say which events, by forget=[SomeEvent]; mend notes.py, line 85"
    ),
    "answers forgotten by a command": (
        "notes.py cannot be imported: TypeError: Notes.find: @query(forget=…) is a list of "
        "events, as in forget=[RoomHeld]; mend notes.py, line 85"
    ),
    "answers forgotten and not kept": (
        "notes.py cannot be imported: TypeError: Notes.find: @query(by=…, forget=…) are of "
        "what is kept: say cache_s=…, too; mend notes.py, line 85"
    ),
    "answers kept that are computed": (
        "notes.py cannot be imported: TypeError: Words.count is @query(cache_s=…), which is for "
        "answers that are read from a file: a stateless service computes them, and may remember "
        "them itself, by functools.lru_cache; mend notes.py, line 108"
    ),
    "a service without a schema": (
        "notes: service 'notes': Notes has no `schema`: write its tables' SQL there, or the "
        'Path of a .sql file or of a folder of them; "" if it has no table'
    ),
    "a schema that is not there": (
        "notes: Notes: cannot read the migrations in schema: [Errno 2] No such file or "
        "directory: 'schema'; a schema is SQL itself, or the Path of a .sql file or of a "
        "folder of them"
    ),
    "a table that is not STRICT": (
        "notes: Notes: schema: table note is not STRICT; add STRICT after its columns"
    ),
    "wrong SQL": (
        'notes: Notes: schema:1: near "NUL": syntax error in `CREATE TABLE note (text TEXT '
        "NOT NUL) STRICT;`; nothing was applied"
    ),
    "a statement without its end": (
        "notes: Notes: schema (a str is SQL itself):1: no semicolon ends this; or is a quote "
        "or a comment left open?"
    ),
    "a table with a name of the framework's": (
        "notes: Notes: schema: `event` is the framework's: call yours otherwise"
    ),
    "a limit that cannot be had": (
        "notes: Mails.send: its @effect(limit_s=…) raised AttributeError: 'Mails' object has "
        "no attribute 'limit_s' (notes.py, line 98)"
    ),
    "a send to nobody": (
        "these lines would send what nobody takes:\n  notes: mails sends SendMail to "
        "'mailer', and no service is called so: there are notes, mails, words (notes.py, "
        "line 96)"
    ),
    "a send of what is not handled there": (
        "these lines would send what nobody takes:\n  notes: mails sends SendMail to notes, "
        "which has no handler for it: write a @command for it there (notes.py, line 96)"
    ),
    "a send of a query": (
        "these lines would send what nobody takes:\n  notes: mails sends FindNote to notes, "
        "which answers it as a query: ask it, such as from an @effect (notes.py, line 96)"
    ),
    "a command put off that is not handled": (
        "these lines would send what nobody takes:\n  notes: notes puts off MailSent, and has "
        "no handler for it: write a @command for it there (notes.py, line 78)"
    ),
    "an effect of another service": (
        "these lines would send what nobody takes:\n  notes: notes runs SendMail, and has no "
        "@effect for it: write tx.run(...) for an @effect, tx.after(0.0, ...) for a "
        "@command, tx.send(...) for another service's (notes.py, line 77)"
    ),
    "a send to itself": (
        "these lines would send what nobody takes:\n  notes: mails sends SendMail to itself: "
        "write tx.run(...) for an @effect, tx.after(0.0, ...) for a @command (notes.py, line "
        "96)"
    ),
    "a command that is published": (
        "these lines would send what nobody takes:\n  notes: notes publishes Forget, which is "
        "no Event: send it to a service (notes.py, line 77)"
    ),
    "answers forgotten by what never comes": (
        "these answers would be kept too long:\n  notes: notes forgets the answers of find by "
        "GaveUp[SendMail], which it neither publishes nor hears: name what it does, or write an "
        "@on for it"
    ),
    "an address to nobody": (
        "these addresses cannot be served:\n  gateway POST /notes: no service is called "
        "'note'; there are notes, mails, words"
    ),
    "an address for what is not handled there": (
        "these addresses cannot be served:\n  gateway POST /notes: mails has no handler for "
        "AddNote: write one, or name whose it is"
    ),
    "a misspelt parameter": (
        "these addresses cannot be served:\n  gateway GET /notes/{txt}: FindNote has no field "
        "txt, but text"
    ),
    "two rows for one address": (
        "these addresses cannot be served:\n  gateway GET /notes/{text}: two rows are for one "
        "address: keep one"
    ),
    "a location without an id": (
        "these addresses cannot be served:\n  gateway POST /notes: the reply to AddNote, "
        "Note, has no id: give it that field"
    ),
    "addresses at a listener that nobody declares": (
        "notes: it has addresses at desk, which no system declares: add a "
        "ListenerSpec('desk', PORT) to its listeners, or give them to gateway"
    ),
    "a service's name that is no file's": (
        "notes: 'My notes' can be no service: call it with a-z, 0-9 and _, a letter first, "
        "and not root"
    ),
    "a service that is none": (
        "notes: service 'notes': NotesConfig is neither a Service nor a StatelessService: "
        "give the class of one, or a function that returns one"
    ),
    "a service that is made already": (
        "notes: service 'notes' is a Notes that is made already: give what makes it, such as "
        "its class, for each of its lives has one of its own"
    ),
    "replicas of a service that remembers": (
        "notes: service 'notes': Notes has a store, which has one writer and so one replica; "
        "make it a StatelessService, or give its factory without Replicas"
    ),
    "a remote service whose url is none": (
        "notes: service 'notes': 'localhost:80' is no url: write it whole, as http://127.0.0.1:8080"
    ),
    "a route of a remote service that is none": (
        "notes: service 'notes': AddNote goes to '/notes': write a method and a path, as "
        '"GET /stock/{sku}"'
    ),
    "a misspelt field in such a route": (
        "notes: service 'notes': AddNote goes to PUT /notes/{txt}, and has no field txt, but text"
    ),
    "a query of a remote service that nothing answers": (
        "notes: service 'notes': FindNote is a Query, and nothing says what answers it: write "
        '("GET /notes/{text}", SomeReply)'
    ),
    "an event for a remote service": (
        "notes: service 'notes': Noted is no Command and no Query: these alone are asked and sent"
    ),
    "a stand-in that lacks a handler": (
        "notes: service 'notes': its stand-in Mails has no @command for AddNote, which the remote "
        "one takes: write it"
    ),
    "a group of nobody": (
        "notes: group mailing: there is no service 'mailer' to supervise: name some of "
        "notes, mails, words"
    ),
    "something outside that cannot be made": (
        "notes: its outside 'post', simulated, which is made to look at the system too and must "
        "touch nothing, raised NameError: name 'prin' is not defined "
        "(notes.py, line 142)"
    ),
    "a system's name that is none": (
        "notes.py cannot be imported: ConfigError: 'My notes' can be no system: call it with "
        "a-z, 0-9 and _, a letter first; mend notes.py, line 133"
    ),
    "a section's name that is taken": (
        "notes: the framework has a section 'edge' already: rename this one"
    ),
    "a section that is none": (
        "notes: section notes is no subclass of Section: give a class, as in `class "
        "MyConfig(Section)`"
    ),
    "a key that is not there": (
        "configuration: [notes] has no key 'kept'; it has kept_s, and NotesConfig in "
        "notes.py says what each is"
    ),
    "a key's value of another type": (
        "configuration: notes.kept_s: Expected float, got str; set it under [notes], or by "
        "--set notes.kept_s=..., and NotesConfig in notes.py says what each is"
    ),
    "a section that is not there": (
        "configuration: no system that is booted has a section 'note'; there are runtime, "
        "log, mailbox, supervisor, service, store, cache, backup, channel, timer, background, "
        "effect, breaker, remote, trace, faults, edge, notes"
    ),
    "a value in place of a section": (
        "configuration: notes is a table, and no value: set its keys, such as notes.kept_s"
    ),
    "no system": ("notes.py declares no System: put one there, as in SHOP = System(...)"),
    "a remote service that nothing stands in for": (
        "notes: service 'words' is a process of its own, which no simulation runs: say what plays "
        "it, Remote(..., stand_in=SomeService)"
    ),
    "a scenario that is not handed out": (
        "notes: its scenario is a function that returns a subclass of Scenario, as in "
        "scenario=lambda: MyScenario; what it returns is a NotesScenario"
    ),
    "a scenario without its clients": (
        "notes: NotesScenario has no perform, which says how a client does it"
    ),
    "an audit that is not handed out": (
        "notes: its audit is a function that returns another, of folder, config and time, as "
        "in audit=lambda: audit; it is that other one itself"
    ),
}
