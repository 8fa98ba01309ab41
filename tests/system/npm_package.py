"""An npm package of which every byte is known, kept in a cache between runs."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

INSTALL_S_MAX = 120


def install(cache: Path, name: str, version: str, sha512: str) -> Path:
    """Return the folder of the installed package, fetched once; `sha512` is base64, as npm has it.

    Nothing is run of what the package brings, and nothing is installed besides.
    """
    home = cache / f"{name}-{version}-{sha512[:8].replace('/', '_')}"
    package = home / "node_modules" / name
    if package.is_dir():
        return package
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as folder:
        draft = home.parent / folder / "draft"
        draft.mkdir()
        _npm(draft, "pack", f"{name}@{version}")
        (archive,) = draft.glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert digest == sha512, f"{archive.name} is not the one that was looked at: {digest}"
        options = ("--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--offline")
        _npm(draft, "install", *options, f"./{archive.name}")
        archive.unlink()
        # Whole or not at all: another run may look for it now.
        if not home.exists():
            shutil.move(draft, home)
    return package


def _npm(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["npm", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=INSTALL_S_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
