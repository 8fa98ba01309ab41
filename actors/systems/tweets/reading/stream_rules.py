"""The reader's own rule among those of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import structlog

from actors.systems.tweets.x.x_client import Rules
from actors.systems.tweets.x.x_errors import RuleRefused, XRefused, XUnreachable

if TYPE_CHECKING:
    from actors.systems.tweets.x.access import XAccess

log = structlog.get_logger()


class Note(Protocol):
    """Takes note of the rules' values as they were found, and what serves if all is right now."""

    async def __call__(self, found: tuple[str, ...], *, serving: frozenset[str]) -> None: ...


# By it the reader knows its own: rules stay on the account, and others may keep theirs there.
TAG: Final = "dress-rehearsal:reader"
# List, change, list again: a second round is for what somebody else changed meanwhile.
ROUNDS_MAX: Final = 3


class StreamRules:
    """Sees to it that the account's rules hold the reader's, as the configuration has it now."""

    def __init__(
        self, access: XAccess, keywords: tuple[str, ...], *, read_s_max: float, note: Note
    ) -> None:
        """`read_s_max` is how long to wait for a byte of an answer, in seconds.

        `note` is awaited before a rule that lacks is added, and once all is right.
        """
        self._rules = Rules(access, read_s_max=read_s_max)
        self._note = note
        self.wanted = rule_of(keywords)

    async def set_right(self) -> frozenset[str]:
        """Add the rule where it lacks, and remove what the reader had in its place.

        A rule of the same value serves, whoever's it is: X takes none twice. Returns the ids of
        what serves, for it may have another's tag. Raises RuleRefused, XStatus and XUnreachable,
        and what `note` raises.
        """
        found: tuple[str, ...] | None = None
        has_stood = False
        for _ in range(ROUNDS_MAX):
            rules = await self._rules.list()
            stale = [each for each in rules if each.tag == TAG and each.value != self.wanted]
            serving = frozenset(each.id for each in rules if each.value == self.wanted)
            # As it was before a change of ours; but who deletes between two looks is seen, too.
            if found is None or (has_stood and not serving):
                found = tuple(each.value for each in rules)
            has_stood = bool(serving)
            if serving and not stale:
                await self._note(found, serving=serving)
                return serving
            if not serving:
                await self._note(found, serving=frozenset())
            # First make room: an account may have few rules.
            if stale:
                await self._rules.delete([each.id for each in stale])
            if not serving:
                await self._add()
            log.info("stream rule set", rule=self.wanted, replaced=[each.value for each in stale])
        raise XUnreachable(f"the rules do not become what they should be: {self.wanted}")

    async def _add(self) -> None:
        try:
            await self._rules.add(self.wanted, tag=TAG)
        except XRefused as no:
            message = f"X does not take the rule {self.wanted!r} of tweets.keywords: {no.detail}"
            raise RuleRefused(message) from None


def rule_of(keywords: tuple[str, ...]) -> str:
    """Return the rule that any of the keywords meets."""
    return keywords[0] if len(keywords) == 1 else f"({' OR '.join(keywords)})"
