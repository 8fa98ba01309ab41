"""The rules of docs/ARCHITECTURE.md as a checker: source text in, violations out.

It reads imports wherever they stand (in functions and under TYPE_CHECKING too): an arrow is about
who knows whom, not about what happens to run.
"""

from __future__ import annotations

import ast
import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

# From the top down. A part may import any part of a later row, and itself, and nothing else: the
# parts of one row do not know each other.
ROWS = (
    ("runtime",),
    ("actors.launch",),
    ("actors.command_line", "actors.testing"),
    ("actors.system_commands",),
    (
        "actors.data_commands",
        "actors.entry_point",
        "actors.fault_commands",
        "actors.new_command",
        "actors.serving",
    ),
    ("actors.holder_call", "actors.upgrade_check"),
    ("actors.systems",),
    ("actors.simulation", "actors.load"),
    ("actors.app",),
    ("actors.system",),
    ("http_edge", "actors.aiohttp_transport", "actors.otlp"),
    ("actors.service",),
    ("actors.store", "actors.resilience", "actors.faults"),
    ("actors.tracing",),
    ("actors.kernel",),
    ("actors.live_config", "actors.log", "actors.shared_options"),
    ("actors.config",),
    (
        "actors.config_faults",
        "actors.errors",
        "actors.frozen_type",
        "actors.heap",
        "actors.late_certificates",
        "actors.lean_imports",
        "actors.measures",
        "actors.program",
    ),
    ("actors",),
)
ROW_OF = {part: number for number, row in enumerate(ROWS) for part in row}

# The rooms of actors/simulation, likewise.
ROOMS = (
    ("command",),
    ("look", "shrink"),
    ("stage",),
    ("deploys", "files", "requests"),
    ("check", "oracles", "script"),
    ("time",),
    ("net",),
    ("sealed",),
    ("errors",),
)
ROOM_OF = {room: number for number, row in enumerate(ROOMS) for room in row}
# An event loop, a network and a guard for anybody's asyncio: all that these rooms know of the rest.
APART = ("time", "net", "sealed")
KNOWN_APART = ("actors.errors", "actors.kernel.rng", "actors.simulation")

# Files that import each other in a circle, under TYPE_CHECKING too: who has to be read together.
CIRCLES: tuple[tuple[str, ...], ...] = ()

# What every system's folder has, or every package: there the folder is the other half of the name.
ONE_A_FOLDER = {
    "__init__.py",
    "call.py",
    "config.py",
    "errors.py",
    "messages.py",
    "routes.py",
    "scenario.py",
}
# What the folder of a system has, and what its declaration and its audit are made of.
ONE_A_SYSTEM = re.compile(r"actors/systems/\w+/(system|invariants)\.py")
_X = "actors/systems/x_platform"
# What two are called all the same, and why.
DOUBLED = (
    # An error and the event that tells of it: lifecycle's names are read with their module's.
    "DeadLettered: actors/errors.py, actors/kernel/lifecycle.py",
    # An address of X, and what the platform does when it is asked there.
    f"delete: {_X}/api/tweet_endpoints.py, {_X}/posting.py",
    f"like: {_X}/api/user_endpoints.py, {_X}/likes.py",
    f"search: {_X}/api/search_endpoint.py, {_X}/recent_search.py",
    f"unlike: {_X}/api/user_endpoints.py, {_X}/likes.py",
)

# What a system's scenario may know of another that is booted with it.
DECLARED = ("system", "config", "messages")

# What a part does not know, whatever the rows say.
UNKNOWN_TO = {
    "http_edge": ("actors.store", "sqlite3"),
    "actors.service": ("aiohttp",),
    "actors.store": ("aiohttp", "http"),
    "actors.kernel": ("aiohttp", "http", "sqlite3"),
}

OURS = ("actors", "http_edge", "runtime")
# What authors import from. It knows all that it opens to, and nothing of it before it is asked.
DOOR = "actors/__init__.py"
# And the authors of scenarios.
SCENARIO_DOOR = "actors/simulation/__init__.py"

