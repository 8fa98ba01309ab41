"""What X means by a no: this tweet, this account, or only now.

Final is what X says about the one tweet or text; all else is mended sometime (an app is given its
permission, an account is unlocked, a bill is paid), and what waits goes on then. X tells the two
apart by a problem's type or, where that is about:blank, by its sentence alone: those of its OpenAPI
description, and those that its users have quoted (node-twitter-api-v2 #493, xdevplatform/samples
#58, gptme-contrib #811, TwitterAPI #226).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.systems.tweets.x.x_errors import XBarred, XBusy, XError, XRefused

if TYPE_CHECKING:
    from actors.systems.tweets.x.x_errors import XStatus

BAD_REQUEST, UNAUTHORIZED, PAYMENT_REQUIRED = 400, 401, 402
TIMEOUT, TOO_EARLY, TOO_MANY, SERVER_ERROR = 408, 425, 429, 500

# Of a problem's type or text, in lower case: about the one tweet.
ABOUT_THE_TWEET: Final = (
    "duplicate content",
    "/problems/resource-not-found",
    "/problems/not-authorized-for-resource",
    "/problems/disallowed-resource",
    "not found error",
    "could not find tweet",
    "deleted or not visible",
    "have been blocked",
    "are blocked from",
    "blocked you",
    "reply to this conversation is not allowed",
    "restricted who can reply",
    "text is too long",
    "already liked",
    "already favorited",
)
# About the account or the app, whatever else the answer holds.
ABOUT_THE_ACCOUNT: Final = (
    "/problems/oauth1-permissions",
    "/problems/client-forbidden",
    "/problems/usage-capped",
    "/problems/unsupported-authentication",
    "account is suspended",
    "account is temporarily locked",
    "bad authentication data",
)


def meaning_of(no: XStatus) -> XError:
    """Return it as XRefused for good, XBusy or XBarred for now, or as it is: to be tried again."""
    text = no.body.lower()
    wait = {"wait_s": no.wait_s, "retry_at_us": _us(no.reset_s) if no.wait_s is None else None}
    is_account = any(each in text for each in ABOUT_THE_ACCOUNT)
    if no.status == TOO_MANY:
        return (XBarred if is_account else XBusy)(str(no), **wait)  # type: ignore[arg-type]
    if no.status in {UNAUTHORIZED, PAYMENT_REQUIRED}:  # also where a proxy says it
        return XBarred(str(no))
    # What stands in front of X knows nothing of tweets; what X itself cannot do now it will.
    is_final = BAD_REQUEST <= no.status < SERVER_ERROR and no.status not in {TIMEOUT, TOO_EARLY}
    if not no.is_own or not is_final:
        return no
    is_about_it = no.status == BAD_REQUEST or any(each in text for each in ABOUT_THE_TWEET)
    if is_about_it and not is_account:
        return XRefused(str(no))
    return XBarred(str(no), is_unclear=not is_account)


def _us(epoch_s: int | None) -> int | None:
    return None if epoch_s is None else epoch_s * 1_000_000
