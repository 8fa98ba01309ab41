-- The first version of a tweet that was edited; null where this is the first one.
ALTER TABLE tweet ADD COLUMN edit_of INTEGER REFERENCES tweet (id);

CREATE INDEX tweet_by_first_version ON tweet (edit_of, id) WHERE edit_of IS NOT NULL;
