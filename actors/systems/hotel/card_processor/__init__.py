"""Somebody else's system, as the hotel meets it: a card processor with a sandbox's cards."""
