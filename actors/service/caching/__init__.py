"""Answers of queries that are kept: what an author says of it, and when they are forgotten."""
