from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.config import DEFAULTS, Config, Section, load_config
from actors.errors import ConfigError
from actors.systems import SYSTEMS
from actors.systems.tweets.config import XConfig
from actors.systems.x_platform.config import XPlatformConfig

if TYPE_CHECKING:
    from pathlib import Path


def overlay(tmp_path: Path, text: str) -> Path:
    """Write an overlay file."""
    path = tmp_path / "overlay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_configuration_is_whole() -> None:
    """config.toml alone is a valid configuration."""
    config = load_config()
    assert config.edge.gateway.port == 9000
    assert config.edge.gateway.host == "127.0.0.1"


def test_configuration_is_frozen() -> None:
    """Nobody changes a number under somebody who has read it."""
    with pytest.raises(AttributeError):
        load_config().mailbox.capacity = 1  # type: ignore[misc]


def test_overlay_is_laid_over_key_by_key(tmp_path: Path) -> None:
    """An overlay changes what it names, in nested tables too, and leaves the rest."""
    config = load_config(overlay(tmp_path, "[edge.gateway]\nport = 1\n[mailbox]\ncapacity = 7\n"))
    shipped = load_config()
    assert config.edge.gateway == msgspec.structs.replace(shipped.edge.gateway, port=1)
    assert config.mailbox == msgspec.structs.replace(shipped.mailbox, capacity=7)
    assert config.store == shipped.store


def test_setting_wins_over_overlay_and_the_last_wins(tmp_path: Path) -> None:
    """config.toml, then the overlay, then each --set in order."""
    path = overlay(tmp_path, "[mailbox]\ncapacity = 7\nretry_after_s = 2.0\n")
    config = load_config(path, ["mailbox.capacity=8", "mailbox.capacity=9"])
    assert (config.mailbox.capacity, config.mailbox.retry_after_s) == (9, 2.0)


@pytest.mark.parametrize(
    ("setting", "read", "value"),
    [
        ("edge.gateway.port=0", lambda config: config.edge.gateway.port, 0),
        ("edge.deadline_s=2", lambda config: config.edge.deadline_s, 2.0),
        ("log.level=debug", lambda config: config.log.level, "debug"),
        ('log.level="debug"', lambda config: config.log.level, "debug"),
        (" log.level = debug ", lambda config: config.log.level, "debug"),
        ("runtime.data_dir=/tmp/a=b", lambda config: config.runtime.data_dir, "/tmp/a=b"),  # noqa: S108
        (
            "hotel.room_rate_default={amount=1}",
            lambda config: (
                config.named("hotel").room_rate_default.amount,
                config.named("hotel").room_rate_default.currency,
            ),
            (1, "EUR"),
        ),
    ],
)
def test_setting_is_toml_or_else_text(setting: str, read: Any, value: object) -> None:
    """A VALUE that is TOML is taken as that, and anything else as a string."""
    assert read(load_config(settings=[setting], systems=SYSTEMS)) == value


@pytest.mark.parametrize("setting", ["", "mailbox", "=1", ".=1", "mailbox..capacity=1", "a.=1"])
def test_setting_of_another_form_is_refused(setting: str) -> None:
    """A --set that is no SECTION.KEY=VALUE is repeated and the right form is shown."""
    with pytest.raises(ConfigError, match=r"SECTION\.KEY=VALUE") as caught:
        load_config(settings=[setting], systems=SYSTEMS)
    assert repr(setting) in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("mailbox.size=1", ["no key 'size'", "[mailbox]", "retry_after_s", "config.toml"]),
        ("mailboxes.capacity=1", ["no system that is booted has a section 'mailboxes'"]),
        ("edge.gateway.sport=1", ["no key 'sport'", "[edge.gateway]", "host, port"]),
        ("capacity=1", ["section 'capacity'"]),
        ("mailbox.capacity=many", ["mailbox.capacity", "int"]),
        ("mailbox.capacity=1.5", ["mailbox.capacity", "int"]),
        ("mailbox.capacity=0", ["mailbox.capacity", ">= 1"]),
        ("mailbox.capacity.x=1", ["mailbox.capacity", "int"]),
        ("mailbox=1", ["mailbox is a table", "set its keys, such as mailbox.capacity"]),
        ("edge.gateway=3", ["edge.gateway is a table", "such as edge.gateway.host"]),
        ("runtime.data_dir=", ["runtime.data_dir: "]),
        ('runtime.data_dir="a\\u0000b"', ["runtime.data_dir: "]),
        ("mailbox.overflow=explode", ["mailbox.overflow", "explode"]),
        ("edge.gateway.port=65536", ["edge.gateway.port", "65535"]),
        ("edge.deadline_s=-1", ["edge.deadline_s"]),
        ("edge.deadline_s=nan", ["edge.deadline_s"]),
        ("edge.deadline_s=true", ["edge.deadline_s"]),
        ("log.level=loud", ["log.level", "loud"]),
        ("hotel.hold=1", ["[hotel] has no key 'hold'", "hold_s", "HotelConfig", "hotel/config.py"]),
        ("edge.hosts=[1]", ["edge.hosts[0]", "--set edge.hosts=..."]),
        (
            "hotel.room_rate_default.currency=euro",
            ["hotel.room_rate_default.currency", "HotelConfig", "hotel/config.py"],
        ),
    ],
)
def test_error_names_the_key(setting: str, names: list[str]) -> None:
    """An unknown key, a wrong type or an impossible value is an error that says where."""
    with pytest.raises(ConfigError) as caught:
        load_config(settings=[setting], systems=SYSTEMS)
    for name in names:
        assert name in str(caught.value)


