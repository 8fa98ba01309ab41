"""What a campaign does not run, with its reason: what only threads do, or a real disk, or nobody.

A place is a file, a function or class in it (`file::Class.method`), or a block of one, by how its
first line begins (`file::Class.method::except OSError`): an `if`'s or a `case`'s lines are those
below it. What is listed here and was run after all is told by `line_coverage.py`.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

UNRUN: Final[Mapping[str, tuple[str, ...]]] = {}


def lines_of(root: Path, place: str) -> set[int]:
    """Return the lines of a place, those of a block without its head. Raises ValueError."""
    path, *within = place.split("::")
    tree, source = _parsed(root / path)
    if not within:
        return set(range(1, len(source) + 1))
    found: ast.AST = tree
    for name in within[0].split("."):
        found = _only(place, [each for each in _scopes(found) if each.name == name])
    if len(within) > 1:
        blocks = [
            each
            for each in ast.walk(found)
            if hasattr(each, "lineno") and source[each.lineno - 1].strip().startswith(within[1])
            if isinstance(each, ast.stmt | ast.ExceptHandler)
        ]
        blocks += [
            each
            for each in ast.walk(found)
            if isinstance(each, ast.match_case)
            if source[each.pattern.lineno - 1].strip().startswith(within[1])
        ]
        found = _only(place, blocks)
    return {line for first, last in _spans(found) for line in range(first, last + 1)}


def _spans(node: ast.AST) -> Iterator[tuple[int, int]]:
    if isinstance(node, ast.ExceptHandler):
        yield node.lineno, node.lineno
    if isinstance(node, ast.ClassDef):
        for each in node.body:
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _spans(each)
        return
    body = getattr(node, "body", None) or [node]
    for each in body:
        assert isinstance(each, ast.stmt)
        yield each.lineno, each.end_lineno or each.lineno


def _scopes(node: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Return the functions and classes right below it."""
    found: list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef] = []
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(each)
        else:
            found += _scopes(each)
    return found


def _only(place: str, found: list[ast.AST]) -> ast.AST:
    if len(found) != 1:
        raise ValueError(f"{place}: there are {len(found)} of these")
    return found[0]


@cache
def _parsed(path: Path) -> tuple[ast.Module, list[str]]:
    text = path.read_text(encoding="utf-8")
    return ast.parse(text), text.splitlines()
