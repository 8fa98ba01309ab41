"""`break`, `mend` and `faults`: what an operator does to a system that runs, from a terminal.

Exit codes: 0 done, 2 misuse: what to do is said.
"""

from __future__ import annotations

import argparse
import getpass
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from actors.config import load_config, named_keys
from actors.errors import DressRehearsalError, HolderSaysNo
from actors.holder_call import ask_holder
from actors.program import NAME, PROGRAM
from actors.shared_options import add_configuration
from actors.store.files.directory_lock import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# The process answers within a turn of its loop, unless that is what somebody has broken.
ASK_S_MAX: Final = 10.0
FAULTS: Final = "/admin/faults"
_TIME: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_STATUS: Final = re.compile(r"\d{3}")

# Option -> the field of the order; see docs/FAULTS.md.
_WORDS: Final = {
    "of": "of",
    "replica": "replica",
    "sender": "sender",
    "message": "message_type",
    "header": "header",
    "distribution": "distribution",
    "when": "when",
    "body": "body",
}
_NUMBERS: Final = ("first", "every", "after", "seed")


def run_fault_command(words: Sequence[str]) -> int:
    """Do what the words say, the command's name first; returns the exit code."""
    parser, command = PARSERS[words[0]]()
    options = parser.parse_args(words[1:])
    try:
        print(command(options))  # noqa: T201 - the command's own words
    except DressRehearsalError as error:
        print(f"dress-rehearsal: {error}", file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return 0


# --- break -----------------------------------------------------------------------------------


def _break_parser() -> tuple[argparse.ArgumentParser, Callable[[argparse.Namespace], str]]:
    parser = argparse.ArgumentParser(
        prog=f"{NAME} break",
        description="Put a fault into the system that runs. docs/FAULTS.md says what each KIND "
        "does to which part.",
        epilog=f"`{NAME} break payment latency 200ms --for 30s --percent 20`; "
        f'`{NAME} break "GET /api/v1/rooms" abort 503 --first 2`; `{NAME} break booking kill`',
    )
    add = parser.add_argument
    add("target", metavar="TARGET", help='a service, or a route: "GET /api/v1/rooms"')
    add(
        "kind",
        metavar="KIND",
        help="latency, abort, error, hang, drop, duplicate, reorder, partition, kill or suspend",
    )
    add("amount", metavar="AMOUNT", nargs="?", help="of a latency: 200ms; of an abort: 503")
    add("--for", dest="for_s", type=time_s, metavar="TIME", help="ends by itself (30s, 5m)")
    add("--percent", type=float, metavar="P", help="of what comes by (default: 100)")
    add("--first", type=int, metavar="N", help="over after so many")
    add("--every", type=int, metavar="N", help="each n-th alone")
    add("--after", type=int, metavar="N", help="let so many be before")
    add("--seed", type=int, metavar="N", help="strike the same as it did under this one")
    add("--of", metavar="PART", help="requests, queries, messages, handlers, commits or effects")
    add("--replica", metavar="NAME", help="this one alone")
    add("--from", dest="sender", metavar="SERVICE", help="messages of this service alone")
    add("--both-ways", action="store_true", help="of a partition: neither hears the other")
    add("--message", metavar="TYPE", help="this type of message alone, such as TakePayment")
    add("--header", metavar="HEADER", help='requests with it alone: "X-Guest" or "X-Guest: ada"')
    add("--when", choices=("before", "after"), help="around a handler, a commit or an effect")
    add("--jitter", type=time_s, metavar="TIME", help="of a latency: its standard deviation")
    add("--distribution", metavar="NAME", help="uniform, normal, lognormal or pareto")
    add("--period", type=time_s, metavar="TIME", help="of a kill: again and again")
    add("--body", metavar="TEXT", help="of an abort")
    add(
        "--answer-header", action="append", metavar='"NAME: VALUE"', help="of an abort (repeatable)"
    )
    add_configuration(parser, holds=_HOLDS)
    return parser, _break


def _break(options: argparse.Namespace) -> str:
    data_dir = _data_dir(options)
    begun = _ask(data_dir, "POST", FAULTS, _order(options))
    ends = "" if options.for_s is None else f", for {options.for_s:g} s"
    if begun["order"]["kind"] == "kill" and begun["hits"] and options.period is None:
        return f"{begun['id']}: {begun['what']}: it is done"
    return (
        f"{begun['id']}: {begun['what']}{ends}, seed {begun['seed']}\n"
        f"{PROGRAM} mend {begun['id']}{_same_folder(options)} ends it"
    )


def _order(options: argparse.Namespace) -> dict[str, Any]:
    is_route = "/" in options.target
    order: dict[str, Any] = {"kind": options.kind, "by": _who()}
    order["route" if is_route else "service"] = options.target
    order |= _amount(options.kind, options.amount)
    said = vars(options)
    order |= {field: said[name] for name, field in _WORDS.items() if said[name] is not None}
    order |= {name: said[name] for name in _NUMBERS if said[name] is not None}
    for name in ("percent", "for_s"):
        if said[name] is not None:
            order[name] = said[name]
    if options.both_ways:
        order["both_ways"] = True
    if options.jitter is not None:
        order["jitter_ms"] = options.jitter * 1000
    if options.period is not None:
        order["period_s"] = options.period
    if options.answer_header:
        order["headers"] = _headers(options.answer_header)
    return order


def _amount(kind: str, amount: str | None) -> dict[str, Any]:
    if amount is None:
        return {}
    if _STATUS.fullmatch(amount) and kind == "abort":
        return {"status": int(amount)}
    try:
        return {"latency_ms": time_s(amount) * 1000}
    except argparse.ArgumentTypeError as error:
        message = f"{amount!r} is no AMOUNT of {kind}: {error}; of an abort it is a status: 503"
        raise HolderSaysNo(message) from None


def _headers(lines: Sequence[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise HolderSaysNo(f'--answer-header {line!r}: write it as "NAME: VALUE"')
        headers[name.strip()] = value.strip()
    return headers


# --- mend, faults ----------------------------------------------------------------------------


def _mend_parser() -> tuple[argparse.ArgumentParser, Callable[[argparse.Namespace], str]]:
    parser = argparse.ArgumentParser(
        prog=f"{NAME} mend",
        description="End a fault of the system that runs: the one there is, one by its id, or all.",
    )
    parser.add_argument("id", metavar="ID", nargs="?", help="as `break` and `faults` say it")
    parser.add_argument("--all", action="store_true", help="all that are on")
    add_configuration(parser, holds=_HOLDS)
    return parser, _mend


def _mend(options: argparse.Namespace) -> str:
    data_dir = _data_dir(options)
    if options.all and options.id is not None:
        raise HolderSaysNo("name one, or --all of them")
    if options.all:
        ended = _ask(data_dir, "DELETE", FAULTS)["ended"]
        return "\n".join([_ended(each) for each in ended]) or "no fault is on"
    fault_id = options.id
    if fault_id is None:
        there = [each["id"] for each in _ask(data_dir, "GET", FAULTS)["items"]]
        if not there:
            return "no fault is on"
        if len(there) > 1:
            raise HolderSaysNo(f"which of {', '.join(there)}? Name one, or --all")
        (fault_id,) = there
    return _ended(_ask(data_dir, "DELETE", f"{FAULTS}/{quote(fault_id, safe='')}"))


def _ended(fault: Mapping[str, Any]) -> str:
    return f"{fault['id']} is over: {fault['what']}; it has struck {_struck(fault)}"


def _struck(fault: Mapping[str, Any]) -> str:
    return f"{fault['hits']} of {fault['seen']} that came by"


def _faults_parser() -> tuple[argparse.ArgumentParser, Callable[[argparse.Namespace], str]]:
    parser = argparse.ArgumentParser(
        prog=f"{NAME} faults",
        description="List the faults that are on in the system that runs.",
    )
    lever = parser.add_mutually_exclusive_group()
    lever.add_argument("--stop", action="store_true", help="end all, and let none begin")
    lever.add_argument("--release", action="store_true", help="let faults begin again")
    add_configuration(parser, holds=_HOLDS)
    return parser, _faults


def _faults(options: argparse.Namespace) -> str:
    data_dir = _data_dir(options)
    if options.stop:
        ended = _ask(data_dir, "POST", f"{FAULTS}/stop")["ended"]
        again = f"none begins until {PROGRAM} faults --release{_same_folder(options)}"
        return "\n".join([*(_ended(each) for each in ended), again])
    if options.release:
        _ask(data_dir, "POST", f"{FAULTS}/release")
        return "faults may begin again"
    told = _ask(data_dir, "GET", FAULTS)
    lines = [
        f"{each['id']}: {each['what']}; it has struck {_struck(each)}, seed {each['seed']}"
        f"{', by ' + each['by'] if each['by'] else ''}"
        for each in told["items"]
    ]
    if told["stopped"]:
        lines.append(f"stopped: none begins until {PROGRAM} faults --release")
    return "\n".join(lines) or "no fault is on"


# --- Inside ----------------------------------------------------------------------------------

_HOLDS: Final = "where the running system's files are"


def time_s(text: str) -> float:
    """Return the time in seconds, as an option's type: 200ms, 30s, 5m, 1h."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 200ms, 30s or 5m")
    return float(found[1]) * _SECONDS[found[2]]


def _data_dir(options: argparse.Namespace) -> Path:
    """Return the folder; of the configuration no more is read, for no system is booted."""
    set_ = named_keys(options.config, options.set).get("runtime", {}).get("data_dir")
    return Path(options.data_dir or set_ or load_config().runtime.data_dir).absolute()


def _same_folder(options: argparse.Namespace) -> str:
    return "" if options.data_dir is None else f" --data-dir {options.data_dir}"


def _ask(data_dir: Path, method: str, path: str, body: Any = None) -> Any:
    if holder_of(data_dir) is None:
        message = (
            f"no process uses {data_dir}: start the system with `{PROGRAM} run`, or name its "
            f"folder with --data-dir"
        )
        raise HolderSaysNo(message)
    return ask_holder(data_dir, method, path, body, timeout_s=ASK_S_MAX)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return ""


PARSERS: Final = {"break": _break_parser, "faults": _faults_parser, "mend": _mend_parser}
