"""A budget of retries: an outage is not asked much more often than the work that met it.

Finagle's `RetryBudget` (K. Oliver, "Retry Budgets", 2016), as Linkerd and Envoy have it since, with
a token bucket for its window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import EffectConfig
    from actors.kernel.clock import Clock


class RetryBudget:
    """Counts the calls to one dependency: `deposit` at each first one, `withdraw` before a retry.

    A first call adds `retries_share` of a token, a second of time adds `retries_s_min`, and up to
    `retries_kept_max` are kept. A retry takes one, and is not made where there is none. So, from
    any moment on,

        retries <= retries_kept_max + retries_share * first calls + retries_s_min * seconds

    One that is refused does not wait for a token: it is a failed attempt as any other. So it is in
    all of the above, and for a reason: what waits would fill its queue in an outage, and be a storm
    or the longest wait of all when that is over; who asked wants to hear of a failure while it
    matters to him.

    A retry that succeeds costs what any does. Amazon's SDKs give its token back: then retries may
    take all that a dependency can do, and after the outage of tests/simulation/test_retry_storm.py
    it went from overload to recovery and back for half a minute.
    """

    def __init__(self, config: EffectConfig, clock: Clock) -> None:
        """It is full: what fails first may be tried again."""
        self._config = config
        self._clock = clock
        self._tokens = float(config.retries_kept_max)
        self._at_s = clock.monotonic()

    @property
    def tokens(self) -> float:
        """How many retries could be made now, one after the other."""
        now_s = self._clock.monotonic()
        self._add((now_s - self._at_s) * self._config.retries_s_min)
        self._at_s = now_s
        return self._tokens

    def deposit(self) -> None:
        """A first call is made."""
        self._add(self._config.retries_share)

    def withdraw(self) -> bool:
        """Whether a retry may be made; after a yes it is."""
        if self.tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def refund(self) -> None:
        """It was not made after all."""
        self._add(1.0)

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._tokens + tokens, float(self._config.retries_kept_max))
