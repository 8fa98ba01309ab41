-- open: it is to be filled; filled: by what; lost: X does not reach so far back any more.
ALTER TABLE gap ADD COLUMN state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'filled', 'lost'));
ALTER TABLE gap ADD COLUMN filled_by TEXT CHECK (filled_by IN ('search', 'stream'));
-- Why it is not filled yet, or was not.
ALTER TABLE gap ADD COLUMN why_not TEXT;
-- What of it is left, in microseconds of the epoch; NULL: all that is between from_us and to_us.
ALTER TABLE gap ADD COLUMN left_from_us INTEGER;
ALTER TABLE gap ADD COLUMN left_to_us INTEGER;
-- Tweets that were found in it, and that nobody had read before.
ALTER TABLE gap ADD COLUMN found INTEGER NOT NULL DEFAULT 0;

CREATE INDEX gap_open ON gap (from_us) WHERE state = 'open';
