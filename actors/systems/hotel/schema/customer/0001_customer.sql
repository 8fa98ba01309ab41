-- `seq` is the order of creation, which lists follow and cursors point into.
CREATE TABLE customer (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    email TEXT NOT NULL
) STRICT;
