-- `seq` is the order of writing, which lists follow and cursors point into.
CREATE TABLE mail (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    booking_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('booking_confirmed', 'booking_cancelled')),
    created_us INTEGER NOT NULL,            -- microseconds since the epoch
    UNIQUE (booking_id, kind)               -- no mail twice
) STRICT;

CREATE INDEX mail_by_customer ON mail (customer_id, seq);
