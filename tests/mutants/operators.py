"""Mutants that no one thought of: a comparison, a number or a call of the code changed, by chance.

The operators are those of mutation testing (R. DeMillo, R. Lipton, F. Sayward, "Hints on Test Data
Selection", Computer 1978): another relation, another connective, a number beside, a call left out.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING, Final

from actors.kernel.rng import Rng
from tests.mutants.mutant import ROOT, Mutant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each folder with the systems that are played for it.
LOOKED_AT: Final = {"actors/systems/hotel": ("hotel",), "actors/store": ("hotel", "tweets")}
# What is no rule of the system's: how it is configured, played and audited; and what no simulation
# runs.
LEFT_OUT: Final = ("scenario", "invariants.py", "config.py", "aiosqlite_store.py", "watched_thread")
RELATIONS: Final = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
ARITHMETIC: Final = {ast.Add: "-", ast.Sub: "+", ast.Mult: "+"}


def sampled(count: int, *, seed: int) -> tuple[Mutant, ...]:
    """Return so many of them, the same for the same seed and code."""
    found = list(_every())
    Rng(seed).shuffle(found)
    return tuple(found[:count])


@cache
def _every() -> tuple[Mutant, ...]:
    return tuple(each for folder in LOOKED_AT for each in _of_folder(folder))


def _of_folder(folder: str) -> Iterator[Mutant]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        if not any(each in path.as_posix() for each in LEFT_OUT):
            yield from _of_file(path, LOOKED_AT[folder])


class _Source:
    """A file's text, and where in it a node stands: Python counts bytes of a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._bytes = text.encode()
        self._lines = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def place(self, line: int, column: int) -> int:
        """Return a node's place, in characters."""
        return len(self._bytes[: self._lines[line - 1] + column].decode())

    def said(self, node: ast.expr | ast.stmt) -> str:
        """Return what the node says."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = self.place(node.lineno, node.col_offset)
        return self.text[begin : self.place(node.end_lineno, node.end_col_offset)]


def _of_file(path: Path, systems: tuple[str, ...]) -> Iterator[Mutant]:
    source = _Source(path.read_text(encoding="utf-8"))
    file = path.relative_to(ROOT).as_posix()
    for node in _executed(ast.parse(source.text)):
        changed = _changed(node, source)
        if changed is None:
            continue
        segment = source.said(node)
        begin = source.place(node.lineno, node.col_offset)
        old, new = _alone(source.text, begin, segment, changed)
        name = f"{file}:{node.lineno}:{node.col_offset}: {_line(changed)} for {_line(segment)}"
        yield Mutant(name=name, kind="operators", systems=systems, file=file, old=old, new=new)


def _executed(tree: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield expressions and statements of functions; what types say is never run."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.expr | ast.stmt):
                        yield node


def _changed(node: ast.expr | ast.stmt, source: _Source) -> str | None:
    """Return what takes the node's place; None where no operator fits."""
    changed: str | None = None
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            changed = f"{source.said(left)} {RELATIONS[type(operator)]} {source.said(right)}"
        case ast.BoolOp(op=operator, values=[left, right]):
            word = "or" if isinstance(operator, ast.And) else "and"
            changed = f"({source.said(left)}) {word} ({source.said(right)})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            changed = f"bool({source.said(operand)})"
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in ARITHMETIC:
            if not _is_text(left):  # of which it would only be a crash
                sign = ARITHMETIC[type(operator)]
                changed = f"({source.said(left)}) {sign} ({source.said(right)})"
        case ast.Constant(value=bool(value)):
            changed = str(not value)
        case ast.Constant(value=int(value)):
            changed = str(value + 1)
        case ast.Expr(value=ast.Call()):
            changed = "pass"
        case ast.Return(value=ast.expr()):
            changed = "return None"
    return changed


def _is_text(node: ast.expr) -> bool:
    constant = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return constant or isinstance(node, ast.JoinedStr)


def _alone(source: str, begin: int, old: str, new: str) -> tuple[str, str]:
    """Return both with as much of what stands around them as makes the old text the only one."""
    end, before, after = begin + len(old), begin, begin + len(old)
    while source.count(source[before:after]) > 1:
        before, after = max(0, before - 20), min(len(source), after + 20)
    return source[before:after], f"{source[before:begin]}{new}{source[end:after]}"


def _line(text: str) -> str:
    return " ".join(text.split())
