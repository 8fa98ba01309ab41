"""Runs the program on what is a full disk to it: no file may grow, whoever runs it."""

from __future__ import annotations

import os
import resource
import sys

# Below a page: neither a log nor its index can be made. The lock's few words fit.
FILE_BYTES_MAX = 2048

_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, hard))
os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - that is what it is for
