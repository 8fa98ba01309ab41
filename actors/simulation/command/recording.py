"""What failed, as a file that plays it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.errors import ConfigError
from actors.simulation.script.knobs import Knob  # noqa: TC001 - decoded by its type
from actors.simulation.script.schedule import Schedule  # noqa: TC001 - decoded by its type
from actors.simulation.script.workload import ClientRequest
from actors.simulation.stage.rehearsal import Script

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from actors.system import System


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One script, of which system, and what was wrong with it when it was written.

    `seed` is what it was found with; the script's own may be another, once it was made small.
    """

    system: str
    seed: int
    script: Script
    troubles: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as indented JSON: the requests and the faults are meant to be edited."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2).decode() + "\n"

    @classmethod
    def read(cls, path: Path, systems: Mapping[str, System]) -> Self:
        """Return what was written; `ConfigError` says what is wrong with the file."""
        try:
            raw = msgspec.json.decode(path.read_bytes(), type=_Raw)
            system = systems.get(raw.system)
            if system is None or system.scenario is None:
                raise ConfigError(f"{path}: there is no system {raw.system!r} to simulate")
            call: Any = system.scenario()().call_type
            workload = msgspec.json.decode(
                raw.script.workload, type=tuple[ClientRequest[call], ...]
            )
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise ConfigError(f"{path}: {error}") from error
        schedule = raw.script.schedule
        script = Script(
            seed=raw.script.seed, workload=workload, schedule=schedule, knobs=raw.script.knobs
        )
        return cls(system=raw.system, seed=raw.seed, script=script, troubles=raw.troubles)


class _RawScript(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    seed: int
    workload: msgspec.Raw
    schedule: Schedule
    knobs: tuple[Knob, ...] = ()


class _Raw(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    system: str
    seed: int
    script: _RawScript
    troubles: tuple[str, ...] = ()
