"""What a checker raises that was not allowed to look further: neither a yes nor a no."""

from __future__ import annotations

from actors.errors import DressRehearsalError


class SearchExceeded(DressRehearsalError):
    """The checker reached its limit before it knew; check fewer operations, or allow it more."""
