"""A page in somebody's browser cannot drive a local instance, nor read it by another name.

Two facts that a page cannot forge (Fetch standard, sections 3.2 and 4.6; W3C Fetch Metadata): the
`Host` it believes it talks to, which stops DNS rebinding, and where a request comes from, in
`Origin`, `Sec-Fetch-Site` or `Referer`. A client that is no browser says none of the three.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from multidict import istr

from http_edge.problems import Kind, ProblemError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from multidict import CIMultiDictProxy

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ORIGIN: Final = istr("Origin")
REFERER: Final = istr("Referer")
SEC_FETCH_SITE: Final = istr("Sec-Fetch-Site")

# Same-site is elsewhere: another port of this machine is another program.
_FROM_HERE: Final = frozenset({"same-origin", "none"})
_AUTHORITY: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s\[\]:@/?#,]+))(?::([0-9]{0,5}))?")
_ORIGIN: Final = re.compile(r"(https?)://([^/?#]*)(?:[/?#].*)?", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORTS: Final[Mapping[str, str]] = {"http": "80", "https": "443"}
# Spellings of one host differ by port and case only; beyond so many each is looked at anew.
_KNOWN_MAX: Final = 64


class Doorkeeper:
    """Knows by which hosts one listener goes: loopback's, what it is bound to, what is configured.

    Bound to every address of the machine, it goes by any address: to rebind takes a name. Ports do
    not count, for a forwarded one is another; nor does `X-Forwarded-Host`, which anybody may send.
    """

    def __init__(self, bound: str, hosts: Iterable[str]) -> None:
        """`bound` is where it listens; `hosts` are further names or addresses, without a port."""
        self._hosts = {_host(each) for each in ("localhost", *hosts)}
        self._any_address = False
        self.goes_by(bound)
        # Raw values of `Host` that were found right: all that most requests cost.
        self.known: set[str] = set()

    def goes_by(self, bound: str) -> None:
        """Know one more host that it is bound to: of a name, the address that was meant by it."""
        self._hosts.add(_host(bound))
        address = _address(bound)
        self._any_address |= address is not None and address.is_unspecified

    def check_host(self, authority: str | None) -> None:
        """Raise a 421 where the request was meant for another host. None is HTTP/1.0's silence."""
        if authority is None:
            return  # a browser always says it
        if not self._is_ours(_split(authority)[0]):
            detail = (
                f"nothing here goes by the host {authority!r}; ask for localhost, or name that host"
                " in edge.hosts"
            )
            raise ProblemError(Kind.MISDIRECTED, detail)
        if len(self.known) < _KNOWN_MAX:
            self.known.add(authority)

    def check_source(self, headers: CIMultiDictProxy[str], authority: str | None) -> None:
        """Raise a 403 where one header says that the request comes from elsewhere."""
        for site in headers.getall(SEC_FETCH_SITE, ()):
            if site.strip().lower() not in _FROM_HERE:
                raise _refusal(SEC_FETCH_SITE, site)
        for name in (ORIGIN, REFERER):
            for value in headers.getall(name, ()):
                if not _is_same(value, authority):
                    raise _refusal(name, value)

    def _is_ours(self, host: str) -> bool:
        if host in self._hosts:
            return bool(host)
        address = _address(host)
        return address is not None and (self._any_address or address.is_loopback)


def _refusal(header: str, value: str) -> ProblemError:
    detail = (
        f"{header}: {value} is not this address, and a page from elsewhere may change nothing here;"
        " a client that is no browser leaves the header out"
    )
    return ProblemError(Kind.CROSS_ORIGIN, detail, field=header)


def _is_same(source: str, authority: str | None) -> bool:
    """Whether an Origin or a Referer is the authority asked; `null` and the like are nobody's."""
    found = _ORIGIN.fullmatch(source)
    if found is None or authority is None:
        return False
    port = _DEFAULT_PORTS[found[1].lower()]
    theirs, ours = _split(found[2]), _split(authority)
    return bool(ours[0]) and (theirs[0], theirs[1] or port) == (ours[0], ours[1] or port)


def _split(authority: str) -> tuple[str, str]:
    """Return host, in its one spelling, and port; no host where it is none."""
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        return "", ""
    return _host(found[1] or found[2]), found[3] or ""


def _host(text: str) -> str:
    address = _address(text)
    return text.lower().removesuffix(".") if address is None else str(address)


def _address(text: str) -> Address | None:
    """Return the address that it is, an IPv4 one also where it is written as IPv6."""
    try:
        address = ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
