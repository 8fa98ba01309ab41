-- Of how many shards the file is one, and by which key its rows are there; its number is in the name
-- of the service. NULL where the service has one file.
ALTER TABLE epoch ADD COLUMN shard_key TEXT;
ALTER TABLE epoch ADD COLUMN shards INTEGER;
