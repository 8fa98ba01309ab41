"""What handlers send is looked at before anything runs: in their source, for who sends declares it.

Seen is `tx.send`, `tx.after`, `tx.run` and `tx.publish` in a service's handlers, and in the methods
and functions that these call as `self.helps(tx)` and `helps(tx)`; `tx` is the parameter that is
typed Transaction. A service's name is known where it is a text, or a constant of a module or a
class; a message where it is made in place (`Brew(cups=2)`), or a line before, by the only
assignment to that name.

All else is left alone, and found when it runs: a name or a message that is handed in or computed,
a name that is bound again, a transaction under another name, and what has no source, such as a
class made in a shell. What stands under a condition may never run here: a send to a service that is
not there is a warning then, and no fault. So a service may send to one that not every process has:
under an `if`, or by a name that it is given when it is made.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections import Counter
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from actors.kernel.messages import Event, Message, type_name
from actors.store.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    # A subclass of Service or StatelessService; mypy takes no such class for hashable.
    ServiceClass = Any

VERBS: Final = frozenset({"send", "after", "run", "publish"})
# What stands within one of these need not run.
PERHAPS: Final = frozenset(
    {
        *(ast.If, ast.IfExp, ast.BoolOp, ast.Match, ast.Try, ast.While, ast.For),
        *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda),
        *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    }
)
# What binds a name that is no node of its own: a function or class within, an import, what is
# matched or caught, and what later Pythons have besides.
BINDS: Final = ("name", "asname", "rest")
BINDING: Final = tuple(
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and {*BINDS} & {*kind._fields}
)


class Sent(NamedTuple):
    """A line that sends: what by, what, to whom. None is what is not known.

    `sure` is whether no condition stands before it, in its own function.
    """

    verb: str
    receiver: str | None
    message: type[Message] | None
    sure: bool
    where: str


class Sends:
    """What all services of a process send, as far as it can be seen; looked at once."""

    def __init__(self, services: Mapping[str, ServiceClass], sharded: Collection[str] = ()) -> None:
        """Read the handlers' source. Who is `sharded` may send to another shard of its own."""
        self._services = services
        self._sharded = sharded
        self._sent = {name: sent_by(service) for name, service in services.items()}

    def faults(self, *, sure: bool = True) -> Iterator[tuple[str, str]]:
        """Yield what nobody would take, each as the sender's name and what is wrong with a line.

        Those that are not `sure` may be meant: a send, under a condition, to who is not there.
        """
        for name, each in self._sent.items():
            for sent in each:
                fault = _fault(sent, name, self._services, self._sharded)
                absent = sent.verb == "send" and sent.receiver not in self._services
                if fault is not None and sure is (sent.sure or not absent):
                    yield name, f"{fault} ({sent.where})"

    def unpublished(self) -> Iterator[tuple[str, str]]:
        """Yield each event that nobody here publishes, as its subscriber's name and the event's.

        None at all where somebody publishes what is not known: it could be any.
        """
        sent = (one for each in self._sent.values() for one in each)
        published = {one.message for one in sent if one.verb == "publish"}
        if None in published:
            return
        for name, service in self._services.items():
            # Refused, GaveUp and Expired, which are generic, come from the runtime itself.
            heard = [each for each in service.handlers if isinstance(each, type)]
            for event in heard:
                if issubclass(event, Event) and event not in published:
                    yield name, type_name(event)

    def unforgotten(self) -> Iterator[tuple[str, str]]:
        """Yield each event that answers are forgotten by and that never comes, as `faults` does.

        Of a service that publishes what is not known there are none.
        """
        for name, service in self._services.items():
            published = {one.message for one in self._sent[name] if one.verb == "publish"}
            for spec in service.handlers.values() if None not in published else ():
                events = () if spec.cache is None else spec.cache.forget
                for event in events:
                    if event not in published and event not in service.handlers:
                        fault = (
                            f"forgets the answers of {spec.function.__name__} by "
                            f"{type_name(event)}, which it neither publishes nor hears: name what "
                            f"it does, or write an @on for it"
                        )
                        yield name, fault


# By class: a process looks at the same ones again and again, and reading is most of a look.
_sent_by: WeakKeyDictionary[ServiceClass, tuple[Sent, ...]] = WeakKeyDictionary()


def sent_by(service: ServiceClass) -> tuple[Sent, ...]:
    """Return what the handlers of a service's class send, as far as it can be seen."""
    known = _sent_by.get(service)
    if known is None:
        known = _sent_by[service] = tuple(_read(service))
    return known


