"""The table of docs/SIMULATION.md: which mutants are found, row by row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tests.mutants.hunt import Result
    from tests.mutants.mutant import Mutant

TROUBLE_CHARS_MAX: Final = 90
# Ids, folders and times differ from run to run, and tell nothing.
PARTICULARS: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
# That of the copy in which it was searched for.
FOLDER: Final = re.compile(r"\S*/tree-\d+/")
HEAD: Final = (
    "| mutant | in | found in | by | other machines |",
    "| --- | --- | --- | --- | --- |",
)
FOUND_IN: Final = re.compile(r"\d+( of [\w, ]+)?( at \w+)?")


def row(
    mutant: Mutant, result: Result, before: str | None = None, *, code: str = "", profiles: str = ""
) -> str:
    """Return what is said of one: in how many schedules it was found, or in how many not.

    `code` is the digest of the code in which it was searched for, `profiles` are those alone that
    were played. What its row `before` says of other machines stays.
    """
    played = str(result.schedules)
    if profiles:
        played += f" of {profiles.replace(',', ', ')}"
    said = {
        "found": played,
        "not found": f"not in {played}",
        "out of time": f"not in {played}, when its time was up",
        "invalid": "invalid",
        "not this": f"not this, in {played}",
    }[result.outcome]
    said += f" at {code}" if code else ""
    trouble = _short(result.trouble) if result.outcome in {"found", "invalid"} else ""
    machines = "" if before is None else before.split(" | ")[-1].removesuffix(" |")
    cells = (_cell(mutant.name), ", ".join(mutant.systems), said, trouble, machines)
    return f"| {' | '.join(cells)} |"


def is_found(row: str | None) -> bool:
    """Whether the row says that its mutant was found; where there is no row, it was not."""
    return row is not None and FOUND_IN.fullmatch(row.split(" | ")[2]) is not None


def with_machines(before: str, said: str) -> str:
    """Return the row with what other machines have found in its last column."""
    return f"{before.rpartition(' | ')[0]} | {said} |"


def cell(mutant: Mutant) -> str:
    """Return the mutant's name as its row has it."""
    return _cell(mutant.name)


def replaced(page: str, marker: str, lines: Iterable[str]) -> str:
    """Return the page with these lines between the two markers of that name."""
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        message = f"the page has not both of {begin} and {end}"
        raise ValueError(message)
    return f"{before}{begin}\n" + "".join(f"{line}\n" for line in lines) + f"{end}{after}"


def known_rows(page: str) -> dict[str, str]:
    """Return the page's rows by the mutant's name."""
    columns = HEAD[0].count(" | ")
    rows = [line for line in page.splitlines() if line.count(" | ") == columns and line not in HEAD]
    return {line.removeprefix("| ").partition(" | ")[0]: line for line in rows}


def section(mutants: Iterable[Mutant], rows: Mapping[str, str], code: str = "") -> Iterator[str]:
    """Yield a line of sums and a table for each kind; a mutant that never ran has no row.

    `code` is the digest of the code as it is: rows that have another are of older code.
    """
    by_kind: dict[str, list[str]] = {}
    for mutant in mutants:
        if (found := rows.get(_cell(mutant.name))) is not None:
            by_kind.setdefault(mutant.kind, []).append(found)
    every = [each for rows_ in by_kind.values() for each in rows_]
    yield ""
    yield f"In all: {_sums(every)}."
    if code:
        new = sum(each.split(" | ")[2].endswith(f" at {code}") for each in every)
        of_it = f"{new} row{' is' if new == 1 else 's are'} of it"
        yield ""
        yield (
            f"The code was {code} when this was written: {of_it}, "
            f"{len(every) - new} are of older code."
        )
    for kind, rows_ in by_kind.items():
        yield ""
        yield f"**{kind}**: {_sums(rows_)}."
        yield ""
        yield from (*HEAD, *rows_)
    yield ""


def _sums(rows: list[str]) -> str:
    found = sum(map(is_found, rows))
    return f"{found} of {len(rows)} found ({100 * found // max(1, len(rows))} %)"


def _cell(text: str) -> str:
    return text.replace("|", "/")


def _short(trouble: str) -> str:
    line = PARTICULARS.sub("…", FOLDER.sub("", trouble.partition("\n")[0]))
    if len(line) > TROUBLE_CHARS_MAX:
        line = line[: TROUBLE_CHARS_MAX - 1] + "…"
    for sign in "\\`*_<>[]":
        line = line.replace(sign, f"\\{sign}")
    return _cell(line)
