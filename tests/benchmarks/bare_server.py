"""The bar: bare aiohttp handlers that read the same requests, store nothing and answer alike."""

from __future__ import annotations

import asyncio
import json
import signal

import msgspec
import uvloop
from aiohttp import web

from actors.systems.hotel.messages import CreateRoom, Room

# Making ids is part of storing; a constant keeps the bar as high as it can be.
ID = "019a0000-0000-7000-8000-000000000000"

decode = msgspec.json.Decoder(CreateRoom).decode
encode = msgspec.json.Encoder().encode


async def create(request: web.Request) -> web.Response:
    """Answer with the room that was not created."""
    command = decode(await request.read())
    room = Room(
        id=ID, type=command.type, rate=command.rate, number=command.number, status="available"
    )
    return web.Response(body=encode(room), status=201, content_type="application/json")


async def insert(request: web.Request) -> web.Response:
    """Answer for the tweet that was not inserted."""
    author, text = request.match_info["author"], request.match_info["text"]
    assert author
    assert text
    return web.Response(text="Inserted one into the Database")


async def health(request: web.Request) -> web.Response:
    """Say that it is up."""
    del request
    return web.Response()


async def serve() -> None:
    """Serve until SIGTERM."""
    app = web.Application()
    app.router.add_post("/api/v1/rooms", create)
    app.router.add_get("/insert/{author}/{text:.*}", insert)
    app.router.add_get("/readyz", health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ready = {"event": "ready", "listeners": {"gateway": f"http://{host}:{port}"}}
    print(json.dumps(ready), flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve())