def _read(service: ServiceClass) -> Iterator[Sent]:
    methods: dict[str, Any] = {}
    for base in reversed(service.__mro__):  # what is overridden is not called
        methods.update(vars(base))
    found: dict[FunctionType, tuple[bool, list[Sent]]] = {}
    for spec in service.handlers.values():
        _collect(spec.function, methods, found)
    for _, sent in found.values():
        yield from sent


# --- Whether somebody takes it -----------------------------------------------------------------


def _fault(
    sent: Sent, sender: str, services: Mapping[str, ServiceClass], sharded: Collection[str]
) -> str | None:
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
    kind = None if spec is None else spec.kind
    if receiver in sharded and sent.verb == "send":
        if kind == "effect":
            return f"sends {name} to {receiver}, which is sharded and runs it where it asks for it"
        sender = "" if sender == receiver else sender
    return _untaken(sent.verb, name, kind, sender, receiver)


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
        return f"{how} has no handler for it: write a @command for it there"
    if kind == "query":
        return f"{how} answers it as a query: ask it, such as from an @effect"
    return None


# --- What the source says ----------------------------------------------------------------------


class _Source:
    """A function's own lines, and what its names stand for there."""

    def __init__(self, function: FunctionType) -> None:
        """Read it; there is nothing in it where it has no source."""
        self.function = function
        self.nodes = _parse(function.__code__, function.__globals__)
        self._times, self._local = _assigned(self.nodes, function.__code__)
        # Nothing is known of one that is bound again, as by a function within.
        self.names = {
            name for name in _transactions(function) if not self.nodes or self._times[name] == 1
        }
        self._guarded = min((line for line in self._guards()), default=0)

    def is_sure(self, node: ast.expr) -> bool:
        """Whether no guard of the service's own stands before it: `if not self.mails: return`."""
        return not 0 < self._guarded < node.lineno

    def made(self, node: ast.expr | None) -> Any:
        """Return the class of what is made in place, or of what the name stands for; else None."""
        if isinstance(node, ast.Name):
            node = self._local.get(node.id)
        return self.resolved(node.func) if isinstance(node, ast.Call) else None

    def resolved(self, node: ast.expr | None) -> Any:
        """Return what a text, a name or a dotted name of the module's stands for, or None."""
        if isinstance(node, ast.Name):
            node = self._local.get(node.id, node)
        if isinstance(node, ast.Constant):
            return node.value
        path: list[str] = []
        while isinstance(node, ast.Attribute):
            path.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self._local:
            return None
        return _value([node.id, *path], self.function.__globals__)

    def called(self, node: ast.Call, methods: Mapping[str, Any]) -> FunctionType | None:
        """Return what `helps(tx)` or `self.helps(tx)` calls, if it says that it takes such."""
        found = None
        match node.func:
            case ast.Name():
                found = self.resolved(node.func)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                found = methods.get(name)
        found = getattr(found, "__func__", found)  # a static method's own, say
        return found if isinstance(found, FunctionType) and _transactions(found) else None

    def _guards(self) -> Iterator[int]:
        for node, _ in self.nodes:
            if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Return | ast.Raise):
                named = {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
                if "self" in named or not named & set(self._local):
                    yield node.lineno


def _collect(
    given: Any,
    methods: Mapping[str, Any],
    found: dict[FunctionType, tuple[bool, list[Sent]]],
    *,
    sure: bool = True,
) -> None:
    """Look at a function, and at what it calls with a transaction."""
    function = inspect.unwrap(given)
    typed = _transactions(function) if isinstance(function, FunctionType) else set()
    if not typed:  # it sends nothing
        return
    known = found.get(function)
    if known is not None and (known[0] or not sure):
        return
    source = _Source(function)
    sent: list[Sent] = []
    found[function] = (sure, sent)
    read: set[int] = set()
    for node, certain in source.nodes:
        match node:
            case ast.Attribute(value=ast.Name() as name, attr=attribute):
                if attribute not in VERBS:
                    read.add(id(name))
            case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr=verb)) if (
                verb in VERBS and name.id in source.names
            ):
                read.add(id(name))
                sent.append(_sent(verb, node, source, sure=sure and certain))
            case ast.Call():
                passed = [*node.args, *(each.value for each in node.keywords)]
                handed = [each for each in passed if _is_name(each, source.names)]
                called = source.called(node, methods) if handed else None
                if called is not None:
                    read |= {id(each) for each in handed}
                    unguarded = certain and source.is_sure(node)
                    _collect(called, methods, found, sure=sure and unguarded)
    # Out of sight, where nobody knows what is done with it: what matters then are events.
    unread = any(_is_name(node, typed) and id(node) not in read for node, _ in source.nodes)
    if unread or not source.nodes or typed != source.names or function is not given:
        sent.append(Sent("publish", None, None, sure=False, where=""))


