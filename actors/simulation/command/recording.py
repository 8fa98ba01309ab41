"""A run as a file that plays it: what failed, what was exported, or what somebody has written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from actors.errors import ConfigError
from actors.faults.fault_kinds import FAULTS
from actors.simulation.script.knobs import Knob  # noqa: TC001 - decoded by its type
from actors.simulation.script.schedule import Schedule
from actors.simulation.script.script import Script
from actors.simulation.script.workload import CLIENTS, ClientRequest
from actors.simulation.time.order import Order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from actors.simulation.script.targets import Targets
    from actors.system import System

# How msgspec says where: in which byte, or by a path from the document's root.
BYTE: Final = re.compile(r"\(byte (\d+)\)")
ROOT: Final = re.compile(r"`\$\.?([^`]*)`")


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
        """Return what was written; `ConfigError` says what is wrong with the file, and where."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from error
        raw = _decoded(path, text, _Raw)
        system = systems.get(raw.system)
        if system is None or system.scenario is None:
            raise ConfigError(f"{path}: there is no system {raw.system!r} to simulate")
        call: Any = system.scenario()().call_type
        requests: Any = tuple[ClientRequest[call], ...]
        workload = _decoded(path, raw.script.workload, requests, "script.workload")
        script = Script(
            seed=raw.script.seed,
            workload=workload,
            schedule=raw.script.schedule,
            knobs=raw.script.knobs,
            order=raw.script.order,
        )
        for where, key in _unknown(msgspec.json.decode(text)["script"], script, "script"):
            raise ConfigError(f"{path}: {where}: there is no {key!r} there")
        for index, request in enumerate(workload):
            where = f"{path}: script.workload[{index}]"
            if request.gap_us < 0:
                raise ConfigError(f"{where}.gap_us: none comes before the one before it")
            if not 0 <= request.client < CLIENTS:
                clients = f"clients are numbered from 0 to {CLIENTS - 1}"
                raise ConfigError(f"{where}.client: {clients}, and this is {request.client}")
        seed = script.seed if raw.seed is None else raw.seed
        return cls(system=raw.system, seed=seed, script=script, troubles=raw.troubles)

    def check_targets(self, path: Path, targets: Targets) -> None:
        """Raise ConfigError where a fault is to happen to what the system does not have."""
        for index, step in enumerate(self.script.schedule.steps):
            scope = FAULTS[step.fault].scope
            known = dict.fromkeys(targets.of(scope))
            if step.target not in known:
                where = f"{path}: script.schedule.steps[{index}].target"
                message = f"{where}: there is no {scope} {step.target!r}, but: {', '.join(known)}"
                raise ConfigError(message)


def system_in(path: Path) -> str | None:
    """Return whose script a file holds; None where it is JSON of another kind.

    What has a `system` or a `script` is meant to be one: raises ConfigError where it is not whole.
    """
    text = path.read_bytes()
    held = _decoded(path, text, Any)
    if not isinstance(held, dict) or held.keys().isdisjoint(_Named.__struct_fields__):
        return None
    named: _Named = _decoded(path, text, _Named)
    return named.system


class _RawScript(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    seed: int = 0
    workload: msgspec.Raw = msgspec.Raw(b"[]")
    schedule: Schedule = Schedule()
    knobs: tuple[Knob, ...] = ()
    order: Order = Order()


class _Named(msgspec.Struct):
    system: str
    script: msgspec.Raw


class _Raw(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    system: str
    seed: int | None = None
    script: _RawScript
    troubles: tuple[str, ...] = ()


def _decoded(path: Path, text: bytes | msgspec.Raw, kind: Any, place: str = "") -> Any:
    """Decode what stands at `place`; the error names the place in the file."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        dot = "." if place else ""
        told = ROOT.sub(lambda found: f"`{place}{dot}{found[1]}`".replace(".[", "["), str(error))
        raise ConfigError(f"{path}: {told}") from error
    except msgspec.DecodeError as error:
        found = BYTE.search(str(error))
        before = bytes(text)[: int(found[1])].decode(errors="replace") if found else ""
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise ConfigError(f"{path}: line {line}, column {column}: {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is no UTF-8: {error}") from error


def _unknown(raw: Any, value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each key that was written and that nothing is read from, and where it stands."""
    if isinstance(value, msgspec.Struct) and isinstance(raw, dict):
        names = {each.encode_name: each.name for each in msgspec.structs.fields(value)}
        for key, written in raw.items():
            if key in names:
                yield from _unknown(written, getattr(value, names[key]), f"{place}.{key}")
            elif key != value.__struct_config__.tag_field:
                yield place, key
    elif isinstance(value, list | tuple) and isinstance(raw, list):
        for index, pair in enumerate(zip(raw, value, strict=False)):
            yield from _unknown(*pair, f"{place}[{index}]")
