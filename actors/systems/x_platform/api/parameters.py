"""An address's parameters, checked as X checks them: one 400 that lists all that is wrong.

The wordings are X's, as quoted in apihandyman.io's "What can we learn from tweets lookup error
responses of Twitter v2 API" and in node-twitter-api-v2 #597.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from actors.systems.x_platform.api.fields import Selection, select
from actors.systems.x_platform.api.x_problems import invalid, parameter_error
from http_edge.target import decode_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ID: Final = re.compile(r"[0-9]{1,19}")
ID_MAX: Final = 2**63 - 1
USERNAME: Final = re.compile(r"[A-Za-z0-9_]{1,15}")
LIST_MAX: Final = 100
MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Parameters:
    """Reads them one by one; `done` then raises the 400, or returns what fields were selected."""

    def __init__(
        self,
        query: str,
        *,
        names: Sequence[str] = (),
        fields: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """`names` are the parameters of the address besides `fields`, which list what to show.

        Raises ProblemError where the query's escapes are broken.
        """
        self._errors: list[dict[str, Any]] = []
        self._given = _parse(query)
        self._fields = fields or {}
        known = (*names, *self._fields)
        for name, values in self._given.items():
            if name not in known:
                self._blame(name, f"The query parameter [{name}] is not one of [{','.join(known)}]")
            elif len(values) > 1:
                message = f"Duplicate parameters are not allowed: the `{name}` query parameter"
                self._blame(name, message)

    def done(self) -> Selection:
        """Return what to show; raise the 400 if anything was wrong."""
        listed: dict[str, list[str]] = {}
        for name, legal in self._fields.items():
            if name in self._given:
                listed[name] = self._list(name)
                wrong = next((value for value in listed[name] if value not in legal), None)
                if wrong is not None:
                    self._blame_value(name, wrong, f"is not one of [{','.join(legal)}]")
        if self._errors:
            raise invalid(*self._errors)
        return select(listed)

    def listed(self, name: str) -> tuple[str, ...]:
        """Return what one of `fields` lists, whatever it is: `done` looks at it."""
        return tuple(self._list(name))

    def ids(self, name: str, *, required: bool) -> tuple[str, ...]:
        """Return a list of ids."""
        return self._values(name, required=required, is_valid=is_id, complaint="is not valid")

    def usernames(self, name: str) -> tuple[str, ...]:
        """Return a list of usernames, which must be there."""
        complaint = f"does not match ^{USERNAME.pattern}$"
        return self._values(name, required=True, is_valid=is_username, complaint=complaint)

    def path_id(self, name: str, value: str) -> str:
        """Return the id that is a part of the path."""
        if not is_id(value):
            self._errors.append(_value_error(name, value, "is not valid"))
        return value

    def path_username(self, name: str, value: str) -> str:
        """Return the username that is a part of the path."""
        if not is_username(value):
            complaint = f"does not match ^{USERNAME.pattern}$"
            self._errors.append(_value_error(name, value, complaint))
        return value

    def whole_number(self, name: str, *, at_most: int, at_least: int = 0, default: int = 0) -> int:
        """Return a number within these bounds, `default` where there is none."""
        text = self._one(name, str(default))
        if not ID.fullmatch(text):
            self._blame_value(name, text, "is not valid")
            return default
        if not at_least <= int(text) <= at_most:
            self._blame_value(name, text, f"is not between {at_least} and {at_most}")
        return int(text)

    def text(self, name: str, *, chars_max: int) -> str:
        """Return a text, which must be there."""
        text = self._one(name, "")
        if not 1 <= len(text) <= chars_max:
            message = (
                f"The length of the `{name}` query parameter [{len(text)}] is not between 1 and"
                f" {chars_max}"
            )
            self._errors.append(parameter_error(name, [], message))
        return text

    def one_of(self, name: str, legal: Sequence[str]) -> None:
        """Look whether it is one of these, if it is there."""
        text = self._one(name, legal[0])
        if text not in legal:
            self._blame_value(name, text, f"is not one of [{','.join(legal)}]")

    def id(self, name: str) -> int | None:
        """Return an id as a number, None where there is none."""
        if name not in self._given:
            return None
        text = self._one(name, "")
        if not is_id(text):
            self._blame_value(name, text, "is not valid")
            return None
        return int(text)

    def token(self, name: str, read: Callable[[str], int | None]) -> int | None:
        """Return what `read` makes of a token of ours, None where there is none."""
        if name not in self._given:
            return None
        place = read(self._one(name, ""))
        if place is None or not 0 <= place <= ID_MAX:
            self._blame_value(name, self._one(name, ""), "is not valid")
            return None
        return place

    def moment(
        self, name: str, *, from_us: int | None = None, to_us: int | None = None
    ) -> int | None:
        """Return a time in microseconds of the epoch, as X takes it; None where there is none."""
        if name not in self._given:
            return None
        text = self._one(name, "")
        try:
            at = datetime.fromisoformat(text)
            us = (at - _EPOCH) // timedelta(microseconds=1)
        except (ValueError, TypeError, OverflowError):
            us = None
        if us is None or MOMENT.fullmatch(text) is None:
            self._blame_value(name, text, "is not a time such as YYYY-MM-DDTHH:mm:ssZ")
            return None
        if from_us is not None and us < from_us:
            earliest = _EPOCH + timedelta(microseconds=from_us)
            words = f"must be on or after '{earliest.isoformat(timespec='minutes')[:16]}Z'"
            self._blame(name, f"Invalid '{name}':'{_shown(text)}'. '{name}' {words}")
        if to_us is not None and us > to_us:
            words = "must be a minimum of 10 seconds prior to the request time."
            self._blame(name, f"Invalid '{name}':'{_shown(text)}'. '{name}' {words}")
        return us

    def exclude(self, name: str, other: str) -> None:
        """Blame both where both are given."""
        if name in self._given and other in self._given:
            self._blame(name, f"'{name}' can not be used with '{other}'")

    def blame(self, name: str, message: str) -> None:
        """Add what is wrong with one that is given."""
        self._blame(name, message)

    def has(self, name: str) -> bool:
        """Whether it is given."""
        return name in self._given

    def flag(self, name: str) -> bool:
        """Return whether it is true; Python's clients write True."""
        text = self._one(name, "false").lower()
        if text not in ("true", "false"):
            self._blame_value(name, text, "is not one of [true,false]")
        return text == "true"

    def blame_path(self, name: str, value: str, complaint: str) -> None:
        """Add what is wrong with a part of the path."""
        self._errors.append(_value_error(name, value, complaint))

    def _values(
        self, name: str, *, required: bool, is_valid: Any, complaint: str
    ) -> tuple[str, ...]:
        values = self._list(name)
        if not values and (required or name in self._given):
            message = f"The `{name}` query parameter can not be empty"
            self._errors.append(parameter_error(name, [], message))
        if len(values) > LIST_MAX:
            message = (
                f"The number of values in the `{name}` query parameter list [{len(values)}] is not"
                f" between 1 and {LIST_MAX}"
            )
            self._blame(name, message)
        wrong = next((value for value in values if not is_valid(value)), None)
        if wrong is not None:
            self._blame_value(name, wrong, complaint)
        return tuple(values)

    def _list(self, name: str) -> list[str]:
        return [value for value in self._one(name, "").split(",") if value]

    def _one(self, name: str, default: str) -> str:
        return self._given.get(name, [default])[0]

    def _blame_value(self, name: str, value: str, complaint: str) -> None:
        self._blame(name, _value_error(name, value, complaint)["message"])

    def _blame(self, name: str, message: str) -> None:
        self._errors.append(parameter_error(name, self._given[name], message))


def is_id(text: str) -> bool:
    """Whether it can be X's id of something: a 64-bit number in decimals."""
    return ID.fullmatch(text) is not None and int(text) <= ID_MAX


def is_username(text: str) -> bool:
    """Whether an account could be called that."""
    return USERNAME.fullmatch(text) is not None


def _value_error(name: str, value: str, complaint: str) -> dict[str, Any]:
    message = f"The `{name}` query parameter value [{_shown(value)}] {complaint}"
    return parameter_error(name, [value], message)


def _shown(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()


def _parse(query: str) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for piece in query.split("&"):
        if piece:
            raw_name, _, raw_value = piece.replace("+", "%20").partition("=")
            name = decode_part(raw_name)
            given.setdefault(name, []).append(decode_part(raw_value, field=name))
    return given
