"""What handlers send is looked at before anything runs: in their source, for who sends declares it.

Seen is `tx.send`, `tx.after`, `tx.run` and `tx.publish` in a service's handlers, and in the methods
and functions that these name and that are given the transaction; `tx` is the parameter that is
typed Transaction. A service's name is known where it is a text, or a constant of a module or a
class; a message where it is made in place (`Brew(cups=2)`), or a line before, by the only
assignment to that name.

All else is left alone, and found when it runs: a name or a message that is handed in or computed,
a transaction under another name, and what has no source, such as a class made in a shell. So a
service may send to one that not every process has: by a name that it is given when it is made.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections import Counter
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from actors.kernel.messages import Event, Message, type_name
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    # A subclass of Service or StatelessService; mypy takes no such class for hashable.
    ServiceClass = Any

VERBS: Final = frozenset({"send", "after", "run", "publish"})


class Sent(NamedTuple):
    """A line that sends: what by, what, to whom. None is what is not known."""

    verb: str
    receiver: str | None
    message: type[Message] | None
    where: str


def send_faults(services: Mapping[str, ServiceClass]) -> Iterator[tuple[str, str]]:
    """Yield what nobody would take, each as the sender's name and what is wrong with a line."""
    for name, service in services.items():
        for sent in sent_by(service):
            fault = _fault(sent, name, services)
            if fault is not None:
                yield name, f"{fault} ({sent.where})"


def unpublished(services: Mapping[str, ServiceClass]) -> Iterator[tuple[str, str]]:
    """Yield each event that nobody here publishes, as its subscriber's name and the event's.

    None at all where somebody publishes what is not known: it could be any.
    """
    sent = (each for service in services.values() for each in sent_by(service))
    published = {each.message for each in sent if each.verb == "publish"}
    if None in published:
        return
    for name, service in services.items():
        # Refused and GaveUp, which are generic, come from the runtime itself.
        heard = [each for each in service.handlers if isinstance(each, type)]
        for event in heard:
            if issubclass(event, Event) and event not in published:
                yield name, type_name(event)


@lru_cache(maxsize=64)
def sent_by(service: ServiceClass) -> tuple[Sent, ...]:
    """Return what the handlers of a service's class send, as far as it can be seen."""
    methods: dict[str, Any] = {}
    for base in reversed(service.__mro__):  # what is overridden is not called
        methods.update(vars(base))
    found: dict[FunctionType, list[Sent]] = {}
    for spec in service.handlers.values():
        _collect(spec.function, methods, found)
    return tuple(sent for each in found.values() for sent in each)


# --- Whether somebody takes it -----------------------------------------------------------------


def _fault(sent: Sent, sender: str, services: Mapping[str, ServiceClass]) -> str | None:
    """Return why nobody takes it; None where somebody does, or where that is not known."""
    message = sent.message
    if sent.verb == "publish":
        if message is None or issubclass(message, Event):
            return None
        return f"publishes {message.__name__}, which is no Event: send it to a service"
    name = "a message" if message is None else message.__name__
    if sent.verb == "send" and sent.receiver not in {None, *services}:
        known = ", ".join(services)
        return f"sends {name} to {sent.receiver!r}, and no service is called so: there are {known}"
    receiver = sent.receiver if sent.verb == "send" else sender
    if message is None or receiver is None:
        return None
    spec = services[receiver].handlers.get(message)
    return _untaken(sent.verb, name, None if spec is None else spec.kind, sender, receiver)


def _untaken(verb: str, name: str, kind: str | None, sender: str, receiver: str) -> str | None:
    """Return why the receiver, whose handler of it is of that kind, does not take it; else None."""
    own = "write tx.run(...) for an @effect, tx.after(0.0, ...) for a @command"
    if verb == "run":
        if kind == "effect":
            return None
        return f"runs {name}, and has no @effect for it: {own}, tx.send(...) for another service's"
    if verb == "send" and receiver == sender:
        return f"sends {name} to itself: {own}"
    how = f"sends {name} to {receiver}, which" if verb == "send" else f"puts off {name}, and"
    if kind is None:
        return f"{how} has no handler for it"
    if kind == "query":
        return f"{how} answers it as a query: ask it, such as from an @effect"
    return None


# --- What the source says ----------------------------------------------------------------------


