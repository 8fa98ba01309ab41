"""The brand monitor: tweets, stored and served."""
