-- One row: how many tweets it was told of, has looked at again, and has announced.
CREATE TABLE tally (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    counted INTEGER NOT NULL DEFAULT 0,
    reviewed INTEGER NOT NULL DEFAULT 0,
    announced INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO tally (id) VALUES (1);
