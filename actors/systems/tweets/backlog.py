"""What the tweets service tells itself about tweets that are older than scores."""

from __future__ import annotations

from actors.kernel.messages import Command, Query


class FindBacklog(Query, frozen=True, kw_only=True):
    """Whether there are any that nobody has asked to have scored."""


class ScoreBacklog(Command, frozen=True, kw_only=True):
    """Ask for the scores of the next few."""
