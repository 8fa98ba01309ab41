-- `seq` is the order of making, which lists follow and cursors point into.
CREATE TABLE flag (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tweet_id TEXT NOT NULL UNIQUE,          -- no tweet is flagged twice
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    score REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'assigned', 'resolved')),
    assignee TEXT,
    note TEXT
) STRICT;

CREATE INDEX flag_by_status ON flag (status, seq);
