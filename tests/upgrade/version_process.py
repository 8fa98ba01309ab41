"""A process of some version: its command line is written here, not found by what is imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from actors.config import load_config
from actors.testing.live_system import LiveSystem
from tests.system.process import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def version_process(data_dir: Path, *words: str, checkout: Path = ROOT) -> LiveSystem:
    """Return one that is not started yet, of the version in `checkout`."""
    command = [sys.executable, str(checkout / "runtime.py"), *words, f"--data-dir={data_dir}"]
    return LiveSystem(command, data_dir=data_dir, systems=(), config=load_config())
