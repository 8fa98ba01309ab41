"""SQLite's write-ahead log, by its documented format, and what a power cut can make of its end.

https://www.sqlite.org/fileformat2.html#the_write_ahead_log: a header of 32 bytes, then frames, each
a header of 24 bytes and a page. A frame counts where its salts are the header's, its checksum is
right, and the last frame of its transaction, which is marked, is there as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Loss = Literal["keep", "lose", "stale", "garble", "tear"]

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
# Of the log's header, and of a frame's: numbers are big-endian.
PAGE_BYTES: Final = slice(8, 12)
SALTS: Final = slice(16, 24)
FRAME_COMMIT: Final = slice(4, 8)
FRAME_SALTS: Final = slice(8, 16)
NO_COMMIT: Final = bytes(4)


class LogEnd(NamedTuple):
    """Up to where a log is committed: so many frames, in so many transactions.

    `salts` tell one generation of a log from the next, which begins at the front again.
    """

    salts: bytes = b""
    frames: int = 0
    commits: int = 0

    def since(self, earlier: LogEnd) -> LogEnd:
        """Return what has been committed since then, of this generation."""
        if self.salts != earlier.salts:
            return self
        return LogEnd(self.salts, self.frames - earlier.frames, self.commits - earlier.commits)


def find_end(log: Path, known: LogEnd = LogEnd()) -> LogEnd:  # noqa: B008 - it is frozen
    """Return up to where `log` is committed, reading on from where it was `known` to be.

    Its salts alone are looked at, and not its checksums: SQLite itself has just written it. There
    is nothing in a log that is not there.
    """
    try:
        file = log.open("rb", buffering=0)
    except FileNotFoundError:
        return LogEnd()
    with file:
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return LogEnd()
        salts, frame_bytes = header[SALTS], _frame_bytes(header)
        end = known if known.salts == salts else LogEnd(salts)
        file.seek(HEADER_BYTES + end.frames * frame_bytes)
        rest = file.read()
    for frames, at in enumerate(range(0, len(rest) - frame_bytes + 1, frame_bytes), end.frames + 1):
        frame = rest[at : at + FRAME_HEADER_BYTES]
        if frame[FRAME_SALTS] != salts:
            break
        if frame[FRAME_COMMIT] != NO_COMMIT:
            end = LogEnd(salts, frames, end.commits + 1)
    return end


def after_cut(log: bytes, synced: LogEnd, loss: Loss) -> bytes:
    """Return what a disk may hold of `log` after a power cut, which was synced up to there.

    What was not is there all the same (`keep`), or not at all (`lose`); or what stands there is of
    an older generation (`stale`), or its first frame's page is another one (`garble`), or it breaks
    off amid the last frame of its first transaction (`tear`).
    """
    if len(log) < HEADER_BYTES or loss == "keep":
        return log
    frames = synced.frames if synced.salts == log[SALTS] else 0
    frame_bytes = _frame_bytes(log)
    begin = HEADER_BYTES + frames * frame_bytes
    if loss == "lose":
        return log[:begin]
    changed = bytearray(log)
    if loss == "garble":
        middle = begin + FRAME_HEADER_BYTES + (frame_bytes - FRAME_HEADER_BYTES) // 2
        for at in range(middle, min(middle + 8, len(log))):
            changed[at] ^= 0xFF
        return bytes(changed)
    for at in _frames(log, begin, frame_bytes):
        if loss == "stale":
            # The first salt is one more in each generation.
            salt = int.from_bytes(log[at + 8 : at + 12], "big") - 1
            changed[at + 8 : at + 12] = (salt % (1 << 32)).to_bytes(4, "big")
        elif log[at : at + FRAME_HEADER_BYTES][FRAME_COMMIT] != NO_COMMIT:
            return log[: at + FRAME_HEADER_BYTES + (frame_bytes - FRAME_HEADER_BYTES) // 2]
    return bytes(changed)


def _frame_bytes(header: bytes) -> int:
    return FRAME_HEADER_BYTES + int.from_bytes(header[PAGE_BYTES], "big")


def _frames(log: bytes, begin: int, frame_bytes: int) -> Iterator[int]:
    """Yield where each whole frame of this generation begins."""
    for at in range(begin, len(log) - frame_bytes + 1, frame_bytes):
        if log[at : at + FRAME_HEADER_BYTES][FRAME_SALTS] != log[SALTS]:
            return
        yield at
