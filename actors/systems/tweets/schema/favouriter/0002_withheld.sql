-- A status more, which the old table's CHECK forbids: it is made anew.
CREATE TABLE action_anew (
    seq INTEGER PRIMARY KEY,
    external_id TEXT NOT NULL UNIQUE,       -- X's id of the version that it is about
    tweet_id TEXT NOT NULL UNIQUE,          -- nothing is done to a tweet twice, whatever its version
    status TEXT NOT NULL CHECK (status IN ('pending', 'done', 'refused', 'failed', 'dry_run', 'withheld')),
    text TEXT,                              -- of a reply
    reply_id TEXT,                          -- X's id of a reply, where X has said it
    detail TEXT,                            -- why it was refused or withheld, or has failed so far
    begun_us INTEGER NOT NULL               -- microseconds since the epoch
) STRICT;

INSERT INTO action_anew (seq, external_id, tweet_id, status, text, reply_id, detail, begun_us)
SELECT seq, external_id, tweet_id, status, text, reply_id, detail, begun_us FROM action;

DROP TABLE action;
ALTER TABLE action_anew RENAME TO action;

CREATE INDEX action_by_status ON action (status, seq);

-- What was begun within a day, for bounds.py to count.
CREATE TABLE acted (
    seq INTEGER PRIMARY KEY,
    external_id TEXT NOT NULL,
    author_id TEXT NOT NULL,
    conversation_id TEXT,
    at_us INTEGER NOT NULL                  -- microseconds since the epoch
) STRICT;

CREATE INDEX acted_by_time ON acted (at_us);
CREATE INDEX acted_by_author ON acted (author_id, at_us);
CREATE INDEX acted_by_conversation ON acted (conversation_id, at_us) WHERE conversation_id IS NOT NULL;
