"""Replies kept under their request's key, so that a second delivery gets the first one's reply."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from actors.errors import ReplyUnreadable
from actors.kernel.messages import Refusal, stored_names
from actors.store.messaging.many_rows import ManyRows
from actors.store.participant import Participant, nothing

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from actors.config import StoreConfig
    from actors.kernel.clock import Clock
    from actors.kernel.envelope import Envelope
    from actors.store.messaging.output import Output
    from actors.store.messaging.untold_replies import UntoldReply
    from actors.store.store import BoundHandler, StoreSpec

FIND_CLIENT = "SELECT fingerprint, refused, reply FROM client_key WHERE key = ?"
FIND_EDGE = "SELECT refused, reply FROM edge_key WHERE seq = ?"
KEEP_CLIENTS = ManyRows(
    "INSERT INTO client_key (key, fingerprint, refused, reply, at_us) VALUES (?, ?, ?, ?, ?)"
)
KEEP_EDGE = "INSERT OR REPLACE INTO edge_key (seq, refused, reply, at_us) VALUES (?, ?, ?, ?)"
FORGET_EDGE = "DELETE FROM edge_key"
BATCH = "SELECT value, batch FROM epoch"
MOVE_BATCH = "UPDATE epoch SET batch = ?"
# The rows stand in order of time, so that the expired ones are found without an index on it.
PRUNE = (
    "DELETE FROM {table} WHERE seq IN (SELECT seq FROM {table} ORDER BY seq LIMIT :rows)"
    " AND at_us < :expired_us"
)
EARLIEST = "SELECT at_us FROM {table} ORDER BY seq LIMIT 1"
# What claims to be from later is of an earlier version, which asked a wall clock that was ahead: it
# may be of just now, and would bar the way to all behind it until its date.
DATE_ANEW = "UPDATE {table} SET at_us = :now_us WHERE at_us > :now_us"
TABLES = ("client_key", "edge_key")
AGE = "SELECT aged_us, wall_us FROM epoch"
KEEP_AGE = "UPDATE epoch SET aged_us = ?, wall_us = ?"
LATEST = "SELECT at_us FROM {table} ORDER BY seq DESC LIMIT 1"

# What a client calls its key; a refusal names the field that is to blame.
KEY_FIELD = "Idempotency-Key"

encode = msgspec.json.Encoder().encode
_decode_refusal = msgspec.json.Decoder(Refusal).decode
MISSING = object()


def fingerprint(message: Any) -> bytes:
    """Digest the message, its type included: equal requests, equal digests."""
    return _digest(type(message).__name__, encode(message))


def is_of(digest: bytes, message: Any) -> bool:
    """Whether the digest is of this request, as this program or one before it has read it.

    Since then its type may have got another name, and fields at its end, which have their defaults.
    """
    if digest == fingerprint(message):
        return True
    names = stored_names(type(message))
    fields = list(msgspec.structs.fields(message))
    while True:
        values = {each.encode_name: getattr(message, each.name) for each in fields}
        blob = encode({name: each for name, each in values.items() if each is not msgspec.UNSET})
        if any(digest == _digest(name, blob) for name in names):
            return True
        if not fields or not _has_default(message, fields.pop()):
            return False


def _has_default(message: Any, field: msgspec.structs.FieldInfo) -> bool:
    default = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        default = field.default_factory()
    return bool(getattr(message, field.name) == default)


def _digest(name: str, blob: bytes) -> bytes:
    digest = hashlib.blake2b(name.encode(), digest_size=16)
    digest.update(blob)
    return digest.digest()


def is_corrigible(reply: Any) -> bool:
    """Whether it is a no that leaves the request's key free: nothing was done, and never would be.

    Whoever corrects what is `invalid` sends the same wish again, under the same key. What the state
    forbids (`not_found`, `conflict`) might be done by a second delivery after its sender was told
    that it was not, and went another way: that answer is remembered like a yes.
    """
    return reply.__class__ is Refusal and reply.kind == "invalid"


class Age:
    """How old a file's keys are, by a clock that nobody sets while the file is open.

    The wall clock may be years ahead or behind, and then be put right: by it, a key of a minute ago
    would be forgotten, or none ever again. So `at_us` of a key is what this says: it goes by the
    monotonic clock. Only from one opening to the next, where nothing else is known, it goes by the
    wall clock, and never back.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock, *, closed_us_max: int) -> None:
        """Go on from what the file says; nobody else writes.

        No time between two openings counts for more than `closed_us_max`, or one boot on a clock
        that is ahead would forget every key.
        """
        self._connection = connection
        self._clock = clock
        rows = [connection.execute(LATEST.format(table=each)).fetchone() for each in TABLES]
        aged_us = max((row[0] for row in rows if row is not None), default=0)
        wall_us = clock.now_us()
        noted = connection.execute(AGE).fetchone()
        if noted[0] is None:
            # Not the future: there are files whose latest key is of a wall clock that was ahead.
            aged_us = min(aged_us, wall_us)
        else:
            closed_us = min(max(0, wall_us - noted[1]), closed_us_max)
            aged_us = max(aged_us, noted[0] + closed_us)
        self._begun_us = aged_us - int(clock.monotonic() * 1_000_000)

    def now_us(self) -> int:
        """Microseconds; of use only beside those of the same file."""
        return self._begun_us + int(self._clock.monotonic() * 1_000_000)

    def note(self) -> None:
        """Write it down for the next opening, in an open transaction or in one of its own."""
        self._connection.execute(KEEP_AGE, (self.now_us(), self._clock.now_us()))


