CREATE TABLE entry (seq INTEGER PRIMARY KEY, label TEXT NOT NULL) STRICT;

-- Of services that number what they send: how much that is, and what came from whom.
CREATE TABLE sent (receiver TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    number INTEGER NOT NULL,
    token INTEGER NOT NULL,
    hop INTEGER NOT NULL
) STRICT;
