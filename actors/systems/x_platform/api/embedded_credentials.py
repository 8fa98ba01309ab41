"""The keys of the embedded X: one app and one account, made at first boot."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import msgspec

from actors.errors import ConfigError
from actors.systems.x_platform.messages import ACCOUNT_ID
from http_edge.secret_file import keep_secret

if TYPE_CHECKING:
    from pathlib import Path

FILE = "x.credentials.json"
_NAME = "embedded X's credentials"
_KEY_BYTES = 18
_SECRET_BYTES = 33
_BEARER_BYTES = 66

Key = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{16,512}\Z")]


class EmbeddedCredentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What clients prove themselves with: the app by itself, or the account through the app.

    `bearer_token` is the app's; `oauth2_token` the account's (OAuth 2.0 user context); the four
    others sign requests of the account (OAuth 1.0a). `access_token` begins with the account's id,
    as X's do: clients read it there.
    """

    bearer_token: Key
    consumer_key: Key
    consumer_secret: Key
    access_token: Key
    access_token_secret: Key
    oauth2_token: Key

    def __repr__(self) -> str:
        return "EmbeddedCredentials(...)"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """What a traceback with local variables may show: nothing."""
        return []


def read_embedded_credentials(data_dir: Path) -> EmbeddedCredentials:
    """Return what stands in the file, making it at first boot, readable by its owner alone.

    Raises ConfigError where it cannot be made or read, or is damaged.
    """
    path = data_dir / FILE
    text = keep_secret(path, _NAME, _make)
    try:
        credentials = msgspec.json.decode(text.encode("latin-1"), type=EmbeddedCredentials)
    except (msgspec.MsgspecError, UnicodeError):
        credentials = None
    if credentials is None or not credentials.access_token.startswith(f"{ACCOUNT_ID}-"):
        # What is wrong with it is not repeated: the message would show a part of a secret.
        message = f"the {_NAME} {path} are damaged; delete the file to get new ones"
        raise ConfigError(message)
    return credentials


def _make() -> str:
    credentials = EmbeddedCredentials(
        bearer_token=secrets.token_urlsafe(_BEARER_BYTES),
        consumer_key=secrets.token_urlsafe(_KEY_BYTES),
        consumer_secret=secrets.token_urlsafe(_SECRET_BYTES),
        access_token=f"{ACCOUNT_ID}-{secrets.token_urlsafe(_KEY_BYTES)}",
        access_token_secret=secrets.token_urlsafe(_SECRET_BYTES),
        oauth2_token=secrets.token_urlsafe(_BEARER_BYTES),
    )
    return msgspec.json.format(msgspec.json.encode(credentials), indent=2).decode()
