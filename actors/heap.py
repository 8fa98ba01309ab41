"""Spares the garbage collector what is imported: nearly all of it stays as long as the process."""

from __future__ import annotations

import gc


def spare_imports() -> None:
    """Collect nothing from now on, until `settle`: a process begins so."""
    gc.disable()


def settle() -> bool:
    """Collect again, but never look at what is there now; returns whether imports were spared.

    With them, a fifth of a start, and most of what the interpreter does when it ends. Where they
    were not, as in somebody else's process, nothing is done: its heap is not ours to freeze.
    """
    spared = not gc.isenabled()
    if spared:
        gc.freeze()
        gc.enable()
    return spared
