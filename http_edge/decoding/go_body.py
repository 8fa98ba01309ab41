"""A body as Go's encoding/json reads it, for addresses that a program in Go had first."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, ClassVar

import msgspec

from http_edge.decoding.blame import explain
from http_edge.decoding.characters import refuse_control
from http_edge.decoding.large_numbers import may_be_large, refuse_large
from http_edge.decoding.message_fields import date_fields, text_fields
from http_edge.problems import Kind

if TYPE_CHECKING:
    from actors.kernel.messages import Message

# A day in its quotes.
_DAY_BYTES = 12
# RFC 3339's have an offset.
_TIMES = msgspec.json.Decoder(Annotated[dt.datetime, msgspec.Meta(tz=True)])


class GoBody:
    """Tolerant where Go is.

    Keys match without regard to case, unknown ones are ignored, null leaves the zero value; what is
    malformed or of the wrong type is a 400. Our own limits on lengths are a 422 as elsewhere, and
    so is a field without a zero value, such as a date, that is null, absent or impossible. Of an
    RFC 3339 time, as Go writes one, the date is taken: the day as it is written.
    """

    ignores_query: ClassVar[bool] = True

    def __init__(self, message_type: type[Message]) -> None:
        self._decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(message_type)
        self._type = message_type
        self._names = {name.casefold(): name for name in message_type.__struct_encode_fields__}
        self._days = date_fields(message_type)
        self._texts = text_fields(message_type)
        self._may_be_large = may_be_large(message_type)

    def decode(self, body: bytes, params: dict[str, str]) -> Message:
        del params  # no such address has parameters in its path
        try:
            given = msgspec.json.decode(body, type=dict[str, msgspec.Raw] | None) or {}
            known = {
                self._names[name.casefold()]: raw
                for name, raw in given.items()
                if name.casefold() in self._names and bytes(raw).strip() != b"null"
            }
            for name in self._days & known.keys():
                known[name] = _day_of(known[name])
            body = msgspec.json.encode(known)
            message = self._decoder.decode(body)
            # A struct within itself may be as deep as the decoder goes, which is deeper than these.
            refuse_control(body, message, self._texts)
            if self._may_be_large:
                refuse_large(body, message)
        except (ValueError, RecursionError) as error:
            explain(body, error, self._type, wrong_type=Kind.WRONG_TYPE)
        return message


def _day_of(raw: msgspec.Raw) -> msgspec.Raw:
    """Return the day of an RFC 3339 time, in the time's own zone; what is none as it is."""
    if len(bytes(raw)) <= _DAY_BYTES:
        return raw
    try:
        return msgspec.Raw(msgspec.json.encode(_TIMES.decode(raw).date()))
    except msgspec.ValidationError:
        return raw
