"""The operator's addresses of faults: put them into the running system, look, take them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from actors.errors import FaultRefused, FaultsBlocked, NoSuchFault
from actors.faults.lab.fault_order import FaultOrder
from actors.faults.lab.rehearsed import ordered
from http_edge.address import Address
from http_edge.decoding.blame import explain
from http_edge.endpoints.admin_endpoint import AdminCall, admin
from http_edge.problems import Kind, ProblemError
from http_edge.target import refuse_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.faults.lab.active_fault import FaultStats


async def _list(call: AdminCall) -> tuple[int, object]:
    """200: those that are on, and whether the lever is held."""
    refuse_query(call.query)
    lab = call.system.faults
    return 200, {"items": lab.stats(), "next": None, "stopped": lab.is_stopped}


async def _begin(call: AdminCall) -> tuple[int, object]:
    """201: it strikes from now on."""
    refuse_query(call.query)
    try:
        return 201, call.system.faults.begin(_order(call.body), routes=call.routes)
    except FaultsBlocked as error:
        raise ProblemError(Kind.CONFLICT, str(error), field=error.field) from error
    except FaultRefused as error:
        raise ProblemError(Kind.INVALID, str(error), field=error.field) from error


def _order(body: bytes) -> FaultOrder:
    """Return what is ordered: as it is said live, or as a simulation has it."""
    try:
        if b'"name"' in body and "name" in msgspec.json.decode(body, type=dict[str, object]):
            return ordered(body)
        return msgspec.json.decode(body, type=FaultOrder)
    except (ValueError, RecursionError) as error:
        explain(body, error, FaultOrder)


async def _renew(call: AdminCall) -> tuple[int, object]:
    """200: its lease begins anew."""
    return _with_fault(call, call.system.faults.renew)


async def _mend(call: AdminCall) -> tuple[int, object]:
    """200: it is gone, and has left nothing."""
    return _with_fault(call, call.system.faults.mend)


def _with_fault(call: AdminCall, do: Callable[[str], FaultStats]) -> tuple[int, object]:
    """Do it to the fault named in the path."""
    refuse_query(call.query)
    try:
        return 200, do(call.params["id"])
    except NoSuchFault as error:
        raise ProblemError(Kind.NO_SUCH_FAULT, str(error), field="id") from error


async def _mend_all(call: AdminCall) -> tuple[int, object]:
    refuse_query(call.query)
    return 200, _ended(call, call.system.faults.mend_all())


async def _stop(call: AdminCall) -> tuple[int, object]:
    """200: none is on, and none begins until somebody releases the lever."""
    refuse_query(call.query)
    return 200, _ended(call, call.system.faults.stop())


async def _release(call: AdminCall) -> tuple[int, object]:
    refuse_query(call.query)
    call.system.faults.release()
    return 200, {"stopped": False}


def _ended(call: AdminCall, ended: list[FaultStats]) -> dict[str, object]:
    return {"ended": ended, "stopped": call.system.faults.is_stopped}


_FAULTS = "/admin/faults"

ADMIN_FAULTS: tuple[Address, ...] = (
    Address("GET", _FAULTS, admin(_list, "faults that are on")),
    Address("POST", _FAULTS, admin(_begin, "break something on purpose", reads_body=True)),
    Address("DELETE", _FAULTS, admin(_mend_all, "mend it all")),
    Address("DELETE", f"{_FAULTS}/{{id}}", admin(_mend, "mend it")),
    Address("POST", f"{_FAULTS}/{{id}}/renew", admin(_renew, "renew its lease")),
    Address("POST", f"{_FAULTS}/stop", admin(_stop, "end all faults, and let none begin")),
    Address("POST", f"{_FAULTS}/release", admin(_release, "let faults begin again")),
)
