"""What becomes of a data folder between two processes, and what must come of that."""
