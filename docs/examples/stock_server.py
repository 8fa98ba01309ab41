"""Somebody's own service, of the standard library alone: stock, of which each key takes once."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HAD = 3  # of everything
TAKEN: dict[str, str] = {}  # what was taken, by key: in earnest a table, in the same transaction


class Stock(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer(200, {"left": HAD - [*TAKEN.values()].count(self.path.split("/")[2])})

    def do_POST(self) -> None:
        key, sku = self.headers["Idempotency-Key"], self.path.split("/")[2]
        self.rfile.read(int(self.headers["Content-Length"]))
        if key not in TAKEN and [*TAKEN.values()].count(sku) == HAD:
            return self.answer(409, {"detail": f"there is no {sku} left"})
        return self.answer(201, {"taken": TAKEN.setdefault(key, sku)})

    def answer(self, status: int, body: object) -> None:
        blob = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(blob)))
        self.end_headers()
        self.wfile.write(blob)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Stock).serve_forever()
