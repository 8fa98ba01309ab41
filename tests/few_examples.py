"""How many examples a dear property has: few in each run, all of the profile's in the long ones."""

from __future__ import annotations

from hypothesis import settings

# What `make test` draws of whatever says nothing: tests/conftest.py.
USUAL = 30


def few(examples: int, **options: object) -> settings:
    """Return the settings; others are drawn each time, so that all runs together look at many."""
    thorough = settings().max_examples
    return settings(max_examples=examples if thorough <= USUAL else thorough, **options)  # type: ignore[arg-type]
