"""Every "no" in the form in which X says it: a problem, or a list of what was wrong.

Texts are those of X's OpenAPI description and of answers that X's users have quoted in issues
(tweepy #1934 and #1962, node-twitter-api-v2 #475 and #597, twarc #462, among others). The types'
host is the one of today's X and of the models of its own client, xdk; older quotes have
api.twitter.com.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from http_edge.answer import JSON, PROBLEM, Answer, make_head
from http_edge.problems import Problem, ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEMS: Final = "https://api.x.com/2/problems"
INVALID_REQUEST: Final = f"{PROBLEMS}/invalid-request"
RESOURCE_NOT_FOUND: Final = f"{PROBLEMS}/resource-not-found"
STREAMING_CONNECTION: Final = f"{PROBLEMS}/streaming-connection"
OPERATIONAL_DISCONNECT: Final = f"{PROBLEMS}/operational-disconnect"
UNSUPPORTED_AUTHENTICATION: Final = f"{PROBLEMS}/unsupported-authentication"

INVALID_TITLE: Final = "Invalid Request"
INVALID_DETAIL: Final = "One or more parameters to your request was invalid."

# X names the state by HTTP's own words where it has nothing to add.
_PLAIN: Final = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Payload Too Large",
    421: "Misdirected Request",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# What our edge tells apart and X does not.
_AS_X: Final = {400: 400, 405: 404, 415: 400, 417: 400, 422: 400, 504: 503}
_BAD_REQUEST: Final = 400
_OURS: Final = frozenset({403, 421})


class XProblemError(ProblemError):
    """Ends a request with this status and `body`, X's own."""

    # Not calling the base's constructor is the point: its kinds are not X's.
    def __init__(self, status: int, body: Mapping[str, Any], content_type: str = JSON) -> None:
        detail = str(body.get("detail", ""))
        Exception.__init__(self, detail)
        self.problem = Problem(
            type=str(body.get("type", "about:blank")),
            title=str(body.get("title", "")),
            status=status,
            detail=detail,
        )
        self._body = body
        self._content_type = content_type
        self._headers = ()
        self.closes = False

    def answer(self, *headers: tuple[str, str]) -> Answer:
        """Return it as a response, with `headers` besides its own."""
        head = make_head(self.problem.status, self._content_type, *headers)
        return Answer(head, msgspec.json.encode(self._body))


def plain_problem(status: int, detail: str | None = None) -> XProblemError:
    """Return a problem that HTTP's status says already; `detail` is more where X has more."""
    title = _PLAIN[status]
    body = {"title": title, "detail": detail or title, "type": "about:blank", "status": status}
    return XProblemError(status, body, PROBLEM)


def invalid(*errors: dict[str, Any]) -> XProblemError:
    """Return a 400 of these, each made by `parameter_error`."""
    body = {
        "errors": errors,
        "title": INVALID_TITLE,
        "detail": INVALID_DETAIL,
        "type": INVALID_REQUEST,
    }
    return XProblemError(_BAD_REQUEST, body)


def parameter_error(name: str, values: list[str], message: str) -> dict[str, Any]:
    """Return what is wrong with a parameter, or with a body's field such as `$.text`."""
    return {"parameters": {name: [printable(value) for value in values]}, "message": message}


def unsupported_authentication(used: str, supported: list[str]) -> XProblemError:
    """Return the 403 for who is known and may not do this in that way."""
    body = {
        "title": "Unsupported Authentication",
        "detail": (
            f"Authenticating with {used} is forbidden for this endpoint.  Supported authentication"
            f" types are [{', '.join(supported)}]."
        ),
        "type": UNSUPPORTED_AUTHENTICATION,
        "status": 403,
    }
    return XProblemError(403, body, PROBLEM)


def connection_refused(status: int, detail: str, issue: str) -> XProblemError:
    """Return why a stream does not begin."""
    body = {
        "title": "ConnectionException",
        "detail": detail,
        "connection_issue": issue,
        "type": STREAMING_CONNECTION,
    }
    return XProblemError(status, body)


def disconnect(disconnect_type: str) -> dict[str, Any]:
    """Return what a stream says last: an object of its own, in it."""
    upstream = " upstream" if disconnect_type.startswith("Upstream") else ""
    error = {
        "title": "operational-disconnect",
        "disconnect_type": disconnect_type,
        "detail": f"This stream has been disconnected{upstream} for operational reasons.",
        "type": OPERATIONAL_DISCONNECT,
    }
    return {"errors": [error]}


def not_found(kind: str, parameter: str, value: str) -> dict[str, Any]:
    """Return an entry of `errors` for a tweet or user that was asked for and is not there."""
    return {
        "value": value,
        "detail": f"Could not find {kind} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": kind,
        "parameter": parameter,
        "resource_id": value,
        "type": RESOURCE_NOT_FOUND,
    }


def missing(kind: str, parameter: str, value: str) -> XProblemError:
    """Return the 404 for who would act on a tweet or user that is not there: one problem."""
    return XProblemError(404, {**not_found(kind, parameter, value), "status": 404}, PROBLEM)


def in_x_form(error: ProblemError) -> XProblemError:
    """Return what our edge says to all its clients as X would say it."""
    if isinstance(error, XProblemError):
        return error
    problem = error.problem
    status = _AS_X.get(problem.status, problem.status)
    if status == _BAD_REQUEST:
        names = [] if problem.field is None else [problem.field]
        return invalid({"parameters": {each: [] for each in names}, "message": problem.detail})
    # What X never says of us: whoever has to change something is told what.
    return plain_problem(status, problem.detail if status in _OURS else None)


def printable(text: str) -> str:
    """Return `text` as it can be encoded: aiohttp keeps stray bytes as lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode()