class RequestKeys(Participant):
    """The keys of one connection's transactions. What `find` and `keep` do commits with them.

    A request without a client's key needs a row only where its answer was put off.
    """

    def __init__(
        self, connection: sqlite3.Connection, spec: StoreSpec, config: StoreConfig, clock: Clock
    ) -> None:
        """Work on the writer connection."""
        self._connection = connection
        self._last_epoch = spec.last_epoch
        self._untold = spec.untold
        self._config = config
        self._clock = clock
        self._age: Age
        self._client_rows: dict[str, tuple[str, bytes, bool, bytes, int]] = {}
        self._edge_rows: list[tuple[int, bool, bytes, int]] = []
        self._replies: dict[int, UntoldReply] = {}
        # Those of the last batch that were answered, until that is noted; and the batch at hand.
        self._told: Sequence[Envelope] = ()
        self._batch: Sequence[Envelope] = ()
        # A new incarnation prunes with its first write: on a quiet service few live to the count.
        self._since_prune = config.prune_rows_max

    def opened(self) -> None:
        """Go on from where the keys were."""
        closed_us_max = int(self._config.client_keys_kept_s / 2 * 1_000_000)
        self._age = Age(self._connection, self._clock, closed_us_max=closed_us_max)
        self._age.note()

    def end(self) -> None:
        """The file is closed in order."""
        self._age.note()

    def comes(self, batch: Sequence[Envelope], *, told: Sequence[Envelope]) -> None:
        """The next batch is at hand, so that those of the last were `told` their outcomes."""
        if self._told:  # the last had no transaction, which would have noted those before it
            told = [*self._told, *(each for each in told if each.started)]
        self._batch, self._told = batch, told

    def begin(self, _: int) -> None:
        """Forget what has reached whom it was for."""
        if self._told:
            self._untold.told(self._told, self._batch, self._clock.monotonic())
            self._told = ()

    def find(self, envelope: Envelope, handler: BoundHandler) -> Any:
        """Return an earlier delivery's reply, a Refusal for a misused key, or MISSING.

        To be asked of what `may_be_known` alone: without a key, of what was redelivered.
        ReplyUnreadable, as a value, where other code has replied what this cannot read.
        """
        key = envelope.key
        if key is None:
            return self._find_redelivered(envelope, handler)
        pending = self._client_rows.get(key)
        if pending is not None:
            _, digest, refused, reply, _ = pending
        else:
            try:
                row = self._connection.execute(FIND_CLIENT, (key,)).fetchone()
            except UnicodeEncodeError:
                return Refusal.invalid("this key is not valid text", field=KEY_FIELD)
            if row is None:
                return MISSING
            digest, refused, reply = row
        if not is_of(digest, envelope.message):
            return Refusal.invalid(
                "this key was used for another request; take a new key for each request",
                field=KEY_FIELD,
            )
        return _decode(refused, reply, handler)

    def keep(self, envelope: Envelope, reply: Any, *, deferred: bool = False) -> None:
        """Remember the reply, with the transaction; `deferred` where it is what there is so far.

        Raises what msgspec does where it cannot be encoded.
        """
        refused = reply.__class__ is Refusal
        blob = encode(reply)
        if envelope.key is None and not deferred:
            self._replies[envelope.seq] = (reply, envelope.deadline)
            return
        now_us = self._age.now_us()
        if envelope.key is None:
            self._edge_rows.append((envelope.seq, refused, blob, now_us))
        else:
            digest = fingerprint(envelope.message)
            self._client_rows[envelope.key] = (envelope.key, digest, refused, blob, now_us)

    def before_commit(self, _: Output) -> None:
        """Write what was kept; now and then, remove expired rows: more than were written since."""
        if self._replies:
            self._connection.execute(MOVE_BATCH, (self._untold.hold(self._replies),))
            self._replies = {}
        if self._edge_rows:
            self._connection.executemany(KEEP_EDGE, self._edge_rows)
            self._since_prune += len(self._edge_rows)
            self._edge_rows.clear()
        if self._client_rows:
            KEEP_CLIENTS.insert(self._connection, list(self._client_rows.values()))
            self._since_prune += len(self._client_rows)
            self._client_rows.clear()
        limit = self._config.prune_rows_max
        if self._since_prune * 2 >= limit:  # prune twice what is added: pruning keeps up
            self._since_prune = 0
            self._prune("edge_key", self._config.edge_keys_kept_s)
            self._prune("client_key", self._config.client_keys_kept_s)

    def rolled_back(self) -> None:
        """Forget what was not done."""
        self._replies = {}
        self._edge_rows.clear()
        self._client_rows.clear()

    # A refusal is remembered like a yes, and where a command crashes there is nothing to keep.
    savepoint = savepoint_undone = committed = nothing

    # --- Inside ------------------------------------------------------------------------------

    def _find_redelivered(self, envelope: Envelope, handler: BoundHandler) -> Any:
        epoch, batch = self._connection.execute(BATCH).fetchone()
        found = self._untold.find(envelope.seq, batch)
        if found is not None and not self._last_epoch.was_interrupted(epoch):
            return found[0]
        if not handler.defers:
            return MISSING
        row = self._connection.execute(FIND_EDGE, (envelope.seq,)).fetchone()
        return MISSING if row is None else _decode(row["refused"], row["reply"], handler)

    def _prune(self, table: str, kept_s: float) -> None:
        now_us = self._age.now_us()
        earliest = self._connection.execute(EARLIEST.format(table=table)).fetchone()
        if earliest is not None and earliest[0] > now_us:
            self._connection.execute(DATE_ANEW.format(table=table), {"now_us": now_us})
        limits = {
            "rows": self._config.prune_rows_max,
            "expired_us": now_us - int(kept_s * 1_000_000),
        }
        self._connection.execute(PRUNE.format(table=table), limits)


def _decode(refused: int, reply: bytes, handler: BoundHandler) -> Any:
    try:
        return _decode_refusal(reply) if refused else handler.reply.decode(reply)
    except Exception as error:  # noqa: BLE001 - a reply's own __post_init__, too
        return ReplyUnreadable(f"this was done before; its answer is of another version: {error}")
