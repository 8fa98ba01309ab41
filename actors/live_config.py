"""The configuration of a running process: what of a new one applies at once, and what does not.

Sections are frozen, and handed down when the process starts. Who is to see a new value keeps the
section and reads the key each time; the one who changes it stands here. So a key is in LIVE if all
that use it do that, or are told by `App`; with every other the process would be half of two
configurations, and it needs a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.config import Config, S, Section, check_rules
from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from actors.config import HasSections

    # Reads the configuration anew, with this laid over it. Raises ConfigError.
    Load = Callable[[Mapping[str, Any]], Config]

LIVE: Final = frozenset(
    {
        "log.level",
        "service.replicas",
        "channel.retry_s",
        "channel.retry_s_max",
        "channel.window_messages",
        "channel.memory_kib",
        "background.requests_min",
        "background.quiet_s",
        "background.slice_messages",
        "background.slice_s",
        "background.slice_wait_s_max",
        "background.share_min",
        "background.lag_s_max",
        "effect.backoff_s_min",
        "effect.backoff_s_max",
        "effect.retries_share",
        "effect.retries_s_min",
        "effect.retries_kept_max",
        "breaker.calls_min",
        "breaker.failed_share",
        "breaker.open_s",
        "breaker.probe_s_max",
        "remote.command_s_max",
        "remote.rest_s_max",
        "trace.asked_per_s_max",
        "edge.deadline_s",
        "edge.admission.in_progress_min",
        "edge.admission.in_progress_max",
        "edge.admission.service_max",
        "edge.admission.target_s",
        "edge.admission.window_s",
        "edge.admission.rest_s",
        "edge.admission.rest_s_max",
        "edge.admission.returns_per_s",
        "edge.breaker.window_calls",
        "edge.breaker.calls_min",
        "edge.breaker.failed_share",
        "edge.breaker.patience_s",
        "edge.breaker.open_s",
        "edge.breaker.probes_max",
    }
)


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """Which keys have another value from now on, and which would have after a restart."""

    applied: Sequence[str]
    needs_restart: Sequence[str]


class LiveConfig:
    """A process's: `config` is what it runs by."""

    def __init__(
        self,
        config: Config,
        systems: Sequence[HasSections],
        load: Load,
        check: Callable[[Config], object] = lambda _: None,
    ) -> None:
        """`load` is how it was read in the first place; `check` raises where none could boot so."""
        self.config = config
        self._systems = systems
        self._load = load
        self._check = check

    def reload(self, more: Mapping[str, Any]) -> Reloaded:
        """Read it anew, with `more` laid over it, and change what can be changed.

        Raises ConfigError where it is wrong, or would be with what needs a restart as it is; then
        nothing is changed.
        """
        new = self._load(more)
        self._check(new)
        changes = dict(_changes(self.config, new))
        applied = {path: value for path, value in changes.items() if path in LIVE}
        needs_restart = sorted(changes.keys() - LIVE)
        try:
            check_rules(_with(self.config, applied), self._systems)
        except ConfigError as error:
            message = f"{error}: as it runs, {' and '.join(needs_restart)} need a restart"
            raise ConfigError(message) from error
        change_keys(self.config, applied)
        return Reloaded(applied=sorted(applied), needs_restart=needs_restart)


def change_keys(section: Section, values: Mapping[str, Any], within: str = "") -> None:
    """Give keys of the frozen section these values, by their paths: those that are there."""
    for name in section.__struct_fields__:
        path, value = f"{within}{name}", getattr(section, name)
        if isinstance(value, Section):
            change_keys(value, values, f"{path}.")
        elif path in values:
            msgspec.structs.force_setattr(section, name, values[path])


def key_of(config: Config, path: str) -> Any:
    """Return the value of the key at that path."""
    found: Any = config
    for name in path.split("."):
        found = getattr(found, name)
    return found


# --- Inside ------------------------------------------------------------------------------------


def _changes(old: Section, new: Section, within: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each key whose value is another, by its path, with the new one."""
    for name in old.__struct_fields__:
        path, was, value = f"{within}{name}", getattr(old, name), getattr(new, name)
        if isinstance(was, Section):
            yield from _changes(was, value, f"{path}.")
        elif was != value:
            yield path, value


def _with(config: Config, values: Mapping[str, Any]) -> Config:
    """Return a copy with these values."""
    copy = _copied(config)
    change_keys(copy, values)
    return copy


def _copied(section: S) -> S:
    fields = {name: getattr(section, name) for name in section.__struct_fields__}
    inner = {name: _copied(each) for name, each in fields.items() if isinstance(each, Section)}
    return msgspec.structs.replace(section, **inner)
