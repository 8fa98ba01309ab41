"""`python -m tests.load.pausing_server REQUEST SECONDS`: answers all, and blocks at that request.

It prints its port. REQUEST 0 is never.
"""

from __future__ import annotations

import asyncio
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Pausing(asyncio.Protocol):
    asked = 0
    pauses_at = int(sys.argv[1]) if sys.argv[1:] else 0
    pause_s = float(sys.argv[2]) if sys.argv[2:] else 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        for _ in range(data.count(b"\r\n\r\n")):
            Pausing.asked += 1
            if Pausing.asked == self.pauses_at:
                time.sleep(self.pause_s)
            self.transport.write(ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Pausing, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - who started it reads it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