def _is_name(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _transactions(given: FunctionType) -> set[str]:
    """Return the names of the parameters that are typed Transaction."""
    function: Any = inspect.unwrap(given)
    found = set()
    for name, annotation in getattr(function, "__annotations__", {}).items():
        kind = annotation
        if isinstance(annotation, str):
            kind = _value(annotation.split("."), function.__globals__)
            if kind is None and annotation.rpartition(".")[2] == "Transaction":
                kind = Transaction  # imported for the type checker alone
        if kind is Transaction and name != "return":
            found.add(name)
    return found


def _sent(verb: str, node: ast.Call, source: _Source, *, sure: bool) -> Sent:
    given = [*node.args, *[None] * 2]
    named = {each.arg: each.value for each in node.keywords}
    to, what = given[:2] if verb in {"send", "after"} else (None, given[0])
    what = what or named.get("event" if verb == "publish" else "command")
    receiver = source.resolved(to or named.get("service")) if verb == "send" else None
    message = source.made(what)
    code = source.function.__code__
    return Sent(
        verb=verb,
        receiver=receiver if isinstance(receiver, str) else None,
        message=message if isinstance(message, type) and issubclass(message, Message) else None,
        sure=sure and source.is_sure(node),
        where=f"{code.co_filename}, line {code.co_firstlineno + node.lineno - 2}",
    )


def _parse(code: CodeType, names: dict[str, Any]) -> list[tuple[ast.AST, bool]]:
    """Return what the function's own lines are made of, one line further down; else nothing.

    Each with whether it is sure to run. Not inspect.getsource: that reads each file token by token,
    which takes ten times as long.
    """
    last = max((end for _, end, _, _ in code.co_positions() if end is not None), default=0)
    for each in code.co_consts:
        if isinstance(each, CodeType):
            last = max(last, *(end for _, end, _, _ in each.co_positions() if end is not None))
    lines = linecache.getlines(code.co_filename, names)[code.co_firstlineno - 1 : last]
    head = "class _:\n" if lines and lines[0][0].isspace() else "\n"
    try:
        body = ast.parse(head + "".join(lines)).body
    except (SyntaxError, ValueError):
        return []
    if body and isinstance(body[0], ast.ClassDef) and body[0].name == "_":
        body = body[0].body
    if not body or not isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    return _nodes([body[0].args, *body[0].body])


def _nodes(trees: list[ast.AST]) -> list[tuple[ast.AST, bool]]:
    """Return all that the trees are made of, in the order of ast.walk and in half of its time."""
    found = [(tree, True) for tree in trees]
    for node, sure in found:  # which grows meanwhile
        inner = sure and type(node) not in PERHAPS
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [(each, inner) for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                found.append((value, inner))
    return found


def _assigned(
    nodes: list[tuple[ast.AST, bool]], code: CodeType
) -> tuple[Counter[str], dict[str, ast.expr | None]]:
    """Return how often names are bound, and each with what is assigned to it, once; else None."""
    bound: Counter[str] = Counter(code.co_freevars)
    for node, _ in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                bound[name] += 1
            case _ if isinstance(node, BINDING):
                names = [getattr(node, each, None) for each in BINDS]
                bound.update(each.partition(".")[0] for each in names if isinstance(each, str))
    local: dict[str, ast.expr | None] = dict.fromkeys((*bound, *code.co_varnames))
    for node, _ in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if bound[name] == 1:
                    local[name] = value
    return bound, local


def _value(path: list[str], names: Mapping[str, Any]) -> Any:
    """Follow names through modules and classes, whose look-up runs nobody's code; else None."""
    found: Any = None
    for name in path:
        if _varies(name, names.get("__file__")):
            return None
        found = names.get(name)
        names = vars(found) if isinstance(found, ModuleType | type) else {}
    return found


# By file: its lines, as long as these are what linecache has, and the names.
_varying: dict[str, tuple[list[str], frozenset[str]]] = {}


def _varies(name: str, file: str | None) -> bool:
    """Whether a function of the module's file sets its `name`: it is no constant then."""
    if not isinstance(file, str):
        return False
    lines = linecache.getlines(file)
    known = _varying.get(file)
    if known is None or known[0] is not lines:  # a module's names are asked for by the hundred
        found = (re.findall(r"\w+", each) for each in lines if "global " in each)
        known = _varying[file] = lines, frozenset(one for each in found for one in each)
    return name in known[1]
