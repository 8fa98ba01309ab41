"""Every write that was sent, with its key, and what was answered: what an audit goes by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from actors.load.load_plan import PlannedRequest

Standing = Literal["acknowledged", "refused", "unknown"]
# "The request has been accepted for processing, but the processing has not been completed; the
# request might or might not eventually be acted upon" (RFC 9110 section 15.3.3).
ACCEPTED: Final = 202
TOO_MANY: Final = 429


class LedgerEntry(msgspec.Struct, kw_only=True):
    """One write. Where it was not answered, `status` is 0 and `failure` says what happened."""

    request: PlannedRequest
    key: str
    # What its texts were filled with, as far as reading it back needs it.
    values: dict[str, Any]
    status: int = 0
    answer: Any = None  # of JSON; the text of what is none
    failure: str = ""

    @property
    def standing(self) -> Standing:
        """What its client may count on.

        Refused is what a 4xx said no to: whatever failed otherwise may have been done all the same.
        """
        if 200 <= self.status < 300 and self.status != ACCEPTED:  # noqa: PLR2004 - 2xx
            return "acknowledged"
        refused = 400 <= self.status < 500 and self.status != TOO_MANY  # noqa: PLR2004 - 4xx
        return "refused" if refused else "unknown"


class LoadLedger:
    """The entries of a run, in the order in which they were sent."""

    def __init__(self) -> None:
        """Nothing has been written."""
        self.entries: list[LedgerEntry] = []

    def __len__(self) -> int:
        return len(self.entries)

    def enter(self, request: PlannedRequest, key: str, values: dict[str, Any]) -> LedgerEntry:
        """Note a write before it is sent; what is answered is put into the entry."""
        entry = LedgerEntry(request=request, key=key, values=values)
        self.entries.append(entry)
        return entry

    def standings(self) -> dict[Standing, int]:
        """Return how many writes stand how."""
        counted = Counter(each.standing for each in self.entries)
        return {each: counted[each] for each in ("acknowledged", "refused", "unknown")}
