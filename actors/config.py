"""The configuration as frozen structs; an unknown, missing or wrong key is an error that names it.

What is here is the framework's, and its numbers stand in config.toml. Each system brings sections
of its own, with defaults, and listeners: they are loaded, laid over and checked as ours are.
"""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Protocol,
    Self,
    TypeVar,
    dataclass_transform,
)

import msgspec

from actors.config_faults import describe_fault
from actors.errors import ConfigError, declared
from actors.frozen_type import FrozenType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

# A wheel has a copy in the package; in a checkout there is but the one at its root.
_PACKAGED = Path(__file__).with_name("config.toml")
DEFAULTS = _PACKAGED if _PACKAGED.exists() else Path(__file__).parents[1] / "config.toml"

# Thirty years in seconds, and what fits a C int: neither infinity nor a slip of the finger.
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
NotNegativeCount = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
# As a URL has it, without a port: a name, an IPv4 address, an IPv6 one with or without brackets.
HostName = Annotated[
    str, msgspec.Meta(pattern=r"^([A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+\]?)\Z")
]

# What a system's own things may be called: files, keys and addresses have their names.
NAME = re.compile(r"[a-z][a-z0-9_]*")

# What keys that are right by themselves must be to each other, and whether they are.
Rule = tuple[bool, str]


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Section(
    msgspec.Struct, metaclass=FrozenType, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A table of the configuration. A reason and a unit stand beside each number's default."""

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        return ()


S = TypeVar("S", bound=Section)


class RuntimeConfig(Section):
    systems: tuple[str, ...]
    data_dir: Annotated[str, msgspec.Meta(pattern=r"\A[^\0]+\Z")]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    drain_s: NotNegative


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "console", "json"]


class MailboxConfig(Section):
    capacity: Count
    overflow: Literal["reject", "drop_oldest", "drop_newest", "wait"]
    retry_after_s: Positive
    turn_messages_max: Count
    stalled_s: Positive


class SupervisorConfig(Section):
    intensity: Annotated[int, msgspec.Meta(ge=0)]
    period_s: Positive
    backoff_s_min: NotNegative
    backoff_s_max: NotNegative
    stable_s: NotNegative
    start_stall_s_max: Positive
    start_retry_after_s: Positive
    shutdown_s: NotNegative
    stops_max: Count
    park_retry_s: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.backoff_s_min <= self.backoff_s_max,
            "supervisor.backoff_s_min is at most supervisor.backoff_s_max",
        )


class ServiceConfig(Section):
    attempts_max: Count
    handler_s_max: Annotated[float, msgspec.Meta(ge=0.01, le=1e9)]
    batch_messages_max: Count
    dead_letters_max: Count
    replicas_max: Count
    # By a service's name, before what its system says.
    replicas: dict[str, Count]
    balance: dict[str, str]

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        for name, replicas in self.replicas.items():
            rule = f"service.replicas.{name} is at most service.replicas_max"
            yield replicas <= self.replicas_max, rule


class StoreConfig(Section):
    busy_s_max: NotNegative
    cache_kib: Count
    wal_checkpoint_pages: Count
    wal_kept_kib: Count
    wal_kib_max: Count
    write_probe_s: Positive
    check_after_s: Positive
    client_keys_kept_s: Positive
    edge_keys_kept_s: Positive
    prune_rows_max: Count
    outbox_messages_max: Count
    events_kept_max: Count
    listed_rows_max: Count
    warned_kinds_max: Count


class CacheConfig(Section):
    entries_max: Count
    kib_max: Count
    refused_share: Share


class ChannelConfig(Section):
    window_messages: Count
    memory_kib: Count
    retry_s: Positive
    retry_s_max: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield self.retry_s <= self.retry_s_max, "channel.retry_s is at most channel.retry_s_max"


class TimerConfig(Section):
    window_timers: Count
    poll_s_max: Positive
    retry_s: Positive
    retry_s_max: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield self.retry_s <= self.retry_s_max, "timer.retry_s is at most timer.retry_s_max"


class BackgroundConfig(Section):
    requests_min: Count
    quiet_s: Positive
    slice_messages: Count
    slice_s: Positive
    slice_wait_s_max: Positive
    share_min: Share
    lag_s_max: Positive


class EffectConfig(Section):
    effect_s_max: Positive
    attempts_max: Count
    backoff_s_min: NotNegative
    backoff_s_max: NotNegative
    retries_share: NotNegative
    retries_s_min: NotNegative
    retries_kept_max: Count
    running_max: Count
    waiting_max: Count
    together_max: Count
    silence_s: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.backoff_s_min <= self.backoff_s_max,
            "effect.backoff_s_min is at most effect.backoff_s_max",
        )


class RemoteConfig(Section):
    command_s_max: Positive
    running_max: Count
    reply_bytes_max: Count
    rest_s_max: NotNegative


