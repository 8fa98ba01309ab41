"""Whether X takes as many requests as its plan grants in a window, and counts for as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from actors.systems.tweets.scenario.embedded_x import Counted

SECOND_US: Final = 1_000_000


def taken_amiss(counted: Iterable[Counted], *, most: int, window_s: float) -> Iterator[str]:
    """Return a sentence for each request beyond the `most` of a window, or refused before that.

    And for each that X says to count until another time than when its window ends: `window_s`
    after the first that was asked in it, in whole seconds. By a clock that nobody has set forward;
    what would begin in the future, for it was set back, is no window.
    """
    # Of each process, endpoint and account: when its window began, by X, and what it has taken.
    windows: dict[tuple[object, str, str], tuple[int, int]] = {}
    for each in counted:
        what = (each.by, each.endpoint, each.account)
        begun_us, taken = windows.get(what, (each.now_us, 0))
        if not 0 <= each.now_us - begun_us < window_s * SECOND_US:
            begun_us, taken = each.now_us, 0
        ends_us = begun_us + window_s * SECOND_US
        if each.is_refused is (taken < most):
            does = "refuses" if each.is_refused else "takes"
            yield f"X {does} {each.endpoint} at {each.at_s:.1f} s, and has taken {taken}"
        if not 0 <= each.until_s * SECOND_US - ends_us < SECOND_US:
            says = f"X counts {each.endpoint} at {each.at_s:.1f} s until {each.until_s}"
            yield f"{says}, and its window ends at {ends_us / SECOND_US:.3f}"
        windows[what] = (begun_us, taken + (not each.is_refused))
