"""What is wrong with a plan of a load, or with what it is put on."""

from __future__ import annotations

from actors.errors import DressRehearsalError


class LoadError(DressRehearsalError):
    """A load that cannot be put on a system; the message says what to do."""
