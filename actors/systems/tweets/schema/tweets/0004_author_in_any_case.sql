-- X's usernames are the same in any case: whoever asks for Grace finds grace.
CREATE INDEX tweet_by_author_in_any_case ON tweet (author COLLATE NOCASE, seq);
CREATE INDEX tweet_by_author_in_any_case_and_sentiment
    ON tweet (author COLLATE NOCASE, sentiment, seq);

DROP INDEX tweet_by_author;
DROP INDEX tweet_by_author_and_sentiment;