# Name -> the only files that may use it, and why nobody else.
LOOP = "only command_line.py starts a loop"
STARTS = "actors/command_line.py"
CLOCK = "time comes from the Clock that was handed in"
CHANCE = "chance comes from the Rng that was handed in"
# Takes both away from everybody else for the length of a simulation, and uses neither.
GUARDS = "actors/simulation/sealed/forbidden.py"
WORKERS = "actors/simulation/command/workers.py"
PROCESSES = "only the simulation's command and the author's tests start processes"
RESERVED = {
    "aiosqlite": (("actors/store/aiosqlite_store.py",), "one file knows aiosqlite"),
    "opentelemetry": (
        ("actors/otlp/otlp_sender.py", "actors/otlp/otlp_span.py"),
        "what imports it takes a while, and may not be there",
    ),
    "tweepy": (
        ("actors/systems/tweets/x/stream_adapter.py", "actors/systems/tweets/x/x_client.py"),
        "the stream's file and the requests' know tweepy",
    ),
    "uvloop": ((STARTS,), LOOP),
    "asyncio.run": ((STARTS,), LOOP),
    "asyncio.Runner": ((STARTS,), LOOP),
    "asyncio.runners": ((STARTS,), LOOP),
    "asyncio.new_event_loop": ((STARTS,), LOOP),
    "asyncio.set_event_loop": ((STARTS,), LOOP),
    "asyncio.set_event_loop_policy": ((STARTS,), LOOP),
    "aiohttp.web.run_app": ((STARTS,), LOOP),
    "time": (("actors/kernel/clock.py", GUARDS), CLOCK),
    "datetime.datetime.now": ((), CLOCK),
    "datetime.datetime.utcnow": ((), CLOCK),
    "datetime.datetime.today": ((), CLOCK),
    "datetime.date.today": ((), CLOCK),
    "random": (("actors/kernel/rng.py", GUARDS), CHANCE),
    "uuid": ((GUARDS,), CHANCE),
    "os.getrandom": ((), CHANCE),
    "tempfile": ((GUARDS,), CHANCE),
    # Entropy, by name: the seed of the Rng, and what must not be guessable: the admin token, and
    # the keys of the embedded X.
    "os.urandom": ((STARTS,), CHANCE),
    "secrets": (
        (
            STARTS,
            "http_edge/admin_token.py",
            "actors/systems/x_platform/api/embedded_credentials.py",
        ),
        CHANCE,
    ),
    "multiprocessing": ((WORKERS, GUARDS), PROCESSES),
    "os.fork": ((), PROCESSES),
    "subprocess": (
        ("actors/simulation/command/second_process.py", "actors/testing/live_process.py"),
        PROCESSES,
    ),
    # What is imported by a computed name cannot be checked here.
    "importlib.import_module": (
        ("actors/entry_point.py", DOOR, SCENARIO_DOOR),
        "imports are written out",
    ),
    "__import__": ((), "imports are written out"),
    "tests": ((), "product code knows no tests"),
}
RESERVED_HEADS = frozenset(name.partition(".")[0] for name in RESERVED)
# Methods that start a loop, whatever the loop is called.
LOOP_METHODS = ("run_until_complete", "run_forever")

SQL_CLOCK_OR_CHANCE = re.compile(
    r"\bCURRENT_(?:TIMESTAMP|DATE|TIME)\b|'now'|\b(?:random|randomblob|unixepoch)\s*\(\s*\)",
    re.IGNORECASE,
)


def check_tree(root: Path) -> list[str]:
    """Check all product code under `root`; return one `path:line: trouble` a violation."""
    found: list[str] = []
    for path in product_files(root):
        relative = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        check = check_sql if path.suffix == ".sql" else check_python
        found += [f"{relative}:{trouble}" for trouble in check(relative, text)]
    return found


