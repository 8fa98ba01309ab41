"""The keys of an X account: read from the environment or a file, and never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from actors.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLES = {
    "bearer_token": "X_BEARER_TOKEN",
    "consumer_key": "X_CONSUMER_KEY",
    "consumer_secret": "X_CONSUMER_SECRET",
    "access_token": "X_ACCESS_TOKEN",
    "access_token_secret": "X_ACCESS_TOKEN_SECRET",
}
# Visible ASCII: what goes into a header, and breaks neither it nor a line.
Secret = Annotated[str, msgspec.Meta(pattern=r"^[\x21-\x7e]{1,1024}\Z")]
# X's own begin with the user's id, by which tweepy knows whose they are.
AccessToken = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}-[\x21-\x7e]{1,1000}\Z")]


class XCredentials(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an app and an account of X prove themselves with; `repr` shows none of it."""

    bearer_token: Secret
    consumer_key: Secret
    consumer_secret: Secret
    access_token: AccessToken
    access_token_secret: Secret
    oauth2_token: Secret | None = None

    @property
    def user_id(self) -> str:
        """The account's id, which is no secret."""
        return self.access_token.partition("-")[0]

    def __repr__(self) -> str:
        return f"XCredentials(user_id={self.user_id!r})"

    def __rich_repr__(self) -> list[tuple[str, str]]:
        """What a traceback with local variables may show: not what msgspec would."""
        return [("user_id", self.user_id)]


def load_credentials(path: Path) -> XCredentials:
    """Read a JSON object of the keys. Raises ConfigError that names the file and the key at fault.

    It never repeats what stands in the file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=XCredentials)
    except OSError as error:
        message = f"cannot read the credentials {path}: {error.strerror}"
        raise ConfigError(message) from None
    except msgspec.ValidationError as error:
        # msgspec names the key and the rule, and not the value.
        message = f"the credentials {path}: {error}; it holds {', '.join(VARIABLES)}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        message = f"the credentials {path} are no JSON object of {', '.join(VARIABLES)}"
    raise ConfigError(message)


def from_environment(environ: Mapping[str, str]) -> XCredentials | None:
    """Return the credentials given by X_BEARER_TOKEN and its like; None where none is set.

    A variable that is set and empty is not set. Raises ConfigError where only some are, or where
    one is nothing that X gives out.
    """
    given = {key: environ[name] for key, name in VARIABLES.items() if environ.get(name)}
    if not given:
        return None
    missing = [name for key, name in VARIABLES.items() if key not in given]
    if missing:
        message = f"the environment has some of X's credentials, and lacks {', '.join(missing)}"
        raise ConfigError(message)
    try:
        return msgspec.convert(given, XCredentials)
    except msgspec.ValidationError as error:
        key = str(error).rpartition("$.")[2].rstrip("`")
        message = f"the environment's {VARIABLES.get(key, key)} is nothing that X gives out"
    raise ConfigError(message)
