"""What is simpler than a call: an earlier kind, a field nearer to its default.

A call is a frozen struct. The field typed as a Literal, if there is one, is its kind, and kinds are
declared from the simplest; fields that count or say yes have the simplest value as their default.
Of other calls only the scenario knows what is plainer: see `plainer_draws`.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.simulation.script.workload import ClientRequest, Workload

# More requests than this are not put in another order.
PERMUTED_MAX: Final = 3


def fields_of(call: Any) -> tuple[str, ...]:
    """Return the names of a call's fields; a call that is no struct has none."""
    return getattr(call, "__struct_fields__", ())


def tells_by_fields(call: Any) -> bool:
    """Whether it is such a struct, all through."""
    found, defaults = _kinds(call), _defaults(call)
    kind = None if found is None else found[0]
    fields = fields_of(call)
    return bool(fields) and all(
        name == kind or isinstance(defaults.get(name), int) for name in fields
    )


def plain_calls(call: Any) -> Iterator[Any]:
    """Yield calls of this kind and of earlier ones: with all at its default, and with all as is."""
    found = _kinds(call)
    if found is None:
        return
    name, kinds = found
    for kind in kinds[: kinds.index(getattr(call, name)) + 1]:
        for plain in (type(call)(**{name: kind}), msgspec.structs.replace(call, **{name: kind})):
            if plain != call:
                yield plain


def nearer_calls(call: Any, name: str) -> Iterator[Any]:
    """Yield the call with this field at its default, then nearer to it than it is."""
    default = _defaults(call).get(name)
    value = getattr(call, name)
    if isinstance(default, int) and value != default:
        for nearer in range(default, value, 1 if value > default else -1):
            yield msgspec.structs.replace(call, **{name: type(default)(nearer)})


def renamed(request: ClientRequest[Any], name: str, old: int, new: int) -> ClientRequest[Any]:
    """Return the request with this field `new` if it was `old`."""
    if getattr(request.call, name, None) != old:
        return request
    call = msgspec.structs.replace(request.call, **{name: type(old)(new)})
    return msgspec.structs.replace(request, call=call)


def simpler_orders(workload: Workload[Any]) -> Iterator[Workload[Any]]:
    """Yield the same calls in other orders, simpler ones first; the gaps stay where they are."""
    own = tuple(range(len(workload)))
    if 1 < len(workload) <= PERMUTED_MAX:
        ranks = [_rank(request.call) for request in workload]
        orders = {order: tuple(ranks[index] for index in order) for order in permutations(own)}
        for order in sorted(orders, key=orders.__getitem__):
            if orders[order] < orders[own]:
                yield tuple(
                    msgspec.structs.replace(workload[index], gap_us=request.gap_us)
                    for index, request in zip(order, workload, strict=True)
                )


def _defaults(call: Any) -> dict[str, Any]:
    """Return those of its fields that have one."""
    fields, defaults = fields_of(call), getattr(call, "__struct_defaults__", ())
    return dict(zip(reversed(fields), reversed(defaults), strict=False))


def _kinds(call: Any) -> tuple[str, tuple[Any, ...]] | None:
    """Return the field that says what kind of call it is, and the kinds there are, in order."""
    for name, hint in get_type_hints(type(call)).items():
        if get_origin(hint) is Literal:
            return name, get_args(hint)
    return None


def _rank(call: Any) -> tuple[Any, ...]:
    found = _kinds(call)
    values = [getattr(call, name) for name in fields_of(call)]
    if found is not None:
        name, kinds = found
        values[fields_of(call).index(name)] = kinds.index(getattr(call, name))
    return tuple(values)
