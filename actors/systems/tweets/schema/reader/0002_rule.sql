-- The reader's rule as it was last seen to stand. NULL: it never was, and nothing can be missing.
ALTER TABLE progress ADD COLUMN rule TEXT;
-- By then it stood; or, where it is gone, up to then its lack is a gap on the books.
ALTER TABLE progress ADD COLUMN rule_us INTEGER;
ALTER TABLE progress ADD COLUMN rule_is_gone INTEGER NOT NULL DEFAULT 0;
