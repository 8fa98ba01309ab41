-- `seq` is the order of arrival, which lists follow and cursors point into.
CREATE TABLE tweet (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    external_id TEXT UNIQUE                 -- X's own id, where the tweet comes from there
) STRICT;

CREATE INDEX tweet_by_author ON tweet (author, seq);
