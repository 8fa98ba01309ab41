-- What the desks of tests/service/desks.py have done, in order.
CREATE TABLE entry (
    seq INTEGER PRIMARY KEY,
    label TEXT NOT NULL,
    at_us INTEGER NOT NULL  -- the transaction's time, in microseconds since the epoch
) STRICT;