# What a system's section says of effects, by service and effect, where it has a key of this type
# that is called `effects`: `[shop.effects.till.ChargeCard]` goes before what its author says.
EffectTables = dict[str, dict[str, dict[str, Any]]]


class BackupConfig(Section):
    hold_s_max: Positive
    retry_s: Positive
    attempts_max: Count


class BreakerConfig(Section):
    window_calls: Count
    calls_min: Count
    failed_share: Share
    slow_s: NotNegative
    open_s: Positive
    probes_max: Count
    probe_s_max: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.calls_min <= self.window_calls,
            "breaker.calls_min is at most breaker.window_calls",
        )


class OtlpConfig(Section):
    url: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s/]\S*)?\Z")]
    queue_spans_max: Count
    batch_spans_max: Count
    period_s: Positive
    send_s_max: Positive
    drain_s_max: Positive


class TraceConfig(Section):
    sample_share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    asked_per_s_max: Positive
    rows_max: Count
    hops_max: Annotated[int, msgspec.Meta(ge=1, le=255)]
    memory_spans_max: Count
    recent_s: Positive
    recent_requests_max: Count
    errors_max: Count
    otlp: OtlpConfig


class FaultsConfig(Section):
    active_max: Count
    untouched: tuple[str, ...]
    percent_max: Annotated[float, msgspec.Meta(ge=0, le=100)]
    latency_s_max: Positive


class ListenerConfig(Section):
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Port


class AdmissionConfig(Section):
    in_progress_min: Count
    in_progress_begin: Count
    in_progress_max: Count
    service_max: Count
    saga_s_max: Positive
    target_s: Positive
    window_s: Positive
    rest_s: Positive
    rest_s_max: Positive
    returns_per_s: Positive

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.rest_s <= self.rest_s_max,
            "edge.admission.rest_s is at most rest_s_max",
        )
        yield (
            self.in_progress_min <= self.in_progress_begin <= self.in_progress_max,
            "edge.admission.in_progress_begin is from in_progress_min to in_progress_max",
        )


class EdgeBreakerConfig(Section):
    window_calls: Count
    calls_min: Count
    failed_share: Share
    patience_s: Positive
    open_s: Positive
    probes_max: Count

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.calls_min <= self.window_calls,
            "edge.breaker.calls_min is at most edge.breaker.window_calls",
        )


class EdgeConfig(Section):
    deadline_s: Annotated[float, msgspec.Meta(ge=0.01, le=1e9)]
    head_s_max: Positive
    body_bytes_max: Count
    body_s_max: Positive
    line_bytes_max: Annotated[int, msgspec.Meta(ge=256, le=2**31 - 1)]
    header_bytes_max: Annotated[int, msgspec.Meta(ge=256, le=2**31 - 1)]
    connections_max: Count
    connections_reserved: Count
    backlog_connections: Count
    keepalive_s: Positive
    linger_s: Positive
    send_s_max: Positive
    page_items_max: Count
    page_items_default: Count
    hosts: tuple[HostName, ...]
    suspend_s_max: Positive
    registry_wait_s_max: Positive
    metrics_look_s_max: Positive
    loop_lag_period_s: Positive
    gateway: ListenerConfig
    admission: AdmissionConfig
    breaker: EdgeBreakerConfig

    def listener(self, name: str) -> ListenerConfig:
        """Return where the listener of this name listens: the gateway, or one of a system's."""
        found: ListenerConfig = getattr(self, name)
        return found

    def listeners(self) -> Iterator[tuple[str, ListenerConfig]]:
        """Yield every listener's section with its name."""
        for name in self.__struct_fields__:
            if isinstance(found := getattr(self, name), ListenerConfig):
                yield name, found

    def rules(self) -> Iterable[Rule]:
        """Say what its keys must be to each other."""
        yield (
            self.page_items_default <= self.page_items_max,
            "edge.page_items_default is at most edge.page_items_max",
        )
        yield from self.admission.rules()
        yield from self.breaker.rules()


