"""The reader's own rule among those of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from actors.systems.tweets.x_client import Rules
from actors.systems.tweets.x_errors import RuleRefused, XRefused, XUnreachable

if TYPE_CHECKING:
    from actors.systems.tweets.x_access import XAccess

log = structlog.get_logger()

# By it the reader knows its own: rules stay on the account, and others may keep theirs there.
TAG: Final = "dress-rehearsal:reader"
# List, change, list again: a second round is for what somebody else changed meanwhile.
ROUNDS_MAX: Final = 3


class StreamRules:
    """Sees to it that the account's rules hold the reader's, as the configuration has it now."""

    def __init__(self, access: XAccess, keywords: tuple[str, ...], *, read_s_max: float) -> None:
        """`read_s_max` is how long to wait for a byte of an answer, in seconds."""
        self._rules = Rules(access, read_s_max=read_s_max)
        self._wanted = rule_of(keywords)

    async def set_right(self) -> None:
        """Add the rule where it lacks, and remove what the reader had in its place.

        A rule of the same value serves, whoever's it is: X takes none twice. Raises RuleRefused,
        XStatus and XUnreachable.
        """
        for _ in range(ROUNDS_MAX):
            rules = await self._rules.list()
            stale = [each for each in rules if each.tag == TAG and each.value != self._wanted]
            is_there = any(each.value == self._wanted for each in rules)
            if is_there and not stale:
                return
            # First make room: an account may have few rules.
            if stale:
                await self._rules.delete([each.id for each in stale])
            if not is_there:
                await self._add()
            log.info("stream rule set", rule=self._wanted, replaced=[each.value for each in stale])
        raise XUnreachable(f"the rules do not become what they should be: {self._wanted}")

    async def _add(self) -> None:
        try:
            await self._rules.add(self._wanted, tag=TAG)
        except XRefused as no:
            message = f"X does not take the rule {self._wanted!r} of tweets.keywords: {no.detail}"
            raise RuleRefused(message) from None


def rule_of(keywords: tuple[str, ...]) -> str:
    """Return the rule that any of the keywords meets."""
    return keywords[0] if len(keywords) == 1 else f"({' OR '.join(keywords)})"
