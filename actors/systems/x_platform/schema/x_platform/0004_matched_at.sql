-- When a tweet came into the stream. Its id tells only what the clock said at its latest: set back,
-- all ids are of that moment, and by them nothing would ever be old.
ALTER TABLE matched ADD COLUMN at_us INTEGER NOT NULL DEFAULT 0;  -- microseconds since the epoch

-- Of what is there already, the id's own time.
UPDATE matched SET at_us = ((tweet_id >> 22) + 1288834974657) * 1000;