class Config(Section):
    """The whole configuration; what is loaded has a field more for each section of a system."""

    runtime: RuntimeConfig
    log: LogConfig
    mailbox: MailboxConfig
    supervisor: SupervisorConfig
    service: ServiceConfig
    store: StoreConfig
    cache: CacheConfig
    backup: BackupConfig
    channel: ChannelConfig
    timer: TimerConfig
    background: BackgroundConfig
    effect: EffectConfig
    breaker: BreakerConfig
    remote: RemoteConfig
    trace: TraceConfig
    faults: FaultsConfig
    edge: EdgeConfig

    def sections(self) -> Iterator[tuple[str, Section]]:
        """Yield every section with its name, the systems' among them."""
        yield from ((name, getattr(self, name)) for name in self.__struct_fields__)

    def section(self, kind: type[S]) -> S:
        """Return a system's section. Raises ConfigError where no system that is booted has it."""
        for _, section in self.sections():
            if isinstance(section, kind):
                return section
        message = f"configuration: no system that is booted has a section {kind.__name__}"
        raise ConfigError(message)

    def effect_tables(self) -> Iterator[tuple[str, EffectTables]]:
        """Yield what sections say of effects, with the section's name."""
        for name, section in self.sections():
            if tables := getattr(section, "effects", None):
                yield name, tables

    def named(self, name: str) -> Any:
        """Return the section of this name, whose type one need not know; None where there is none.

        So a system reads another's, which it does not import and which may not be booted.
        """
        return getattr(self, name, None)

    def changed(self, kind: type[Section], **changes: Any) -> Self:
        """Return a copy in which keys of one section have other values; they are not checked."""
        section = self.section(kind)
        (name,) = (name for name, each in self.sections() if each is section)
        changed = msgspec.structs.replace(section, **changes)
        return msgspec.structs.replace(self, **{name: changed})

    def rules(self) -> Iterable[Rule]:
        """Say what keys of different sections must be to each other."""
        yield (
            self.effect.effect_s_max <= self.breaker.probe_s_max,
            "effect.effect_s_max is at most breaker.probe_s_max",
        )
        yield (
            # Else what is redelivered within its deadline is taken for new.
            self.edge.deadline_s <= min(self.store.edge_keys_kept_s, self.store.client_keys_kept_s),
            "edge.deadline_s is at most store.edge_keys_kept_s and store.client_keys_kept_s",
        )


class HasListener(Protocol):
    """A listener, as a system declares it: where it listens if nobody says otherwise."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


class HasSections(Protocol):
    """What of the configuration is a system's."""

    @property
    def name(self) -> str: ...
    @property
    def config(self) -> Mapping[str, type[Section]]: ...
    @property
    def listeners(self) -> Sequence[HasListener]: ...
    @property
    def rules(self) -> Callable[[Config], Iterable[Rule]]: ...


def listed_systems(overlay: Path | None = None, settings: Iterable[str] = ()) -> tuple[str, ...]:
    """Return `runtime.systems`, by which the systems are found whose sections are loaded next.

    Laid over as all is. Raises ConfigError.
    """
    tree = _shipped()
    _lay_over(tree, overlay, settings)
    try:
        return msgspec.convert(tree["runtime"]["systems"], tuple[str, ...])
    except msgspec.ValidationError as error:
        message = f"configuration: runtime.systems is a list of entry points: {error}"
        raise ConfigError(message) from error


def named_keys(overlay: Path | None = None, settings: Iterable[str] = ()) -> dict[str, Any]:
    """Return the keys that somebody has set, as a tree. Raises ConfigError."""
    tree: dict[str, Any] = {}
    _lay_over(tree, overlay, settings)
    return tree


def load_config(
    overlay: Path | None = None,
    settings: Iterable[str] = (),
    systems: Sequence[HasSections] = (),
    more: Mapping[str, Any] | None = None,
) -> Config:
    """Read the defaults, lay `overlay` over them, then each `SECTION.KEY=VALUE`, then `more`.

    The defaults are config.toml's and those of the `systems`. A setting's VALUE is TOML where it
    parses as TOML (`5`, `"x"`, `{...}`), else a plain string. Raises ConfigError, naming the file
    or the key.
    """
    sections = _sections_of(systems)
    listeners = {each.name: each for system in systems for each in system.listeners}
    tree = _defaults_of(sections)
    _merge(tree, _shipped())
    for name, listener in listeners.items():
        tree["edge"].setdefault(name, {"host": listener.host, "port": listener.port})
    _lay_over(tree, overlay, settings)
    _merge(tree, dict(more or {}))
    whole = _whole(tuple(sections.items()), tuple(listeners))
    try:
        config = msgspec.convert(tree, whole)
    except msgspec.ValidationError as error:
        fault = describe_fault(error, whole, sections, DEFAULTS)
        raise ConfigError(f"configuration: {fault}") from error
    check_rules(config, systems)
    return config


def check_rules(config: Config, systems: Sequence[HasSections]) -> None:
    """Raise ConfigError where keys are not what they must be to each other."""
    rules = [rule for _, section in config.sections() for rule in section.rules()]
    rules += config.rules()
    for system in systems:
        with declared(system.name, "rules"):
            rules += system.rules(config)
    for holds, rule in rules:
        if not holds:
            message = f"configuration: {rule}; set both together"
            raise ConfigError(message)


