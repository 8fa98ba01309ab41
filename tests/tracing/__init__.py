"""Traces: what travels with messages, what is kept of it, and what kills leave of that."""
