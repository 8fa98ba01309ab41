"""The options that every command about a system takes: its configuration, and its data folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.config import Config


def add_configuration(
    parser: argparse.ArgumentParser, *, holds: str = "where the system's files are"
) -> None:
    """Add --config, --data-dir and --set; `holds` is what a command has the data folder for."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="laid over the shipped config.toml, key by key"
    )
    parser.add_argument(
        "--data-dir",
        type=_folder,
        metavar="DIR",
        help=f"{holds} (default: the configuration's runtime.data_dir, as shipped: data)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="overrides one key, such as edge.gateway.port=0 (repeatable)",
    )


def data_folder(data_dir: str | None, config: Config) -> Path:
    """Return the folder that was named, else the configuration's."""
    return Path(data_dir or config.runtime.data_dir).absolute()


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("a folder has a name: leave it out, or name one")
    return text
