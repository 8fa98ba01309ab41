"""Whose file it is depends on its inode, which a disk uses again and memory does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tmp_path(on_disk: Path) -> Path:
    """All folders here are on the disk."""
    return on_disk
