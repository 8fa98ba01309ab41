"""Services with a store in several places, by a key of their messages."""
