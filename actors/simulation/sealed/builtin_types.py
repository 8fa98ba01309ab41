"""Replaces a method of a type written in C, which no assignment can.

`datetime.datetime.now` reads the clock in C, and `datetime.datetime` refuses assignment. A subclass
put in its place in every module would be seen by whoever compares or decodes by type (msgspec,
sqlite3, pickle). So the method is replaced where Python looks it up: in the dictionary behind the
type's read-only `__dict__`. The garbage collector hands that dictionary out; `PyType_Modified`
(Python/C API, "Type Objects") makes every cached look-up start again. A method that somebody has
taken from the type before, as in `now = datetime.now`, is not reached: see `forbidden.py`.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Any

from actors.simulation.errors import SimulationError

_forget_lookups = ctypes.pythonapi.PyType_Modified
_forget_lookups.argtypes = [ctypes.py_object]
_forget_lookups.restype = None


def replace_method(cls: type, name: str, method: Any) -> Any:
    """Put `method` into the type and return what was there. Raises SimulationError if it cannot."""
    namespace = gc.get_referents(cls.__dict__)[0]
    if not isinstance(namespace, dict) or name not in namespace:
        message = f"this Python does not let {cls.__qualname__}.{name} be watched"
        raise SimulationError(message)
    before = namespace[name]
    namespace[name] = method
    _forget_lookups(cls)
    if cls.__dict__[name] is not method:
        message = f"this Python ignores a watch on {cls.__qualname__}.{name}"
        raise SimulationError(message)
    return before
