-- Whose file this is: the data folder, the service, the store. In the row of the epoch, whose page
-- every write-ahead log holds: a log that belongs to another file shows itself before it is used.
ALTER TABLE epoch ADD COLUMN folder TEXT;   -- as in manifest.json; NULL until the first open there
ALTER TABLE epoch ADD COLUMN service TEXT;
ALTER TABLE epoch ADD COLUMN store TEXT;    -- as in identity

-- How old the request keys were, by their own clock, and what the wall clock said then: noted when the
-- file is opened and closed, so that they age in between.
ALTER TABLE epoch ADD COLUMN aged_us INTEGER;
ALTER TABLE epoch ADD COLUMN wall_us INTEGER;

-- A mark a file of the sender's, and not one a sender: a file that was lost, and comes back after
-- another had its place, finds what was applied of it.
ALTER TABLE inbox RENAME TO old_inbox;
CREATE TABLE inbox (
    sender TEXT NOT NULL,
    store TEXT NOT NULL,                    -- the sender's identity
    applied INTEGER NOT NULL,
    PRIMARY KEY (sender, store)
) STRICT, WITHOUT ROWID;
INSERT INTO inbox (sender, store, applied) SELECT sender, store, applied FROM old_inbox;
DROP TABLE old_inbox;
