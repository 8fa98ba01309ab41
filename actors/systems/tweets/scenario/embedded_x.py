"""The embedded X in a simulation: its keys, the wire that leads there, and what it is asked."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

import msgspec

from actors.systems.tweets.outside import EMBEDDED_CREDENTIALS, SIMULATED_CREDENTIALS
from actors.systems.x_platform.system import X_PLATFORM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from actors.system import Wiring
    from http_edge.address import Address

# The same process, but as far away as another machine: what breaks networks can break this.
HOST: Final = "x"
ADDRESS: Final = "127.0.0.2"
PORT: Final = 8_100


def lay_out_credentials(folder: Path) -> None:
    """Write them where the edge looks for them."""
    path = folder / EMBEDDED_CREDENTIALS
    path.write_bytes(msgspec.json.encode(SIMULATED_CREDENTIALS))
    path.chmod(0o600)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """A request as X has counted it: `by` a process of it, which knows no other's counts.

    `at_s` is the run's time, `now_us` what X's own clock says; X counts anew at `until_s`, in
    seconds since the epoch.
    """

    by: object
    endpoint: str
    account: str
    at_s: float
    now_us: int
    until_s: int
    is_refused: bool


# By the run's loop. A process of X lives as long as the monitor's: nobody else is asked for these.
_counted: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Counted]] = WeakKeyDictionary()


def counted() -> Sequence[Counted]:
    """Return all that X has been asked for in the run at hand."""
    return _counted.get(asyncio.get_running_loop(), ())


class _Counting:
    """Stands before what X counts by, and notes what that says."""

    def __init__(self, limiter: Any) -> None:
        self._limiter = limiter

    def take(self, endpoint: str, account: str, now_us: int) -> Any:
        quota = self._limiter.take(endpoint, account, now_us)
        loop = asyncio.get_running_loop()
        asked = Counted(
            by=self,
            endpoint=endpoint,
            account=account,
            at_s=loop.time(),
            now_us=now_us,
            until_s=quota.reset_s,
            is_refused=quota.exceeded,
        )
        _counted.setdefault(loop, []).append(asked)
        return quota


def _addresses(wiring: Wiring) -> Mapping[str, Sequence[Address]]:
    addresses = X_PLATFORM.addresses_in(wiring)
    for api in {id(api): api for api in _apis(addresses["x_platform"])}.values():
        api.limiter = _Counting(api.limiter)
    return addresses


def _apis(addresses: Sequence[Address]) -> list[Any]:
    """Return what X's addresses share."""
    endpoints: list[Any] = [each.endpoint for each in addresses]
    return [each.api for each in endpoints]


# X as it is, but that what it counts can be looked at afterwards.
X: Final = replace(X_PLATFORM, addresses=_addresses)
