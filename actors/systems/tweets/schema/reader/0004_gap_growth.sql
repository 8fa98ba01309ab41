-- How often it has grown: an answer to what was asked before it last did may lack the rest.
ALTER TABLE gap ADD COLUMN grown INTEGER NOT NULL DEFAULT 0;
