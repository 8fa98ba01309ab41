-- Both are null until the tweet is scored; `score` is VADER's compound, from -1 to 1.
ALTER TABLE tweet ADD COLUMN score REAL;
ALTER TABLE tweet ADD COLUMN sentiment TEXT CHECK (sentiment IN ('negative', 'neutral', 'positive'));

-- What only a tweet from X has: all four or none of them.
ALTER TABLE tweet ADD COLUMN x_author_id TEXT;
ALTER TABLE tweet ADD COLUMN x_kind TEXT CHECK (x_kind IN ('original', 'reply', 'retweet', 'quote'));
ALTER TABLE tweet ADD COLUMN x_lang TEXT;
ALTER TABLE tweet ADD COLUMN x_posted_at_us INTEGER;    -- microseconds since the epoch

CREATE INDEX tweet_by_sentiment ON tweet (sentiment, seq);
CREATE INDEX tweet_by_author_and_sentiment ON tweet (author, sentiment, seq);

-- What was stored before there were scores, and nobody has yet asked to have scored.
CREATE TABLE backlog (seq INTEGER PRIMARY KEY) STRICT;
INSERT INTO backlog (seq) SELECT seq FROM tweet;
