-- `seq` is the order of creation, which lists follow and cursors point into.
CREATE TABLE room (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    rate_amount INTEGER NOT NULL CHECK (rate_amount >= 0),  -- minor units a night
    rate_currency TEXT NOT NULL,
    number TEXT,
    status TEXT NOT NULL
) STRICT;

CREATE INDEX room_by_type ON room (type, seq);
