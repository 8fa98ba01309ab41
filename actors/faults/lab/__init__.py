"""Faults of a running system: ordered as values, put in at its seams, taken out without trace."""