def _collect(
    handler: Any, methods: Mapping[str, Any], found: dict[FunctionType, list[Sent]]
) -> None:
    """Look at a function, and at what it calls with a transaction."""
    function = inspect.unwrap(getattr(handler, "__func__", handler))  # a static method's own, say
    if not isinstance(function, FunctionType) or function in found:
        return
    parameters = _transactions(function)
    if not parameters:
        return
    used = _names_used(function.__code__)
    found[function] = list(_read(function, parameters)) if used & VERBS else []
    for name in sorted(used):  # the same order in every process
        for names in (methods, function.__globals__):
            if name in names:
                _collect(names[name], methods, found)


def _transactions(function: FunctionType) -> set[str]:
    """Return the names of the parameters that are typed Transaction."""
    found = set()
    for name, annotation in function.__annotations__.items():
        kind = annotation
        if isinstance(annotation, str):
            kind = _value(annotation.split("."), function.__globals__)
            if kind is None and annotation.rpartition(".")[2] == "Transaction":
                kind = Transaction  # imported for the type checker alone
        if kind is Transaction and name != "return":
            found.add(name)
    return found


def _names_used(code: CodeType) -> set[str]:
    used = set(code.co_names)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            used |= _names_used(each)
    return used


def _read(function: FunctionType, parameters: set[str]) -> Iterator[Sent]:
    code = function.__code__
    nodes = _parse(code, function.__globals__)
    local = _assigned(nodes, code)
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)):
                pass
            case _:
                continue
        if name not in parameters or verb not in VERBS:
            continue
        given = [*node.args, *[None] * 2]
        named = {each.arg: each.value for each in node.keywords}
        to, what = given[:2] if verb in {"send", "after"} else (None, given[0])
        what = what or named.get("event" if verb == "publish" else "command")
        receiver = _resolve(to or named.get("service"), local, function) if verb == "send" else None
        message = _resolve(_made(what, local), local, function)
        yield Sent(
            verb=verb,
            receiver=receiver if isinstance(receiver, str) else None,
            message=message if isinstance(message, type) and issubclass(message, Message) else None,
            where=f"{code.co_filename}, line {code.co_firstlineno + node.lineno - 2}",
        )


def _parse(code: CodeType, names: dict[str, Any]) -> list[ast.AST]:
    """Return what the function's own lines are made of, one line further down; else nothing.

    Not inspect.getsource: that reads each file token by token, which takes ten times as long.
    """
    last = max((end for _, end, _, _ in code.co_positions() if end is not None), default=0)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            last = max(last, *(end for _, end, _, _ in each.co_positions() if end is not None))
    lines = linecache.getlines(code.co_filename, names)[code.co_firstlineno - 1 : last]
    head = "if True:\n" if lines and lines[0][0].isspace() else "\n"
    try:
        return _nodes(ast.parse(head + "".join(lines)))
    except (SyntaxError, ValueError):
        return []


def _nodes(tree: ast.AST) -> list[ast.AST]:
    """Return all that the tree is made of, in the order of ast.walk and in half of its time."""
    found = [tree]
    for node in found:  # which grows meanwhile
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                found.append(value)
    return found


def _assigned(nodes: list[ast.AST], code: CodeType) -> dict[str, ast.expr | None]:
    """Return the function's own names, each with what is assigned to it, once; else None."""
    bound: Counter[str] = Counter(code.co_freevars)
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                bound[name] += 1
            case ast.MatchAs(name=str(name)) | ast.ExceptHandler(name=str(name)):
                bound[name] += 1
    local: dict[str, ast.expr | None] = dict.fromkeys((*bound, *code.co_varnames))
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if bound[name] == 1:
                    local[name] = value
    return local


def _made(node: ast.expr | None, local: Mapping[str, ast.expr | None]) -> ast.expr | None:
    """Return the class of what is made in place, or of what the name stands for."""
    if isinstance(node, ast.Name):
        node = local.get(node.id)
    return node.func if isinstance(node, ast.Call) else None


def _resolve(
    node: ast.expr | None, local: Mapping[str, ast.expr | None], function: FunctionType
) -> Any:
    """Return what a text, a name or a dotted name of the module's stands for, or None."""
    if isinstance(node, ast.Name):
        node = local.get(node.id, node)
    if isinstance(node, ast.Constant):
        return node.value
    path: list[str] = []
    while isinstance(node, ast.Attribute):
        path.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id in local:
        return None
    return _value([node.id, *path], function.__globals__)


def _value(path: list[str], names: dict[str, Any]) -> Any:
    """Follow names through modules and classes, whose look-up runs nobody's code; else None."""
    found = names.get(path[0])
    for name in path[1:]:
        if not isinstance(found, ModuleType | type):
            return None
        found = vars(found).get(name)
    return found
