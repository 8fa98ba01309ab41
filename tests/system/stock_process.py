"""A process of somebody's own that keeps stock, and is slow, or garbles what it answers, at will.

    python stock_process.py PORT FILE

What is taken is a line of the file, `KEY ORDER_ID`, synced before it is answered; a key that is
there takes nothing more. A mood, from then on: `POST /mood/NAME`. All but `well` do what they are
asked; of each two answers `mixed` spoils one, with the moods in turn.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW_S = 1.0
SPOILT = ("slow", "truncated", "cut", "no_json", "wrong", "no_http", "gone", "sorry")


class Shelf:
    def __init__(self, path: Path) -> None:
        self.file = path.open("a+")
        self.file.seek(0)
        self.keys = {line.split()[0] for line in self.file}
        self.lock = threading.Lock()
        self.mood = "well"
        self.asked = 0

    def take(self, key: str, order_id: int) -> None:
        with self.lock:
            if key not in self.keys:
                self.keys.add(key)
                self.file.write(f"{key} {order_id}\n")
                self.file.flush()
                os.fsync(self.file.fileno())

    def next_mood(self) -> str:
        self.asked += 1
        if self.mood != "mixed":
            return self.mood
        return "well" if self.asked % 2 else SPOILT[self.asked // 2 % len(SPOILT)]


class Stock(BaseHTTPRequestHandler):
    shelf: Shelf
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.say(self.shelf.next_mood(), 200, {"left": 3})

    def do_POST(self) -> None:
        _, kind, name, *_ = self.path.split("/")
        if kind == "mood":
            self.shelf.mood = name
            self.say("well", 200, {})
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if name == "none":
            self.say(self.shelf.next_mood(), 409, {"detail": "there is none left"})
            return
        self.shelf.take(self.headers["Idempotency-Key"], body["order_id"])
        self.say(self.shelf.next_mood(), 201, {"taken": name})

    def say(self, mood: str, status: int, body: object) -> None:
        blob = json.dumps(body).encode()
        length = len(blob)
        if mood == "slow":
            time.sleep(SLOW_S)
        elif mood == "truncated":  # and the connection ends
            length += 10
        elif mood == "cut":  # what is left over comes before the next answer
            length -= 3
        elif mood == "no_json":
            blob = b"<" * length
        elif mood == "wrong":
            blob = b"[" + b" " * (length - 2) + b"]"
        elif mood == "sorry":
            status = 500
        if mood == "no_http":
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        if mood in {"no_http", "gone"}:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(blob)
        self.close_connection = mood == "truncated"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True


if __name__ == "__main__":
    Stock.shelf = Shelf(Path(sys.argv[2]))
    Server(("127.0.0.1", int(sys.argv[1])), Stock).serve_forever()
