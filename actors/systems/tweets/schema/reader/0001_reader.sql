-- Ids that stood in the stream, so that what X sends again is known again; kept for a while.
CREATE TABLE seen (
    tweet_id TEXT PRIMARY KEY,
    seen_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX seen_by_age ON seen (seen_us);

-- One row: how far the stream has been read, and what came of it.
CREATE TABLE progress (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    -- Everything tweeted before this is here, or is a gap below. NULL: never connected.
    read_to_us    INTEGER,
    -- When X last gave a sign of life.
    alive_us      INTEGER,
    last_tweet_id TEXT,
    connections   INTEGER NOT NULL DEFAULT 0,
    tweets        INTEGER NOT NULL DEFAULT 0,
    duplicates    INTEGER NOT NULL DEFAULT 0,
    unreadable    INTEGER NOT NULL DEFAULT 0,
    gaps          INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO progress (id) VALUES (1);

-- What was tweeted between the two may be missing, and X does not send it again.
CREATE TABLE gap (
    seq     INTEGER PRIMARY KEY,
    from_us INTEGER NOT NULL,
    to_us   INTEGER NOT NULL,
    reason  TEXT NOT NULL
) STRICT;
