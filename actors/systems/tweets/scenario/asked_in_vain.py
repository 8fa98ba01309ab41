"""Whether X is left alone for as long as it has said that it takes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from actors.systems.tweets.scenario.embedded_x import Counted

SECOND_US: Final = 1_000_000
# What the monitor asks for. Not the rules: whether they stand it looks after, come what may.
LEFT_ALONE: Final = frozenset(
    {
        "POST /2/users/{id}/likes",
        "POST /2/tweets",
        "GET /2/tweets/search/stream",
        "GET /2/tweets/search/recent",
    }
)
# What the account does, of which X says no more than that it may not, while it is locked.
ACTS: Final = frozenset({"POST /2/users/{id}/likes", "POST /2/tweets"})
# What was on its way when X said no comes a little later.
ON_ITS_WAY_S: Final = 1.0
# Between two of X's times and two of the run's, where nobody has set X's clock.
ROUNDING_US: Final = 1_000


def asked_in_vain(
    counted: Iterable[Counted],
    others: Iterable[tuple[float, float]],
    was_disturbed: Callable[[float, float], bool],
) -> Iterator[str]:
    """Return a sentence for each request that X had said it would not take: it shuts such out.

    From when to when, in seconds of the run, `others` of the account have asked, too, who care for
    nothing. A process that is new knows nothing of what X has said to the one before.
    """
    others = list(others)
    refused: dict[tuple[object, str, str], Counted] = {}
    for each in counted:
        if each.endpoint not in LEFT_ALONE or not each.is_refused:
            continue
        if any(since_s <= each.at_s <= until_s for since_s, until_s in others):
            continue
        known = refused.setdefault((each.by, each.endpoint, each.account), each)
        if each.now_us >= known.until_s * SECOND_US or _is_clock_set(known, each):
            refused[each.by, each.endpoint, each.account] = each
        elif each.at_s > known.at_s + ON_ITS_WAY_S and not was_disturbed(known.at_s, each.at_s):
            yield (
                f"X has refused {known.endpoint} at {known.at_s:.1f} s until "
                f"{known.until_s}, and was asked again at {each.at_s:.1f} s"
            )


def asked_too_soon(
    counted: Iterable[Counted],
    others: Iterable[tuple[float, float]],
    locked: Iterable[tuple[float, float]],
    *,
    least_s: float,
    most_s: float,
) -> Iterator[str]:
    """Return a sentence for each time that the account tries too soon again what it may not do.

    X does not say until when, so that the pause is `least_s`, and then twice as long each time, up
    to `most_s`. From when to when the account was surely `locked` is in seconds of the run, one in
    which no answer is lost; `others` are as in `asked_in_vain`. What X counts no more of, which it
    says before, is no such no.
    """
    others = list(others)
    for since_s, until_s in locked:
        pause_s, last_s = least_s, None
        for each in counted:
            is_ours = not any(first_s <= each.at_s <= end_s for first_s, end_s in others)
            if each.endpoint not in ACTS or not since_s <= each.at_s < until_s or not is_ours:
                continue
            if each.is_refused:
                pause_s, last_s = least_s, None
            elif last_s is None:
                last_s = each.at_s
            elif each.at_s > last_s + ON_ITS_WAY_S:
                if each.at_s < last_s + pause_s - ON_ITS_WAY_S:
                    asked_s = each.at_s - last_s
                    yield f"X has locked the account, and it tries again after {asked_s:.1f} s"
                pause_s, last_s = min(2.0 * pause_s, most_s), each.at_s


def _is_clock_set(one: Counted, other: Counted) -> bool:
    by_x_us = other.now_us - one.now_us
    return abs(by_x_us - (other.at_s - one.at_s) * SECOND_US) > ROUNDING_US
