"""Puts the guards in the place of what they guard, and takes them out again."""

from __future__ import annotations

import contextlib
import socket
import sys
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohappyeyeballs.impl
from aiohttp import client_reqrep, client_ws, connector, web_protocol, web_ws

from actors.simulation.sealed.builtin_types import replace_method
from actors.simulation.sealed.forbidden import functions, methods
from actors.simulation.sealed.guard import Guard
from actors.simulation.sealed.sql import Connecting
from actors.simulation.sealed.surroundings import (
    OfAuthors,
    kept_from_authors,
    unread_by_authors,
)
from actors.simulation.sealed.syncs import Syncing
from actors.simulation.sealed.watch import watching

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


StandIn = Guard | OfAuthors | Connecting | Syncing


class _SocketModule:
    """The module `socket`, but for the class, which makes sockets of the simulated network."""

    def __getattr__(self, name: str) -> Any:
        watch = watching()
        world = watch.world if watch is not None else None
        if name == "socket" and world is not None and world.network is not None:
            return world.network.socket
        return getattr(socket, name)


class _SysModule:
    """The module `sys`, as of the oldest Python: one that begins no task before its turn."""

    version_info = (3, 11)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


_SERVED_SOCKETS = _SocketModule()
_OLDEST_PYTHON = _SysModule()
# Where Python can (3.12), they run a task to its first wait within the call that makes it, and not
# by the loop: who sends first would be the Python's choice.
_EAGER = (client_reqrep, client_ws, connector, web_protocol, web_ws)


class _Site(NamedTuple):
    """One name in one module."""

    namespace: dict[str, Any]
    name: str
    guard: StandIn


# Made once: looking through a thousand modules takes ten milliseconds, more than many a simulation.
_guards: dict[Any, StandIn] = {}
_sites: list[_Site] = []
_scanned: dict[str, ModuleType] = {}
_replacements: list[tuple[type, str, Any]] = []


@contextlib.contextmanager
def replaced() -> Iterator[None]:
    """Put every guard in its place, and the originals back at the end."""
    if not _guards:
        guards: list[StandIn] = [*functions(), *kept_from_authors(), Connecting(), Syncing()]
        _guards.update({guard.original: guard for guard in guards})
        _replacements.extend((*methods(), *unread_by_authors()))
    _scan()
    for site in _sites:
        site.namespace[site.name] = site.guard
    # The one place where aiohttp's client makes a socket.
    vars(aiohappyeyeballs.impl)["socket"] = _SERVED_SOCKETS
    for module in _EAGER:
        vars(module)["sys"] = _OLDEST_PYTHON
    originals = [(cls, name, _replace(cls, name, method)) for cls, name, method in _replacements]
    try:
        yield
    finally:
        vars(aiohappyeyeballs.impl)["socket"] = socket
        for module in _EAGER:
            vars(module)["sys"] = sys
        for cls, name, method in originals:
            _replace(cls, name, method)
        _scan()  # modules imported meanwhile hold guards
        for site in _sites:
            if site.namespace.get(site.name) is site.guard:
                site.namespace[site.name] = site.guard.original


def _replace(cls: type, name: str, method: Any) -> Any:
    if cls.__flags__ & _IMMUTABLE or not cls.__flags__ & _HEAP:
        return replace_method(cls, name, method)
    before = cls.__dict__[name]
    setattr(cls, name, method)
    return before


# Py_TPFLAGS_IMMUTABLETYPE and Py_TPFLAGS_HEAPTYPE of the C API.
_IMMUTABLE = 1 << 8
_HEAP = 1 << 9


def _scan() -> None:
    """Find every name in a loaded module that stands for something forbidden."""
    known = _scanned.get
    for module_name, module in [
        each for each in sys.modules.items() if known(each[0]) is not each[1]
    ]:
        _scanned[module_name] = module
        if module_name == __name__:
            continue
        namespace = getattr(module, "__dict__", None)
        if namespace is None:
            continue
        for name, value in list(namespace.items()):
            if isinstance(value, StandIn):
                _sites.append(_Site(namespace, name, value))
            elif isinstance(value, BuiltinFunctionType | FunctionType | MethodType):
                guard = _guarding(value)
                if guard is not None:
                    _sites.append(_Site(namespace, name, guard))


def _guarding(value: Any) -> StandIn | None:
    try:
        return _guards.get(value)
    except TypeError:  # a method of something that cannot be hashed
        return None