def _sections_of(systems: Sequence[HasSections]) -> dict[str, type[Section]]:
    """Return the systems' sections by name.

    Raises ConfigError where two systems, or sections, cannot be told apart, or a name cannot be.
    """
    found: dict[str, type[Section]] = {}
    taken = dict.fromkeys(Config.__struct_fields__, "the framework")
    names: set[str] = set()
    for system in systems:
        if system.name in names:
            message = f"{system.name}: there is another system of this name"
            raise ConfigError(message)
        names.add(system.name)
        for name, kind in system.config.items():
            if name in taken:
                owner = taken[name]
                message = f"{system.name}: {owner} has a section {name!r} already: rename this one"
                raise ConfigError(message)
            _refuse_section(system.name, name, kind, found)
            found[name], taken[name] = kind, system.name
        for listener in system.listeners:
            if listener.name != "gateway" and not _may_be_called(listener.name, EdgeConfig):
                message = f"{system.name}: edge.{listener.name} can be no listener: {_NAMES}"
                raise ConfigError(message)
    return found


_NAMES = "choose a name of a-z, 0-9 and _ that begins with a letter and means nothing there yet"


def _may_be_called(name: str, among: type[Section]) -> bool:
    return NAME.fullmatch(name) is not None and not hasattr(among, name)


def _refuse_section(
    system: str, name: str, kind: object, known: Mapping[str, type[Section]]
) -> None:
    if not _may_be_called(name, Config):
        message = f"{system}: {name!r} can be no section: {_NAMES}"
        raise ConfigError(message)
    if not isinstance(kind, type) or not issubclass(kind, Section):
        message = (
            f"{system}: section {name} is no subclass of Section: give a class, as in "
            f"`class MyConfig(Section)`"
        )
        raise ConfigError(message)
    for other, its in known.items():
        # By its type a section is found: the second would have the first one's numbers.
        if issubclass(kind, its) or issubclass(its, kind):
            message = f"{system}: section {name} has the type of section {other}: give it its own"
            raise ConfigError(message)


def _defaults_of(sections: Mapping[str, type[Section]]) -> dict[str, Any]:
    """Return what the sections are if nobody says otherwise, as TOML would have it."""
    tree = {}
    for name, kind in sections.items():
        try:
            tree[name] = msgspec.to_builtins(kind())
        except (TypeError, ValueError) as error:
            message = f"configuration: a key of {name} has no default that may be: {error}"
            raise ConfigError(message) from error
    return tree


@lru_cache(maxsize=32)
def _whole(
    sections: tuple[tuple[str, type[Section]], ...], listeners: tuple[str, ...]
) -> type[Config]:
    """Return the type of a configuration with these sections and listeners."""
    more = {name: ListenerConfig for name in listeners if name != "gateway"}
    edge = _with(EdgeConfig, more)
    whole: type[Config] = _with(Config, {"edge": edge, **dict(sections)})
    return whole


def _with(kind: type[Section], keys: Mapping[str, type[Section]]) -> Any:
    """Return that type with these keys, too; msgspec.defstruct takes no metaclass of ours."""
    return FrozenType(kind.__name__, (kind,), {"__annotations__": {**keys}})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        message = f"cannot read the configuration {path}: {error}"
        raise ConfigError(message) from error


def _shipped() -> dict[str, Any]:
    try:
        found = DEFAULTS.stat()
    except OSError as error:
        message = f"cannot read the configuration {DEFAULTS}: {error}"
        raise ConfigError(message) from error
    packed = _packed(DEFAULTS, (found.st_mtime_ns, found.st_size, found.st_ino))
    tree: dict[str, Any] = msgspec.msgpack.decode(packed)
    return tree


# To parse it takes ten times as long as all the rest, and a test loads it several times. Whoever
# edits it while we run has another one: it may be read anew.
@lru_cache(maxsize=1)
def _packed(path: Path, _written: tuple[int, ...]) -> bytes:
    return msgspec.msgpack.encode(_read(path))


def _lay_over(tree: dict[str, Any], overlay: Path | None, settings: Iterable[str]) -> None:
    if overlay is not None:
        _merge(tree, _read(overlay))
    for setting in settings:
        _merge(tree, _parse_setting(setting))


def _merge(tree: dict[str, Any], overlay: dict[str, Any], within: str = "") -> None:
    for key, value in overlay.items():
        there = tree.get(key)
        if not isinstance(there, dict):
            tree[key] = value
        elif isinstance(value, dict):
            _merge(there, value, f"{within}{key}.")
        else:
            name = f"{within}{key}"
            example = f", such as {name}.{next(iter(there))}" if there else ""
            message = f"configuration: {name} is a table, and no value: set its keys{example}"
            raise ConfigError(message)


def _parse_setting(setting: str) -> dict[str, Any]:
    path, separator, text = setting.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        message = f"--set {setting!r}: write it as SECTION.KEY=VALUE, such as edge.gateway.port=0"
        raise ConfigError(message)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError):
        value = text.strip()
    for key in reversed(keys):
        value = {key: value}
    return dict(value)
