"""What is done to requests on purpose before a service hears of them: they wait, or are aborted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.faults.lab.fault_order import BODILESS
from http_edge.answer import TEXT, Answer, make_head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.faults.lab.active_fault import ActiveFault
    from http_edge.http_request import HttpRequest

_CONTENT_TYPE = "content-type"


async def strike(faults: Sequence[ActiveFault], request: HttpRequest, route: str) -> Answer | None:
    """Let the request wait, not beyond its deadline; return what it is answered if it is aborted.

    `route` is its method and its address as a table has it.
    """
    for fault in faults:
        if not _is_meant(fault, request, route) or not fault.strikes():
            continue
        if fault.order.kind == "abort":
            return _aborted(fault)
        await fault.lasts(min(fault.wait_s(), request.left_s))
    return None


def _is_meant(fault: ActiveFault, request: HttpRequest, route: str) -> bool:
    wanted, header = fault.order.route, fault.order.header
    if wanted not in {route, route.partition(" ")[2]}:
        return False
    if header is None:
        return True
    name, colon, value = header.partition(":")
    given = request.headers.get(name.strip())
    return given is not None and (not colon or given.strip() == value.strip())


def _aborted(fault: ActiveFault) -> Answer:
    order = fault.order
    assert order.status is not None, "an abort has a status"
    headers = dict(order.headers or {})
    kinds = [name for name in headers if name.lower() == _CONTENT_TYPE]
    content_type = headers.pop(kinds[0]) if kinds else TEXT
    body = order.body
    if body is None:
        body = "" if order.status in BODILESS else f"aborted by fault {fault.id}\n"
    return Answer(make_head(order.status, content_type, *headers.items()), body.encode())
