-- Up to where a search has come was told by whole seconds: the rest of the last one may be left.
UPDATE gap SET left_to_us = left_to_us + 1000000 WHERE left_to_us IS NOT NULL;
