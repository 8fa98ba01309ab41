"""Where an error is to be mended: in its author's code, or nowhere."""

from __future__ import annotations

import pytest

from actors.errors import line_at

LIBRARY = compile("def call(function):\n    function()\n", "/py/site-packages/lib/core.py", "exec")
OWN = compile("def fail():\n    raise ValueError\n", "/home/shop.py", "exec")


def test_no_installed_librarys_line_is_named() -> None:
    """Nobody mends it: it is its caller's that is, or what it called; else none."""
    names: dict[str, object] = {}
    exec(LIBRARY, names)  # noqa: S102 - a file of another place
    exec(OWN, names)  # noqa: S102 - likewise
    assert _line_of("call(fail)", names) == "/home/shop.py, line 2"
    assert _line_of("call(int.fail)", names) == "/home/main.py, line 1"
    assert _line_of("call(None)", names, file="/py/site-packages/lib/thread.py") is None


def _line_of(code: str, names: dict[str, object], file: str = "/home/main.py") -> str | None:
    with pytest.raises((ValueError, TypeError, AttributeError)) as raised:
        exec(compile(code, file, "exec"), names)  # noqa: S102 - likewise
    trace = raised.tb.tb_next  # without this line's own
    return line_at(raised.value.with_traceback(trace))
