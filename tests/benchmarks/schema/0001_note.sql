-- What the source has sent, and in a file of its own what the sink has been sent.
CREATE TABLE note (
    seq INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;
