-- `seq` is the order of making, which lists follow and cursors point into.
CREATE TABLE action (
    seq INTEGER PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,       -- X's id of the tweet: nothing is done to it twice
    tweet_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'done', 'refused', 'failed', 'dry_run')),
    text TEXT,                              -- of a reply
    reply_id TEXT,                          -- X's id of a reply, where X has said it
    detail TEXT                             -- why it was refused, or has failed so far
) STRICT;

CREATE INDEX action_by_status ON action (status, seq);
