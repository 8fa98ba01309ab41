"""Requests that wait for no answers, what they took, and what became of the writes."""
