-- Ids are snowflakes, see snowflake.py: their order is the order of creation, and the time is in them.

CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),  -- exactly one row
    last_id INTEGER NOT NULL,               -- the id given last, to anything
    rules_version INTEGER NOT NULL          -- counts the changes of the rules
) STRICT;

INSERT INTO state (id, last_id, rules_version) VALUES (1, 0, 0);

CREATE TABLE x_user (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL
) STRICT;

-- The account whose keys the embedded X hands out: messages.py's ACCOUNT_ID and ACCOUNT_USERNAME.
INSERT INTO x_user (id, username, name)
VALUES (1500000000000000001, 'dressrehearsal', 'Dress Rehearsal');

CREATE TABLE tweet (
    id INTEGER PRIMARY KEY,
    author_id INTEGER NOT NULL REFERENCES x_user (id),
    text TEXT NOT NULL,
    text_crc INTEGER NOT NULL,              -- finds the same text again without an index of texts
    lang TEXT NOT NULL,
    conversation_id INTEGER NOT NULL,
    in_reply_to_user_id INTEGER REFERENCES x_user (id),
    replied_to INTEGER REFERENCES tweet (id),
    retweeted INTEGER REFERENCES tweet (id),
    quoted INTEGER REFERENCES tweet (id)
) STRICT;

CREATE INDEX tweet_by_text ON tweet (author_id, text_crc);
CREATE UNIQUE INDEX tweet_by_retweet ON tweet (author_id, retweeted) WHERE retweeted IS NOT NULL;

-- `seq` is the order of liking.
CREATE TABLE liked (
    seq INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES x_user (id),
    tweet_id INTEGER NOT NULL REFERENCES tweet (id),
    UNIQUE (user_id, tweet_id)
) STRICT;

CREATE INDEX liked_by_user ON liked (user_id, seq);

-- A rule that is gone stays for as long as the stream's past may name it.
CREATE TABLE rule (
    id INTEGER PRIMARY KEY,
    value TEXT NOT NULL,
    tag TEXT,
    deleted_us INTEGER                      -- microseconds since the epoch; NULL while it stands
) STRICT;

CREATE UNIQUE INDEX rule_by_value ON rule (value) WHERE deleted_us IS NULL;
CREATE INDEX rule_by_end ON rule (deleted_us) WHERE deleted_us IS NOT NULL;

-- The filtered stream: a tweet's place in it is its id.
CREATE TABLE matched (
    tweet_id INTEGER PRIMARY KEY REFERENCES tweet (id),
    rule_ids TEXT NOT NULL                  -- a JSON array of integers, ascending
) STRICT;
