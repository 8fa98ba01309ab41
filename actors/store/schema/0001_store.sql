-- What the store itself remembers, beside its service's own tables and in the same transactions.

-- Fencing. Each incarnation adds one when it opens the store and compares inside each transaction,
-- so that a dead incarnation's work, still running in a thread, can never commit.
CREATE TABLE epoch (
    id INTEGER PRIMARY KEY CHECK (id = 1),  -- exactly one row
    value INTEGER NOT NULL
) STRICT;

INSERT INTO epoch (id, value) VALUES (1, 0);

-- Requests whose key the client chose (Idempotency-Key). A retry gets the stored reply; the same
-- key with another body is refused. Kept for client_keys_kept_s, pruned from the lowest seq up.
CREATE TABLE client_key (
    seq INTEGER PRIMARY KEY,                -- order of arrival
    key TEXT NOT NULL UNIQUE,
    fingerprint BLOB NOT NULL,              -- digest of the request's body
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),  -- whether reply is a Refusal
    reply BLOB NOT NULL,                    -- encoded
    at_us INTEGER NOT NULL                  -- microseconds since the epoch
) STRICT;

-- Requests without a key of the client's, by their number in the mailbox. Only the runtime
-- redelivers these, within one process and always with the same body: no fingerprint, emptied at
-- the process's first open, and kept for edge_keys_kept_s only. A table of its own, so that pruning
-- either kind reads no row of the other.
CREATE TABLE edge_key (
    seq INTEGER PRIMARY KEY,
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
    reply BLOB NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;

-- Messages that crashed their handler attempts_max times, with the reason; an operator can
-- list them. At most dead_letters_max rows: beyond it the lowest seq goes.
CREATE TABLE dead_letter (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    message_type TEXT NOT NULL,
    message BLOB NOT NULL,                  -- encoded, as it was in the mailbox
    request_key TEXT,                       -- NULL if the sender gave none
    attempts INTEGER NOT NULL,
    reason TEXT NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;
