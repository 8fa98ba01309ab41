-- Since when the reply may stand at X unbeknown to us, in microseconds since the epoch: an attempt was
-- made then whose answer is not known. NULL: X has answered every attempt, and nothing stands.
ALTER TABLE action ADD COLUMN doubt_us INTEGER;

-- What an earlier version has begun may have been tried.
UPDATE action SET doubt_us = begun_us WHERE status IN ('pending', 'failed');
