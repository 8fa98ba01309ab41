-- How many batches have answered requests without a client's key: each counts itself in its own
-- transaction, so that a process knows of its last one whether it was committed, and needs no row of
-- edge_key but for a request whose answer was put off.
ALTER TABLE epoch ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;
