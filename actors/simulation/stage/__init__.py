"""The system and its machines in a run, and what is done to them."""
