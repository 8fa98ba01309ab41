-- How often it has grown: an answer to what was asked before it last did may lack the rest.
ALTER TABLE gap ADD COLUMN grown INTEGER NOT NULL DEFAULT 0;
-- When the first rule that was seen to stand was made, by its id: what is older is nobody's loss.
ALTER TABLE progress ADD COLUMN first_rule_us INTEGER;
