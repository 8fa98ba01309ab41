-- When a message is of no use any more, in microseconds since the epoch: what is not run by then is
-- not run at all. NULL: it is never too late.
ALTER TABLE outbox ADD COLUMN by_us INTEGER;
ALTER TABLE timer ADD COLUMN by_us INTEGER;
