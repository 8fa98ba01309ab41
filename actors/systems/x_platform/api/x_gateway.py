"""A gateway whose every "no" is in X's form, whoever says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from actors.systems.x_platform.api.x_endpoint import QUOTA
from actors.systems.x_platform.api.x_problems import in_x_form, plain_problem
from http_edge.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from http_edge.address import HttpHandler
    from http_edge.answer import Answer
    from http_edge.problems import ProblemError


class XGateway(Gateway):
    """Answers all requests of the X listener."""

    # X has no HEAD: it is answered as what is not there, like any other method.
    serves_heads = False

    def other_method(
        self, request: web.BaseRequest, methods: Mapping[str, HttpHandler]
    ) -> NoReturn:
        """Say that there is no such address: X does not tell methods from addresses."""
        del request, methods
        raise plain_problem(404)

    def refusal(self, problem: ProblemError, request: web.BaseRequest | None) -> Answer:
        """Return the answer, with the caller's quota where there is one."""
        quota = None if request is None else request.get(QUOTA)
        answer = in_x_form(problem).answer(*(() if quota is None else quota.headers()))
        if problem.closes:
            answer.force_close()
        return answer
