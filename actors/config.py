"""config.toml as frozen structs; an unknown, missing or wrong key is an error that names it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULTS = Path(__file__).parent.parent / "config.toml"

# Thirty years in seconds, and what fits a C int: neither infinity nor a slip of the finger.
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
# As a URL has it, without a port: a name, an IPv4 address, an IPv6 one with or without brackets.
HostName = Annotated[
    str, msgspec.Meta(pattern=r"^([A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+\]?)\Z")
]
Compound = Annotated[float, msgspec.Meta(ge=-1, le=1)]
NotNegativeCount = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
FailureWord = Annotated[str, msgspec.Meta(max_length=100, pattern=r"[^\W_]")]
# No space, quote or minus: the rule that the reader makes of it must mean the word itself.
Keyword = Annotated[str, msgspec.Meta(pattern=r'^[^\s"():-][^\s"():]{0,99}\Z')]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of config.toml. Reasons and units stand there, beside the numbers."""


class RuntimeConfig(_Section, frozen=True, kw_only=True):
    data_dir: str
    seed: Annotated[int, msgspec.Meta(ge=0)]
    drain_s: NotNegative


class LogConfig(_Section, frozen=True, kw_only=True):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["auto", "console", "json"]


class MailboxConfig(_Section, frozen=True, kw_only=True):
    capacity: Count
    overflow: Literal["reject", "drop_oldest", "drop_newest", "wait"]
    retry_after_s: Positive
    turn_messages_max: Count
    stalled_s: Positive


class SupervisorConfig(_Section, frozen=True, kw_only=True):
    intensity: Annotated[int, msgspec.Meta(ge=0)]
    period_s: Positive
    backoff_s_min: NotNegative
    backoff_s_max: NotNegative
    stable_s: NotNegative
    start_stall_s_max: Positive
    start_retry_after_s: Positive
    shutdown_s: NotNegative
    park_retry_s: Positive


class ServiceConfig(_Section, frozen=True, kw_only=True):
    attempts_max: Count
    handler_s_max: Annotated[float, msgspec.Meta(ge=0.01, le=1e9)]
    batch_messages_max: Count
    dead_letters_max: Count


class StoreConfig(_Section, frozen=True, kw_only=True):
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


class ChannelConfig(_Section, frozen=True, kw_only=True):
    window_messages: Count
    retry_s: Positive


class TimerConfig(_Section, frozen=True, kw_only=True):
    window_timers: Count
    poll_s_max: Positive
    retry_s: Positive


class EffectConfig(_Section, frozen=True, kw_only=True):
    effect_s_max: Positive
    attempts_max: Count
    backoff_s_min: NotNegative
    backoff_s_max: NotNegative
    running_max: Count
    waiting_max: Count
    silence_s: Positive


class BackupConfig(_Section, frozen=True, kw_only=True):
    hold_s_max: Positive
    retry_s: Positive
    attempts_max: Count


class BreakerConfig(_Section, frozen=True, kw_only=True):
    failures_max: Count
    open_s: Positive
    probes_max: Count
    probe_s_max: Positive


class ListenerConfig(_Section, frozen=True, kw_only=True):
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Port


class EdgeConfig(_Section, frozen=True, kw_only=True):
    deadline_s: Positive
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
    gateway: ListenerConfig
    hotel: ListenerConfig
    tweets: ListenerConfig
    x_platform: ListenerConfig


class TweetsConfig(_Section, frozen=True, kw_only=True):
    keywords: Annotated[tuple[Keyword, ...], msgspec.Meta(min_length=1, max_length=20)]
    sentiment_replicas: Annotated[int, msgspec.Meta(ge=1, le=64)]
    negative_max: Compound
    positive_min: Compound
    rant_max: Compound
    scored_chars_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    like_min: Compound
    like_never: Annotated[tuple[FailureWord, ...], msgspec.Meta(max_length=1_000)]
    likes_author_hour_max: NotNegativeCount
    replies_author_hour_max: NotNegativeCount
    replies_conversation_day_max: NotNegativeCount
    replies_hour_max: NotNegativeCount
    replies_to_replies: bool
    reply_text: Annotated[str, msgspec.Meta(min_length=1, max_length=240)]
    retry_s: Positive
    reply_s_max: Positive
    seen_kept_s: Positive


class XConfig(_Section, frozen=True, kw_only=True):
    platform: Literal["auto", "simulator", "x"]
    credentials_file: str
    write: bool
    backfill_minutes_max: Annotated[int, msgspec.Meta(ge=0, le=5)]
    stall_s: Positive
    reconnect_s_min: Positive
    reconnect_s_max: Positive
    rules_check_s: Positive
    window_tweets: Count
    base_url: str
    barred_s_min: Positive
    barred_s_max: Positive
    gaps_filled_by: Literal["search", "stream", "nothing"]
    gap_wait_s: Positive
    gap_retry_s: Positive


class XPlatformConfig(_Section, frozen=True, kw_only=True):
    tweets_per_s: Annotated[float, msgspec.Meta(ge=0, le=10_000)]
    keyword_share: Annotated[float, msgspec.Meta(ge=0, le=1)]
    keepalive_s: Positive
    connections_max: Count
    rules_max: Count
    rule_chars_max: Count
    window_s: Positive
    requests_max: Count
    backfill_minutes_max: Annotated[int, msgspec.Meta(ge=0, le=5)]
    matches_kept_s: Positive
    recovery_s_max: Positive


class MoneyConfig(_Section, frozen=True, kw_only=True):
    amount: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000_000)]
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]


