"""The options that every command about a system takes: its configuration, and its data folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from actors.config import Config


def add_configuration(
    parser: argparse.ArgumentParser, *, holds: str | None = "where the system's files are"
) -> None:
    """Add --config, --data-dir and --set; `holds` is what a command has the data folder for.

    Without that it has no --data-dir.
    """
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="laid over the shipped config.toml, key by key"
    )
    if holds is not None:
        parser.add_argument(
            "--data-dir",
            type=folder_name,
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


def parse_all(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the options; ends the process, saying why, where a word is none.

    Which system is meant is found out before: it says which options there are.
    """
    options, rest = parser.parse_known_args(words)
    if rest and not rest[0].startswith("-"):
        parser.error(f"{rest[0]!r} is no option; SYSTEM stands right behind the command")
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def data_folder(data_dir: str | None, config: Config) -> Path:
    """Return the folder that was named, else the configuration's."""
    return Path(data_dir or config.runtime.data_dir).absolute()


def folder_name(text: str) -> str:
    """Return it, as an option's type: an empty one is refused."""
    if not text:
        raise argparse.ArgumentTypeError("a folder has a name: leave it out, or name one")
    return text
