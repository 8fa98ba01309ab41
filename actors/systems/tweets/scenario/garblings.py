"""How what X says may reach the monitor otherwise: odd lines, and answers of who stands before X.

All of it is as long as what it stands for, and none says of a tweet or an answer what is not so: a
line that reads as another tweet would be X's own lie, and a no to what X has done as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.simulation.net.fault_rules import Garbling
from actors.simulation.stage.edge_host import EDGE_HOST
from actors.systems.tweets.scenario.embedded_x import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_AGAIN: Final = "that nothing is sent again"
FROM_X: Final = f"{HOST}>{EDGE_HOST}"
# What a whole line of the stream ends with, and how it begins.
TO_ITS_END: Final = rb'(?=[^\r]*"matching_rules":\[)'
BEGUN: Final = rb'(?<="data":\{)'
# The head of an answer to the monitor: others who ask X close their connection with it.
HEAD: Final = rb"(?=\r\n(?:(?!\r\n\r\n|Connection).)*\r\nContent-Length: \d+\r\n\r\n"
OF_RULES: Final = HEAD + rb'\{"data":\[\{"id":"\d+","value")'
OF_STREAM: Final = rb"HTTP/1.1 200 OK(?=(?:(?!\r\n\r\n).)*\r\nTransfer-Encoding: chunked\r\n)"
NO_JSON: Final = (rb'\{(?="data":\{"id"' + TO_ITS_END + rb")", b"\xff")


def _said(*pairs: tuple[bytes, bytes], times: int = 1) -> Garbling:
    return Garbling(FROM_X, pairs, times)


# Those for which a line is set aside, or may be.
ODD_LINES: Final[Mapping[str, Garbling]] = {
    "a line that is no JSON": _said(NO_JSON),
    "some lines that are no JSON": _said(NO_JSON, times=3),
    "a line that is no tweet": _said(
        (rb'"data":(?=\{"id"' + TO_ITS_END + rb")", b'"dada":'),
    ),
    "a tweet not in its own history": _said(
        (rb'"edit_history_tweet_ids":\["1(?=\d{18}"\]' + TO_ITS_END + rb")",
         rb'"edit_history_tweet_ids":["9'),
    ),
}  # fmt: skip
# Of those: the first is damage on the way, for all that the reader knows.
NO_JSON_LINES: Final = frozenset(
    name for name, each in ODD_LINES.items() if each.pairs == (NO_JSON,)
)
GARBLINGS: Final[Mapping[str, Garbling]] = {
    **ODD_LINES,
    "a tweet whose ids are numbers": _said(
        (BEGUN + rb'"id":"(\d+)"' + TO_ITS_END, rb'"id": \1'),
        (rb'"author_id":"(\d+)"' + TO_ITS_END, rb'"author_id": \1'),
    ),
    "a tweet without its time": _said((rb'"created_at":' + TO_ITS_END, b'"created_xx":')),
    "that nobody knows the app": _said((rb"HTTP/1.1 200 OK" + OF_RULES, b"HTTP/1.1 401 OK")),
    "that a gateway is bad": _said(
        (rb"HTTP/1.1 200 OK" + OF_RULES, b"HTTP/1.1 502 OK"),
        (rb'\{(?="data":\[\{"id":)', b"<"),
    ),
    "too many requests, and not what time it is": _said(
        (rb"HTTP/1.1 200 OK" + OF_RULES, b"HTTP/1.1 429 OK"), (rb"\r\nDate: ", b"\r\nDato: ")
    ),
    "that a rule was bad": _said(
        (rb"HTTP/1.1 201 Created" + OF_RULES, b"HTTP/1.1 400 Created"),
    ),
    NOT_AGAIN: _said(
        (OF_STREAM, b"HTTP/1.1 403 OK"),
        (rb"x-rate-limit-limit: .*", b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"),
        times=2,
    ),
    "a no of who stands before X": _said(
        (OF_STREAM, b"HTTP/1.1 403 OK"),
        (rb"x-rate-limit-limit: .*", b"Connection: close\r\nContent-Length: 2\r\n\r\nno"),
    ),
    "not that it likes": _said((rb'\{"data":\{"liked":true\}\}', b'{"data":{"likes":true}}')),
    "nothing of a like": _said((rb'\{"data":\{"liked":true\}\}', b'{"dada":{"liked":true}}')),
    "no id of an answer": _said(
        (rb'\{"data":\{("edit_history_tweet_ids":\["\d+"\]),"id":', rb'{"data":{\1,"ix":'),
    ),
}  # fmt: skip
