"""What an event loop offers besides callbacks, timers and TCP: here all of it raises Escape."""

from __future__ import annotations

import asyncio
from typing import Any, NoReturn

from actors.simulation.sealed.watch import escape


def _refusing(what: str) -> Any:
    def refuse(_self: asyncio.AbstractEventLoop, *_arguments: Any, **_options: Any) -> NoReturn:
        # Not a coroutine function, where asyncio's is one: the call itself is the mistake.
        raise escape(what)

    return refuse


_FILE = "a file descriptor"
_BARE = "a bare socket, which is not simulated,"


class RefusedCalls(asyncio.AbstractEventLoop):
    """An event loop without threads, signals, processes and files."""

    add_reader = _refusing(_FILE)
    add_writer = _refusing(_FILE)
    remove_reader = _refusing(_FILE)
    remove_writer = _refusing(_FILE)
    add_signal_handler = _refusing("a signal handler")
    remove_signal_handler = _refusing("a signal handler")
    run_in_executor = _refusing("a thread: loop.run_in_executor()")
    set_default_executor = _refusing("a thread pool")
    connect_accepted_socket = _refusing("a real socket")
    connect_read_pipe = _refusing("a pipe")
    connect_write_pipe = _refusing("a pipe")
    create_datagram_endpoint = _refusing("a datagram, which is not simulated,")
    create_unix_connection = _refusing("a Unix socket, which is not simulated,")
    create_unix_server = _refusing("a Unix socket, which is not simulated,")
    sendfile = _refusing("loop.sendfile(), which is not simulated,")
    sock_accept = _refusing(_BARE)
    sock_recv = _refusing(_BARE)
    sock_recv_into = _refusing(_BARE)
    sock_recvfrom = _refusing(_BARE)
    sock_recvfrom_into = _refusing(_BARE)
    sock_sendall = _refusing(_BARE)
    sock_sendfile = _refusing(_BARE)
    sock_sendto = _refusing(_BARE)
    start_tls = _refusing("TLS, which is not simulated,")
    subprocess_exec = _refusing("a subprocess")
    subprocess_shell = _refusing("a subprocess")
