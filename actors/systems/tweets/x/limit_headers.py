"""What X's headers say of its limits: which is used up, and until when.

X counts by the quarter of an hour, and writes by the day besides, for the user and for the app:
each has its three headers (docs.x.com, "Rate limits"; node-twitter-api-v2 #495 and #553). A 429 may
be about any of them, so what is obeyed is the longest that is used up.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

WINDOW: Final = "x-rate-limit"
LIMITS: Final = (WINDOW, "x-user-limit-24hour", "x-app-limit-24hour")
_EPOCH_SECONDS: Final = re.compile(r"[0-9]{1,11}")


def exhausted_until(headers: Mapping[str, str]) -> int | None:
    """Return when the last of the limits that are used up begins anew, in epoch seconds."""
    resets = [
        _epoch_s(headers.get(f"{limit}-reset"))
        for limit in LIMITS
        if headers.get(f"{limit}-remaining", "").strip() == "0"
    ]
    return max((each for each in resets if each is not None), default=None)


def reset_of(headers: Mapping[str, str]) -> int | None:
    """Return when X counts anew; where it does not say what is used up, the next window's begin."""
    until_s = exhausted_until(headers)
    return until_s if until_s is not None else _epoch_s(headers.get(f"{WINDOW}-reset"))


def wait_until(epoch_s: int | None, headers: Mapping[str, str]) -> float | None:
    """Return how long that is by X's own clock, whatever ours says; None where X does not tell."""
    if epoch_s is None:
        return None
    try:
        now_s = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(epoch_s - now_s, 0.0)


def _epoch_s(text: str | None) -> int | None:
    found = _EPOCH_SECONDS.fullmatch((text or "").strip())
    return int(found.group()) if found else None
