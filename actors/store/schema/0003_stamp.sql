-- Whose file this is: the data folder, the service, the store. In the row of the epoch, whose page
-- every write-ahead log holds: a log that belongs to another file shows itself before it is used.
ALTER TABLE epoch ADD COLUMN folder TEXT;   -- as in manifest.json; NULL until the first open there
ALTER TABLE epoch ADD COLUMN service TEXT;
ALTER TABLE epoch ADD COLUMN store TEXT;    -- as in identity
