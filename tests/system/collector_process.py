"""A collector, oteltest's: what it takes over is lines of a file, a request of spans each.

    python collector_process.py PORT FILE

In a process of its own: it brings gRPC, whose threads are nobody's in a test.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from oteltest.sink import HttpSink


class Lines:
    def __init__(self, path: Path) -> None:
        self.file = path.open("a", encoding="utf-8")

    def handle_trace(self, request: Any, _headers: Any) -> None:
        self.file.write(json.dumps(MessageToDict(request)) + "\n")
        self.file.flush()


if __name__ == "__main__":
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    HttpSink(Lines(file), logging.getLogger(), port, daemon=False).start()