def test_shipped_numbers_that_are_edited_meanwhile_are_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are parsed once as long as nobody writes them."""
    file = tmp_path / "config.toml"
    text = DEFAULTS.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr("actors.config.DEFAULTS", file)
    before = load_config()
    assert load_config() == before
    line = f"drain_s = {before.runtime.drain_s}"
    assert line in text
    file.write_text(text.replace(line, "drain_s = 123.0"), encoding="utf-8")
    assert load_config().runtime.drain_s == 123.0


def test_missing_key_is_named() -> None:
    """A table that lacks a key says which. Only the shipped file can lack one."""
    tree = msgspec.toml.decode(DEFAULTS.read_bytes())
    del tree["mailbox"]["capacity"]
    with pytest.raises(msgspec.ValidationError, match=r"capacity.*\$\.mailbox"):
        msgspec.convert(tree, Config)


@pytest.mark.parametrize(
    "content",
    [b"[mailbox\n", b"\xff\xfe", b"a = 1\na = 2\n", b"a = " + b"[" * 10_000],
    ids=["syntax", "bytes", "twice", "deep"],
)
def test_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    """An unreadable file's error names the file."""
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"bad\.toml"):
        load_config(path)


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    """So does that of a file that is not there, or is a directory."""
    with pytest.raises(ConfigError, match="cannot read the configuration") as caught:
        load_config(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


@given(st.text())
def test_any_setting_is_taken_or_refused(text: str) -> None:
    """Whatever stands after --set: a configuration or a ConfigError, nothing else."""
    for setting in (text, f"runtime.data_dir={text}", f"mailbox.capacity={text}"):
        try:
            load_config(settings=[setting], systems=SYSTEMS)
        except ConfigError as error:
            assert str(error)  # noqa: PT017 - a success is as good


def test_every_key_is_read() -> None:
    """The structs and config.toml name the same keys: neither holds one that the other lacks."""

    def keys(tree: Any) -> Any:
        return {key: keys(value) for key, value in tree.items()} if isinstance(tree, dict) else None

    shipped = msgspec.toml.decode(DEFAULTS.read_bytes())
    assert keys(msgspec.to_builtins(load_config())) == keys(shipped)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("edge.page_items_default=1000", "page_items_default is at most edge.page_items_max"),
        ("supervisor.backoff_s_min=60", "backoff_s_min is at most supervisor.backoff_s_max"),
        ("channel.retry_s=2", "channel.retry_s is at most channel.retry_s_max"),
        ("timer.retry_s=2", "timer.retry_s is at most timer.retry_s_max"),
        ("x_platform.matches_kept_s=300", "is less time than x_platform.matches_kept_s"),
        ("edge.deadline_s=inf", "edge.deadline_s"),
        ("edge.deadline_s=nan", "edge.deadline_s"),
        ("edge.deadline_s=0.001", "edge.deadline_s"),
        ("edge.gateway.host=", "edge.gateway.host"),
        ("service.handler_s_max=1e-9", "service.handler_s_max"),
        ("mailbox.capacity=99999999999999999999999", "mailbox.capacity"),
        ("x_platform.keepalive_s=21", "x_platform.keepalive_s"),
        ("x.stall_s=15", "x_platform.keepalive_s is below x.stall_s"),
        ("hotel.hold_s=119", "hotel.booking_s_max is at most hotel.hold_s"),
        ("store.edge_keys_kept_s=4", "edge.deadline_s is at most store.edge_keys_kept_s"),
        ("store.client_keys_kept_s=4", "edge.deadline_s is at most store.edge_keys_kept_s"),
        ("tweets.like_min=0.04", "tweets.positive_min is at most tweets.like_min"),
        ("tweets.reply_s_max=30", "tweets.retry_s is below tweets.reply_s_max"),
        ("tweets.seen_kept_s=300", "x.backfill_minutes_max is less time than tweets.seen_kept_s"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(setting: str, named: str) -> None:
    """Infinity, a slip of the finger, and two keys that contradict each other name the keys."""
    with pytest.raises(ConfigError) as refused:
        load_config(settings=[setting], systems=SYSTEMS)
    assert named in str(refused.value)


def test_the_embedded_xs_pace_binds_no_reader_of_the_real_one() -> None:
    """Which sends its signs of life as it likes."""
    config = load_config(settings=["x.platform=x", "x.stall_s=10"], systems=SYSTEMS)
    assert config.section(XConfig).stall_s < config.section(XPlatformConfig).keepalive_s


def test_a_section_is_frozen_and_keyword_only_by_itself() -> None:
    class Own(Section):
        kept_s: float = 1.0

    with pytest.raises(TypeError):
        Own(2.0)  # type: ignore[call-arg]
    with pytest.raises(AttributeError):
        Own(kept_s=2.0).kept_s = 3.0  # type: ignore[misc]
