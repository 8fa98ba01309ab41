"""Texts with `{name}` in them, and what stands there in one request."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACE: Final = re.compile(r"\{([a-z_][\w.]*)\}")


def names_in(template: Any) -> Iterator[str]:
    """Yield every name that a value of TOML or JSON has in its texts, keys of objects excepted."""
    if isinstance(template, str):
        yield from PLACE.findall(template)
    elif isinstance(template, dict):
        for each in template.values():
            yield from names_in(each)
    elif isinstance(template, list | tuple):
        for each in template:
            yield from names_in(each)


def filled_path(template: str, value_of: Callable[[str], Any]) -> str:
    """Return a path with its values, each escaped: what is drawn adds no segment and no query."""
    return str(filled(template, lambda name: quote(str(value_of(name)), safe="")))


def filled(template: Any, value_of: Callable[[str], Any]) -> Any:
    """Return the template with its values; what is `"{name}"` and no more keeps its type."""
    if isinstance(template, str):
        if "{" not in template:
            return template
        alone = PLACE.fullmatch(template)
        if alone is not None:
            value = value_of(alone[1])
            return value.isoformat() if isinstance(value, dt.date) else value
        return PLACE.sub(lambda place: str(value_of(place[1])), template)
    if isinstance(template, dict):
        return {name: filled(each, value_of) for name, each in template.items()}
    if isinstance(template, list | tuple):
        return [filled(each, value_of) for each in template]
    return template