def product_files(root: Path) -> Iterator[Path]:
    """Yield runtime.py and every Python and SQL file of the two packages."""
    yield from (path for path in [root / "runtime.py"] if path.exists())
    for package in ("actors", "http_edge"):
        for suffix in ("py", "sql"):
            yield from sorted((root / package).rglob(f"*.{suffix}"))


@functools.cache
def parsed(text: str) -> ast.Module:
    """Return what is there; several rules look at each file."""
    return ast.parse(text)


def doubled_names(sources: Mapping[str, str]) -> list[str]:
    """Return what two files, or two public classes or functions, are both called, and where."""
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    places: dict[str, list[str]] = {}
    for path, text in sources.items():
        name = path.rpartition("/")[2]
        is_own = ONE_A_SYSTEM.fullmatch(path) is not None
        if not is_own and name not in ONE_A_FOLDER:
            places.setdefault(name, []).append(path)
        for node in parsed(text).body:
            if isinstance(node, functions) and (is_own or _is_overload(node)):
                continue
            if isinstance(node, ast.ClassDef | functions) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path)
    return sorted(f"{name}: {', '.join(each)}" for name, each in places.items() if len(each) > 1)


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def circles(sources: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Return the groups of files that import each other, directly or by others; each sorted.

    `sources` are texts by path. A package counts for what its `__init__.py` imports itself.
    """
    paths = {module_name(path): path for path in sources}
    known: dict[str, set[str]] = {}
    for path, text in sources.items():
        nodes = ast.walk(parsed(text))
        targets = {_file_of(target, paths) for _, target, _ in imports(nodes, path)}
        known[path] = {each for each in targets if each is not None and each != path}
    reached = {path: _reached(path, known) for path in known}
    groups = {
        tuple(sorted(other for other in reached[path] if path in reached[other]))
        for path in known
        if path in reached[path]
    }
    return sorted(groups)


def _file_of(target: str, paths: Mapping[str, str]) -> str | None:
    while target and target not in paths:
        target = target.rpartition(".")[0]
    return paths.get(target)


def _reached(path: str, known: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    ahead = [path]
    while ahead:
        fresh = known[ahead.pop()] - reached
        reached |= fresh
        ahead += fresh
    return reached


def check_sql(_path: str, text: str) -> Iterator[str]:
    """Yield `line: trouble` where SQL would read a clock or draw at random."""
    for number, line in enumerate(text.splitlines(), 1):
        yield from (f"{number}: {it}" for it in check_sql_text(line.partition("--")[0]))


def check_sql_text(text: str) -> list[str]:
    """Return what is wrong with a statement, or with any string that could be one."""
    found = SQL_CLOCK_OR_CHANCE.findall(text)
    return [f"SQL uses {use}: bind tx.now or tx.new_id() instead" for use in found]


def check_python(path: str, text: str) -> Iterator[str]:
    """Yield `line: trouble` for every rule that the module at `path` breaks."""
    nodes = list(ast.walk(parsed(text)))
    module = module_name(path)
    names: dict[str, str] = {}
    for statement, target, bound in imports(nodes, path):
        names.update(bound)
        yield from _at(statement, check_import(module, target))
        yield from _at(statement, check_name(path, target))
    prose = docstrings(nodes)
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Name):
            yield from _at(node, check_name(path, dotted(node, names)))
        if isinstance(node, ast.Attribute) and node.attr in LOOP_METHODS and path != STARTS:
            yield from _at(node, [f"{node.attr}: {LOOP}"])
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in prose:
            yield from _at(node, check_sql_text(node.value))


def check_import(module: str, target: str) -> Iterator[str]:
    """Yield what is wrong with `module` knowing `target`, both as dotted names."""
    here, there = part_of(module), part_of(target)
    if here not in ROW_OF:
        yield f"{here} is no known part: give it a row"
        return
    for unknown in UNKNOWN_TO.get(here, ()):
        if is_within(target, unknown):
            yield f"{here} must not know {unknown}"
    if module == module_name(DOOR) or target.partition(".")[0] not in OURS:
        return
    if there not in ROW_OF:
        yield f"{target} belongs to no known part"
    elif here != there and ROW_OF[there] <= ROW_OF[here]:
        yield f"{here} imports {target}: imports point down only"
    elif there == "actors.systems":
        yield from check_system_import(module, target)
    elif here == "actors.simulation":
        yield from check_room_import(module, target)


def check_system_import(module: str, target: str) -> Iterator[str]:
    """Systems do not know each other; but the package lists them, and a scenario plays several."""
    if part_of(module) != "actors.systems" or module == "actors.systems":
        return
    plays = is_within(module, f"actors.systems.{system_of(module)}.scenario")
    declared = target.split(".")[3:4] in [[each] for each in DECLARED]
    if system_of(module) != system_of(target) and not (plays and declared):
        yield f"{module} imports {target}: systems do not know each other"


def check_room_import(module: str, target: str) -> Iterator[str]:
    """Rooms know those of later rows; the last ones know next to nothing of ours."""
    here, there = room_of(module), room_of(target)
    if here and here not in ROOM_OF:
        yield f"{here} is no known room: give it a row"
    elif here in APART and not any(is_within(target, known) for known in KNOWN_APART):
        yield f"{module} imports {target}: {here} stands apart"
    elif here in ROOM_OF and there in ROOM_OF and here != there and ROOM_OF[there] <= ROOM_OF[here]:
        yield f"{module} imports {target}: {there} is no room below {here}"


def check_name(path: str, name: str) -> Iterator[str]:
    """Yield why the module at `path` may not use `name`, a dotted name with aliases resolved."""
    # Nearly every name there is belongs to nobody.
    if name.partition(".")[0] not in RESERVED_HEADS:
        return
    for reserved, (allowed, reason) in RESERVED.items():
        if is_within(name, reserved) and path not in allowed:
            yield f"{name}: {reason}"


def imports(nodes: Iterable[ast.AST], path: str) -> Iterator[tuple[ast.stmt, str, dict[str, str]]]:
    """Yield every imported dotted name, with what it binds in the module."""
    package = module_name(path).split(".")
    if not path.endswith("/__init__.py"):
        package.pop()
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                yield node, alias.name, {alias.asname: alias.name} if alias.asname else {root: root}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                target = source if alias.name == "*" else f"{source}.{alias.name}"
                yield node, target, {alias.asname or alias.name: target}


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return `a.b.c` for such an expression, its head resolved by the imports; else nothing."""
    if isinstance(node, ast.Attribute):
        head = dotted(node.value, names)
        return f"{head}.{node.attr}" if head else ""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if node.id == "__import__" else "")
    return ""


def docstrings(nodes: Iterable[ast.AST]) -> set[ast.AST]:
    """Return the string nodes that are prose: statements by themselves."""
    return {node.value for node in nodes if isinstance(node, ast.Expr)}


def module_name(path: str) -> str:
    """Return `a.b` for `a/b.py` and for `a/b/__init__.py`."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def part_of(module: str) -> str:
    """Return the row's name: two components under `actors`, one elsewhere."""
    head, *rest = module.split(".")
    return f"actors.{rest[0]}" if head == "actors" and rest else head


def system_of(module: str) -> str:
    """Return `hotel` for `actors.systems.hotel.room`."""
    return ".".join(module.split(".")[2:3])


def room_of(module: str) -> str:
    """Return `net` for `actors.simulation.net.pipe`, and nothing outside the simulation."""
    return system_of(module) if part_of(module) == "actors.simulation" else ""


def is_within(name: str, prefix: str) -> bool:
    """Whether `name` is `prefix` or something in it."""
    return name == prefix or name.startswith(f"{prefix}.")


def _at(node: ast.stmt | ast.expr, troubles: Iterable[str]) -> Iterator[str]:
    return (f"{node.lineno}: {trouble}" for trouble in troubles)
