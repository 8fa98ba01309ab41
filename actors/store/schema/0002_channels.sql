-- What leaves with a commit, and what arrived once: both ends of the channels, timers, answers due.

-- Which file this is. A receiver's mark is for one sender's file: a new file numbers from 1 again.
CREATE TABLE identity (
    id INTEGER PRIMARY KEY CHECK (id = 1),  -- exactly one row, made at the first open
    store TEXT NOT NULL                     -- UUID
) STRICT;

-- The sender's end: the number given last to each receiver, and under '' the last timer's.
CREATE TABLE channel (
    receiver TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages on their way, numbered per receiver without gaps. A row goes once its receiver has
-- applied it and the sender commits again.
CREATE TABLE outbox (
    receiver TEXT NOT NULL,
    number INTEGER NOT NULL,
    message_type TEXT NOT NULL,
    message BLOB NOT NULL,                  -- JSON
    trace TEXT,                             -- the request id it was caused by
    at_us INTEGER NOT NULL,                 -- microseconds since the epoch
    PRIMARY KEY (receiver, number)
) STRICT, WITHOUT ROWID;

-- The receiver's end: the highest number applied of each sender. Duplicates are what is not above.
CREATE TABLE inbox (
    sender TEXT PRIMARY KEY,
    store TEXT NOT NULL,                    -- the sender's identity
    applied INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events published here, for subscribers yet to come. At most events_kept_max: the lowest seq goes.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    message_type TEXT NOT NULL,
    message BLOB NOT NULL,
    trace TEXT,
    at_us INTEGER NOT NULL
) STRICT;

-- Who has been sent which events so far: all of them while left_at is NULL, else those up to there.
CREATE TABLE subscription (
    subscriber TEXT NOT NULL,
    event_type TEXT NOT NULL,
    left_at INTEGER,                        -- event.seq when the program had it no longer
    PRIMARY KEY (subscriber, event_type)
) STRICT, WITHOUT ROWID;

-- Messages to the service itself, due at a time; effects to run are due at once. A row goes in the
-- transaction that applies the message, or the effect's outcome.
CREATE TABLE timer (
    seq INTEGER PRIMARY KEY,                -- never given twice, see channel
    due_us INTEGER NOT NULL,
    message_type TEXT NOT NULL,
    message BLOB NOT NULL,
    trace TEXT
) STRICT;

CREATE INDEX timer_due ON timer (due_us, seq);

-- Requests whose answer was put off. Under their key stands meanwhile what is known so far.
CREATE TABLE later (
    request TEXT PRIMARY KEY,
    client_key TEXT,
    edge_seq INTEGER                        -- of this process only
) STRICT, WITHOUT ROWID;

CREATE INDEX later_by_client_key ON later (client_key) WHERE client_key IS NOT NULL;
CREATE INDEX later_by_edge_seq ON later (edge_seq) WHERE edge_seq IS NOT NULL;

-- To run it again as what it was: the channel it came by, and the request it was caused by.
ALTER TABLE dead_letter ADD COLUMN sender TEXT;
ALTER TABLE dead_letter ADD COLUMN trace TEXT;
