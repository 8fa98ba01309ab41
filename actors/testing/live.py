"""What the fixture `live` is: boots systems in processes of their own, and ends them all."""

from __future__ import annotations

import shlex
import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from actors.config import listed_systems, load_config
from actors.entry_point import load_listed, load_named
from actors.errors import DressRehearsalError, EntryPointError
from actors.program import ANYWHERE
from actors.testing.live_system import LiveSystem
from actors.testing.whereabouts import entry_of, is_from
from http_edge.listener import GATEWAY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from actors.system import System


class Live:
    """Boots systems on free ports, each on a folder of its own; `made` are all of them."""

    def __init__(self, folder: Path) -> None:
        """All files are below `folder`, until `end` removes it."""
        self._folder = folder
        self._modules = set(sys.modules)
        self._imported_from: set[str] = set()
        self.made: list[LiveSystem] = []

    def __call__(
        self, system: System | str | None = None, *settings: str, config: Path | None = None
    ) -> LiveSystem:
        """Boot a system and return when it is ready.

        `system` is one that a module has at its top level, or what stands behind `run` on the
        command line, such as "shop.py:SHOP"; without one, what the configuration lists. `config` is
        laid over the shipped configuration, then each of the settings: "SECTION.KEY=VALUE".
        Raises NotLive with the process's last words where it does not come up.
        """
        __tracebackhide__ = True
        try:
            return self.prepare(system, *settings, config=config).start()
        except DressRehearsalError as error:  # it says all, and our lines nothing
            raise error.with_traceback(None) from None

    def prepare(
        self,
        system: System | str | None = None,
        *settings: str,
        config: Path | None = None,
        data_dir: Path | None = None,
    ) -> LiveSystem:
        """Return one that is not started yet, on a folder with files if one is named."""
        path = set(sys.path)
        try:
            entry, systems = _found(system, config, settings)
        finally:
            self._imported_from |= set(sys.path) - path
        ports = [GATEWAY, *(each.name for one in systems for each in one.listeners)]
        settings = (*(f"edge.{name}.port=0" for name in dict.fromkeys(ports)), *settings)
        data_dir = data_dir or self._folder / str(len(self.made))
        words = ["run", *([] if entry is None else [entry]), f"--data-dir={data_dir}"]
        words += [] if config is None else [f"--config={config.absolute()}"]
        made = LiveSystem(
            [*shlex.split(ANYWHERE), *words, *(f"--set={each}" for each in settings)],
            data_dir=data_dir,
            systems=systems,
            config=load_config(config, settings, systems),
        )
        self.made.append(made)
        return made

    def end(self) -> None:
        """Leave no process, no file and no import, however far it came."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            stack.callback(self._forget)
            for each in self.made:
                stack.callback(each.kill_process)

    def _forget(self) -> None:
        """Leave the names of what was imported to others: the next test has a `shop.py`, too."""
        imported = set(sys.modules) - self._modules
        for name in [each for each in imported if is_from(each, self._imported_from)]:
            del sys.modules[name]
        sys.path[:] = [each for each in sys.path if each not in self._imported_from]


def _found(
    system: System | str | None, config: Path | None, settings: Sequence[str]
) -> tuple[str | None, Sequence[System]]:
    """Return how the command line is told of the systems, and these. Raises EntryPointError."""
    if system is None:
        return None, load_listed(listed_systems(config, settings))[0]
    if isinstance(system, str):
        return system, load_named(system, listed_systems(config, settings))
    entry = entry_of(system)
    if entry is None:
        raise EntryPointError(
            f"{system.name} stands at no module's top level, where the process that `live` starts "
            'could find it: put it there, or name it as the command line does, "shop.py:SHOP"'
        )
    return entry, (system,)
