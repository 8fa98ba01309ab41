"""What lies between two hosts: how long bytes take, how many at a time, how they are cut."""

from __future__ import annotations

import msgspec


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One direction between two hosts. The defaults are those of a rack, with TCP's liberty to cut.

    A kernel hands on what has arrived, wherever that ends: nearly always at the end of a write, so
    that code which relies on it works until the day it does not. `cut_chance` makes it that day.
    """

    latency_s: float = 0.0005
    jitter_s: float = 0.0005  # at most this much is added to each chunk's latency, evenly
    bandwidth_bytes_s: float | None = None  # none: however much there is, it takes no time
    chunk_bytes_max: int = 65_536
    cut_chance: float = 0.1  # that a chunk is cut in two, anywhere
    # What may be on the way or unread; beyond, bytes wait in the writer's buffer: a socket's
    # send and receive buffers. An acknowledgement takes no time.
    window_bytes: int = 65_536


# TCP sends again what was not acknowledged: after 0.2 s, then twice as long each time (RFC 6298,
# with Linux's minimum), and gives up as Linux does with tcp_retries2 = 15 and tcp_syn_retries = 6.
RETRY_S_MIN = 0.2
RETRY_S_MAX = 120.0
RETRIES_MAX = 15
CONNECT_RETRY_S_MIN = 1.0
CONNECT_RETRIES_MAX = 6