class HotelConfig(_Section, frozen=True, kw_only=True):
    room_rate_default: MoneyConfig
    nights_max: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    time_zone: Annotated[str, msgspec.Meta(min_length=1)]
    hold_s: Positive
    booking_s_max: Positive
    settle_retry_s: Positive
    refund_full_days: Annotated[int, msgspec.Meta(ge=0, le=36_600)]
    refund_late_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]


class Config(_Section, frozen=True, kw_only=True):
    """The whole of config.toml."""

    runtime: RuntimeConfig
    log: LogConfig
    mailbox: MailboxConfig
    supervisor: SupervisorConfig
    service: ServiceConfig
    store: StoreConfig
    backup: BackupConfig
    channel: ChannelConfig
    timer: TimerConfig
    effect: EffectConfig
    breaker: BreakerConfig
    edge: EdgeConfig
    tweets: TweetsConfig
    x: XConfig
    x_platform: XPlatformConfig
    hotel: HotelConfig


def load_config(overlay: Path | None = None, settings: Iterable[str] = ()) -> Config:
    """Read the shipped config.toml, lay `overlay` over it, then each `SECTION.KEY=VALUE`.

    A setting's VALUE is TOML where it parses as TOML (`5`, `"x"`, `{...}`), else a plain string.
    Raises ConfigError, naming the file or the key.
    """
    tree = _read(DEFAULTS)
    if overlay is not None:
        _merge(tree, _read(overlay))
    for setting in settings:
        _merge(tree, _parse_setting(setting))
    try:
        config = msgspec.convert(tree, Config)
    except msgspec.ValidationError as error:
        message = f"configuration: {error}; config.toml lists every key with its unit"
        raise ConfigError(message) from error
    _check_relations(config)
    _check_time_zone(config.hotel.time_zone)
    return config


def _check_relations(config: Config) -> None:
    """Raise ConfigError where two keys that are right by themselves contradict each other."""
    edge, supervisor = config.edge, config.supervisor
    for holds, rule in (
        (
            edge.page_items_default <= edge.page_items_max,
            "edge.page_items_default is at most edge.page_items_max",
        ),
        (
            supervisor.backoff_s_min <= supervisor.backoff_s_max,
            "supervisor.backoff_s_min is at most supervisor.backoff_s_max",
        ),
        (
            config.effect.backoff_s_min <= config.effect.backoff_s_max,
            "effect.backoff_s_min is at most effect.backoff_s_max",
        ),
        (
            config.tweets.negative_max < config.tweets.positive_min,
            "tweets.negative_max is below tweets.positive_min",
        ),
        (
            config.x.reconnect_s_min <= config.x.reconnect_s_max,
            "x.reconnect_s_min is at most x.reconnect_s_max",
        ),
        (
            # Else the reader takes each quiet stream for dead. The real X has its own pace.
            config.x.platform == "x" or config.x_platform.keepalive_s < config.x.stall_s,
            "x_platform.keepalive_s is below x.stall_s",
        ),
        (
            # Else a backfill has less than was asked for, and nobody is told.
            config.x_platform.backfill_minutes_max * 60 < config.x_platform.matches_kept_s,
            "x_platform.backfill_minutes_max is less time than x_platform.matches_kept_s",
        ),
        (
            config.effect.effect_s_max <= config.breaker.probe_s_max,
            "effect.effect_s_max is at most breaker.probe_s_max",
        ),
        (
            # Else the room is given away while the booking may still be paid.
            config.hotel.booking_s_max <= config.hotel.hold_s,
            "hotel.booking_s_max is at most hotel.hold_s",
        ),
        (
            # Else what is redelivered within its deadline is taken for new.
            edge.deadline_s <= min(config.store.edge_keys_kept_s, config.store.client_keys_kept_s),
            "edge.deadline_s is at most store.edge_keys_kept_s and store.client_keys_kept_s",
        ),
        (
            # Else we like in public what we call neutral ourselves.
            config.tweets.positive_min <= config.tweets.like_min,
            "tweets.positive_min is at most tweets.like_min",
        ),
        (
            # Else a reply that has failed is given up before it is tried again.
            config.tweets.retry_s < config.tweets.reply_s_max,
            "tweets.retry_s is below tweets.reply_s_max",
        ),
        (
            # Else a reconnect brings again what the reader has forgotten.
            config.x.backfill_minutes_max * 60 < config.tweets.seen_kept_s,
            "x.backfill_minutes_max is less time than tweets.seen_kept_s",
        ),
    ):
        if not holds:
            message = f"configuration: {rule}; set both together"
            raise ConfigError(message)


def _check_time_zone(name: str) -> None:
    if name == "UTC":  # needs no data, which a small image may lack
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = (
            f"configuration: hotel.time_zone: no time zone {name!r} on this system; write an IANA "
            f'name such as "Europe/Zurich", and install time zone data (tzdata) if it has none'
        )
        raise ConfigError(message) from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"cannot read the configuration {path}: {error}"
        raise ConfigError(message) from error


def _merge(tree: dict[str, Any], overlay: dict[str, Any]) -> None:
    for key, value in overlay.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            _merge(tree[key], value)
        else:
            tree[key] = value


def _parse_setting(setting: str) -> dict[str, Any]:
    path, separator, text = setting.partition("=")
    keys = path.strip().split(".")
    if not separator or not all(keys):
        message = f"--set {setting!r}: write it as SECTION.KEY=VALUE, such as edge.gateway.port=0"
        raise ConfigError(message)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        value = text.strip()
    for key in reversed(keys):
        value = {key: value}
    return dict(value)
