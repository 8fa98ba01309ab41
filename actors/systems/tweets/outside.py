"""X, as the services are handed it: X itself, the embedded one, or a simulation's."""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from actors.errors import ConfigError
from actors.systems.tweets.config import XConfig
from actors.systems.tweets.x.access import EMBEDDED_ACCOUNT, XAccess
from actors.systems.tweets.x.credentials import (
    VARIABLES,
    XCredentials,
    from_environment,
    load_credentials,
)
from actors.systems.tweets.x.pauses import Pauses

if TYPE_CHECKING:
    from actors.config import Config
    from actors.system import Wiring

log = structlog.get_logger()

# What the embedded X is called: its listener and its service, and the file in which it lays out
# its keys for whoever may speak to it. That is all that we know of it.
EMBEDDED: Final = "x_platform"
EMBEDDED_CREDENTIALS: Final = "x.credentials.json"
ACCOUNT_FILE: Final = "x.account"

# No secrets: nobody but a simulation can reach the X that knows them.
SIMULATED_CREDENTIALS: Final = XCredentials(
    bearer_token="simulated-bearer-token",  # noqa: S106
    consumer_key="simulated-consumer-key",
    consumer_secret="simulated-consumer-secret",  # noqa: S106
    access_token="1500000000000000001-simulated-access-token",  # noqa: S106
    access_token_secret="simulated-access-token-secret",  # noqa: S106
    oauth2_token="simulated-oauth2-token",  # noqa: S106
)


def live_x(wiring: Wiring) -> XAccess:
    """Return X itself where its credentials are given, else the embedded one. Raises ConfigError.

    The environment's credentials go before the file's.
    """
    config = wiring.config.section(XConfig)
    credentials = None
    if config.platform != "simulator":
        credentials = from_environment(os.environ)
        if credentials is None and config.credentials_file:
            credentials = load_credentials(Path(config.credentials_file).expanduser())
    if credentials is not None:
        access = _access(wiring, credentials, simulator=False)
    elif config.platform == "x":
        message = (
            f'configuration: x.platform is "x", and there are no credentials; set '
            f"{', '.join(VARIABLES.values())}, or x.credentials_file"
        )
        raise ConfigError(message)
    else:
        _check_embedded(wiring.config)
        embedded = load_credentials(wiring.data_dir / EMBEDDED_CREDENTIALS)
        access = _access(wiring, embedded, simulator=True)
    _keep_apart(wiring.data_dir, access)
    log.info(
        "x",
        platform="the embedded simulator" if access.simulator else "X itself",
        account=access.user_id,
        likes_and_replies="sent" if access.write else "recorded only",
    )
    return access


def simulated_x(wiring: Wiring) -> XAccess:
    """Return the embedded X, with keys that are known to everybody."""
    return _access(wiring, SIMULATED_CREDENTIALS, simulator=True)


def _access(wiring: Wiring, credentials: XCredentials, *, simulator: bool) -> XAccess:
    config = wiring.config.section(XConfig)

    async def where() -> str:
        return await wiring.process.url_of(EMBEDDED, service=EMBEDDED)

    return XAccess(
        credentials,
        simulator=simulator,
        write=config.write,
        base_url=config.base_url,
        pauses=Pauses(s_min=config.barred_s_min, s_max=config.barred_s_max),
        where=where,
        is_leaving=lambda: wiring.process.leaving,
    )


def _check_embedded(config: Config) -> None:
    """Raise ConfigError where there is no embedded X, or where we may not speak to it."""
    if config.named(EMBEDDED) is None:
        message = (
            f"there is nothing to read: boot {EMBEDDED} beside this system, or give the "
            f"credentials of X itself, by x.credentials_file or {', '.join(VARIABLES.values())}"
        )
        raise ConfigError(message)
    host = config.edge.listener(EMBEDDED).host.strip("[]")
    try:
        address = ip_address(host)
    except ValueError:  # a name: whoever connects sees where that leads
        return
    if not (address.is_loopback or address.is_unspecified):
        message = (
            f"edge.{EMBEDDED}.host is {host}, and the embedded X is spoken to on loopback only; "
            f"choose 127.0.0.1, or 0.0.0.0 for others to reach it, too"
        )
        raise ConfigError(message)


def _keep_apart(data_dir: Path, access: XAccess) -> None:
    """Keep the data of one account from another's. Raises ConfigError.

    Likes and replies that wait in the files name tweets of the X they were read from: at another
    one the same ids are strangers' tweets.
    """
    path = data_dir / ACCOUNT_FILE
    account = access.account
    try:
        kept = path.read_text(encoding="utf-8").strip() if path.exists() else ""
        if not kept:
            path.touch(mode=0o600)
            path.write_text(f"{account}\n", encoding="utf-8")
        if path.stat().st_mode & 0o177:  # it was made with the umask's mode once
            path.chmod(0o600)
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot note in {path} whose data this is: {error}"
        raise ConfigError(message) from error
    if kept not in {"", account}:
        message = (
            f"the data in {data_dir} belong to the account at {kept}, and not at {account}; "
            f"choose another --data-dir, or say with x.platform which X is meant"
        )
        raise ConfigError(message)


def account_of(data_dir: Path) -> tuple[str | None, bool]:
    """Return whose data are there, an id at X if anybody's, and whether X is the embedded one."""
    if (path := data_dir / ACCOUNT_FILE).exists():
        where, _, user_id = path.read_text(encoding="utf-8").strip().rpartition(", ")
        return user_id, where == EMBEDDED_ACCOUNT
    if (path := data_dir / EMBEDDED_CREDENTIALS).exists():
        return load_credentials(path).user_id, True
    return None, False
