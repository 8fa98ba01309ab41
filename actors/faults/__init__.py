"""What can go wrong, as values: one vocabulary, for live systems and for simulated ones."""
