"""How what takes long is imported: without what nobody here uses, and what lacks is told apart."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = ("actors", "http_edge")


class NotInstalled(ModuleNotFoundError):
    """A package of somebody else's that we need lacks in this Python: `name` says which."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import within: there is no rich there, and no package that lacks is taken for a bug.

    structlog would import rich for tracebacks that we do not draw: where it is installed, for
    `load`, that is 60 ms of every start. Raises NotInstalled.
    """
    hidden = "rich" not in sys.modules
    if hidden:
        sys.modules["rich"] = None  # type: ignore[assignment]  # as Python marks what is not there
    try:
        yield
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] in OURS:
            raise
        raise NotInstalled(str(missing), name=missing.name) from missing
    finally:
        if hidden:
            del sys.modules["rich"]
