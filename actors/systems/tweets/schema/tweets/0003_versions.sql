-- A sentiment may be unknown, which the old table's CHECK forbids: it is made anew.
CREATE TABLE tweet_anew (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    external_id TEXT UNIQUE,                -- X's id of the first version, where the tweet comes from there
    -- Of the version that stands; both are null until it is scored, and the score of what is unknown stays so.
    score REAL,
    sentiment TEXT CHECK (sentiment IN ('negative', 'neutral', 'positive', 'unknown')),
    lang TEXT,                              -- null: nobody has said, and it is taken for English
    -- What only a tweet from X has.
    x_author_id TEXT,
    x_kind TEXT CHECK (x_kind IN ('original', 'reply', 'retweet', 'quote')),
    x_posted_at_us INTEGER,                 -- microseconds since the epoch
    x_conversation_id TEXT,
    x_answers TEXT,                         -- whose replies it replies to or quotes: ids with a space between
    version_id TEXT                         -- X's id of the version that stands; null: the first one
) STRICT;

INSERT INTO tweet_anew (seq, id, author, text, external_id, score, sentiment, lang, x_author_id, x_kind, x_posted_at_us)
SELECT seq, id, author, text, external_id, score, sentiment, x_lang, x_author_id, x_kind, x_posted_at_us FROM tweet;

DROP TABLE tweet;
ALTER TABLE tweet_anew RENAME TO tweet;

CREATE INDEX tweet_by_author ON tweet (author, seq);
CREATE INDEX tweet_by_sentiment ON tweet (sentiment, seq);
CREATE INDEX tweet_by_author_and_sentiment ON tweet (author, sentiment, seq);

-- Every version of a tweet that was edited, by X's id of it.
CREATE TABLE version (
    version_id TEXT PRIMARY KEY,
    tweet_id TEXT NOT NULL REFERENCES tweet (id)
) STRICT, WITHOUT ROWID;
