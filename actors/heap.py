"""Spares the garbage collector what is imported: nearly all of it stays as long as the process."""

from __future__ import annotations

import gc

_spared = False


def spare_imports() -> None:
    """Collect nothing from now on, until `settle`: a process begins so."""
    global _spared  # noqa: PLW0603 - the collector is the process's: there is one
    gc.disable()
    _spared = True


def settle() -> bool:
    """Collect again, but never look at what is there now; returns whether imports were spared.

    With them, a fifth of a start, and most of what the interpreter does when it ends. Where they
    were not, as in somebody else's process, nothing is done, whether that collects or not: its heap
    is not ours to freeze.
    """
    global _spared
    spared, _spared = _spared, False
    if spared:
        gc.freeze()
        gc.enable()
    return spared
