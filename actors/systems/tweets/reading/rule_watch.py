"""The reader's own rule among those of the account: that it stands, and the books know when not."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

import structlog

from actors.errors import Busy, DeadlineExceeded, StoreError
from actors.systems.tweets.reading.reader_messages import NoteRule
from actors.systems.tweets.x.tweet_ids import made_at_us
from actors.systems.tweets.x.x_client import AccountRules
from actors.systems.tweets.x.x_errors import RuleRefused, XRefused, XStatus, XUnreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message
    from actors.systems.tweets.config import XConfig
    from actors.systems.tweets.reading.reader_messages import GapFound, GapNoted
    from actors.systems.tweets.x.access import XAccess

    Ask = Callable[[Message], Awaitable[Any]]

log = structlog.get_logger()

# By it the reader knows its own: rules stay on the account, and others may keep theirs there.
TAG: Final = "dress-rehearsal:reader"
# List, change, list again: a second round is for what somebody else changed meanwhile.
ROUNDS_MAX: Final = 3
ID: Final = re.compile("[0-9]{1,19}")

BAD_REQUEST, TOO_MANY, SERVER_ERROR = 400, 429, 500
# Too slow a request; no rules, which the next attempt sets right; too many requests.
PASSING: Final = frozenset({408, 409, TOO_MANY})


class RuleWatch:
    """Keeps the rule in its place: X sends nothing, and says nothing, where somebody deleted it.

    What it met while it was gone X does not send again, either; so that goes on the books.
    """

    def __init__(
        self, ask: Ask, access: XAccess, config: XConfig, *, keywords: tuple[str, ...]
    ) -> None:
        """`ask` asks the reader service, which keeps the books."""
        self._ask = ask
        self._every_s = config.rules_check_s
        self._rules = AccountRules(access, read_s_max=config.stall_s)
        self._wanted = rule_of(keywords)
        self._asked_s = 0.0
        self._is_troubled = False
        # Ids of rules that have served: a backfill may bring what met one that is gone since.
        self.own: frozenset[str] = frozenset()

    async def run(self) -> NoReturn:
        """Look after it beside a stream. Raises RuleRefused."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.set_right()
            except XStatus as no:
                # Whatever X says: the stream that is open brings what it can.
                self._tell_trouble(str(no))
            except (XUnreachable, Busy, DeadlineExceeded, StoreError) as error:
                self._tell_trouble(f"{type(error).__name__}: {error}")
            else:
                self._is_troubled = False

    async def set_right(self) -> None:
        """Add the rule where it lacks, and remove what the reader had in its place.

        A rule of the same value serves, whoever's it is: X takes none twice. The books are told
        before anything is changed (killed in between, the next one knows), and once all is right.
        Raises RuleRefused, XStatus, XUnreachable, and what an ask raises.
        """
        self._asked_s = asyncio.get_running_loop().time()
        found: tuple[str, ...] | None = None
        has_stood = False
        for _ in range(ROUNDS_MAX):
            rules = await self._rules.list()
            stale = [each for each in rules if each.tag == TAG and each.value != self._wanted]
            serving = frozenset(each.id for each in rules if each.value == self._wanted)
            # As it was before a change of ours; but who deletes between two looks is seen, too.
            if found is None or (has_stood and not serving):
                found = tuple(each.value for each in rules)
            has_stood = bool(serving)
            if serving and not stale:
                await self._note(found, serving)
                self.own |= serving
                return
            if not serving:
                await self._note(found, serving)
            # First make room: an account may have few rules.
            if stale:
                await self._rules.delete([each.id for each in stale])
            if not serving:
                await self._add()
            log.info("stream rule set", rule=self._wanted, replaced=[each.value for each in stale])
        raise XUnreachable(f"the rules do not become what they should be: {self._wanted}")

    async def _add(self) -> None:
        try:
            await self._rules.add(self._wanted, tag=TAG)
        except XRefused as no:
            message = f"X does not take the rule {self._wanted!r} of tweets.keywords: {no.detail}"
            raise RuleRefused(message) from None

    async def _note(self, found: tuple[str, ...], serving: frozenset[str]) -> None:
        age_s = asyncio.get_running_loop().time() - self._asked_s
        message = NoteRule(
            rule=self._wanted,
            found=found,
            stands=bool(serving),
            age_s=age_s,
            made_us=min((made_at_us(each) for each in serving if ID.fullmatch(each)), default=None),
        )
        noted: GapNoted = await self._ask(message)
        if noted.gap is not None:
            tell_gap(noted.gap)

    def _tell_trouble(self, reason: str) -> None:
        """Say it once, until it is over: the next check comes anyway."""
        if not self._is_troubled:
            log.warning("stream rule not checked", reason=reason, again_s=self._every_s)
        self._is_troubled = True


def is_passing(no: XStatus) -> bool:
    """Whether another attempt may end otherwise; so may all that X does not itself say."""
    if not no.is_own or no.status in PASSING:
        return True
    return not BAD_REQUEST <= no.status < SERVER_ERROR


def tell_gap(gap: GapFound) -> None:
    """Say that tweets may be missing; each gap is said once."""
    log.warning(
        "tweets may be missing",
        seconds=round((gap.to_us - gap.from_us) / 1_000_000, 3),
        reason=gap.reason,
        advice="GET /api/v1/reader lists every such gap",
    )


def rule_of(keywords: tuple[str, ...]) -> str:
    """Return the rule that any of the keywords meets."""
    return keywords[0] if len(keywords) == 1 else f"({' OR '.join(keywords)})"
