"""A JSON body, held to its schema as X holds it: one 400 that names the field by its path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Generic, NoReturn, TypeVar

import msgspec
from aiohttp import hdrs

from actors.systems.x_platform.api.x_problems import invalid, parameter_error
from http_edge.body_reader import BodyReader
from http_edge.decoding.blame import blame

if TYPE_CHECKING:
    from actors.config import EdgeConfig
    from http_edge.http_request import HttpRequest

T = TypeVar("T", bound=msgspec.Struct)

CONTENT_TYPE: Final = "application/json"
# NUL, which SQLite's functions take for a text's end, has one spelling in JSON: one backslash more
# and it is none.
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_MISSING: Final = re.compile(r"missing required field `?([^`]*)")
_UNKNOWN: Final = re.compile(r"contains unknown field `?([^`]*)")


class JsonReader(Generic[T]):
    """Reads bodies of one type."""

    def __init__(self, body_type: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(body_type)

    async def read(self, request: HttpRequest, config: EdgeConfig) -> T:
        """Return the body. Raises a 400, or what `BodyReader` raises."""
        kind, _, _ = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")
        if kind.strip().lower() != CONTENT_TYPE:
            message = f"Requests with bodies must have content-type of {CONTENT_TYPE}."
            raise invalid({"parameters": {}, "message": message})
        data = await BodyReader(config).read(request)
        try:
            body = self._decoder.decode(data)
        except (ValueError, RecursionError) as error:
            _refuse(error)
        if _NUL.search(data):
            raise invalid(parameter_error("$", [], "$: holds a NUL character"))
        return body


def _refuse(error: Exception) -> NoReturn:
    if not isinstance(error, msgspec.ValidationError):
        message = "the request body is not valid JSON"
        raise invalid(parameter_error("$", [], f"$: {message}")) from None
    detail, field = blame(error)
    path = "$" if field is None else f"$.{field}"
    for pattern, complaint in (
        (_MISSING, "is missing but it is required"),
        (
            _UNKNOWN,
            "is not defined in the schema and the schema does not allow additional properties",
        ),
    ):
        if pattern.search(str(error)):
            raise invalid(parameter_error(path, [], f"{path}: {complaint}")) from None
    _, _, complaint = detail.partition(f"{field}: ")
    raise invalid(parameter_error(path, [], f"{path}: {complaint or detail}")) from None
