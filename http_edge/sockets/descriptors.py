"""The limit of open files is raised as far as it goes, and what does not fit is said at start."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from actors.errors import ConfigError
from http_edge.sockets.acceptor import PASS_CONNECTIONS_MAX

if TYPE_CHECKING:
    from actors.config import EdgeConfig

# A file's writer and reader, their WALs and the shared memory are five. Another five for whoever
# reads the file beside them: its verification, and a backup with the copy that it makes.
FILES_A_STORE: Final = 10
# The loop, the lock, the log, the clients in this process, and what SQLite keeps of connections
# that were closed (of each file as many as were ever open at once): some 25 at rest.
FILES_OTHER: Final = 48
# One too many is closed four passes of the loop after it was accepted, and its listener goes on
# accepting; crowds come hardly to more than two listeners at once. What waits in the kernel's queue
# has no descriptor.
AT_ONCE: Final = 2 * 4 * PASS_CONNECTIONS_MAX
# With fewer connections a listener, a browser and an operator shut each other out.
CONNECTIONS_MIN: Final = 8


class Fit(NamedTuple):
    """The edge's limits as they are possible; `limit` is how many files may be open at once."""

    config: EdgeConfig
    limit: int
    descriptors_max: int


def fit(config: EdgeConfig, *, stores: int, listeners: int) -> Fit:
    """Raise the soft limit, and lower what is configured where it would not fit below it.

    `descriptors_max` is the number from which on a descriptor is one of those that the stores may
    yet need: half of theirs are open at rest.
    Raises ConfigError where too few are left for connections.
    """
    kept = FILES_OTHER + stores * FILES_A_STORE
    at_once = AT_ONCE
    wanted = kept + at_once + listeners * (config.connections_max + config.connections_reserved)
    limit = raise_limit(wanted)
    if limit >= wanted:
        return Fit(config, limit, limit - kept // 2)
    needed = kept + 2 * listeners * (CONNECTIONS_MIN + 1)
    if limit < needed:
        message = (
            f"only {limit} files may be open at once, and {needed} are needed for {stores} stores "
            f"and {CONNECTIONS_MIN} connections on each of {listeners} listeners; raise the hard "
            f"limit: `ulimit -n 4096` as root, LimitNOFILE= of a systemd unit, or --ulimit nofile= "
            f"of a container"
        )
        raise ConfigError(message)
    # Half for these, and half in equal parts for the listeners, so that none takes another's; of
    # that an eighth to find out what those want that are one too many.
    at_once = min(at_once, (limit - kept) // 2)
    part = (limit - kept - at_once) // listeners
    reserved = min(config.connections_reserved, max(1, part // 8))
    reduced = msgspec.structs.replace(
        config,
        connections_max=min(config.connections_max, part - reserved),
        connections_reserved=reserved,
    )
    return Fit(reduced, limit, limit - kept // 2)


def raise_limit(wanted: int) -> int:
    """Return the limit, which is as high as `wanted` or as this user may raise it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        # Not to a hard limit of a thousand million, as containers have it: whoever closes all
        # descriptors that there could be would take minutes.
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if raised > soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            soft = raised
    return soft
