"""Whether a key stands for one request, and what makes no sense is refused by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.systems.hotel.scenario.journal import ASKED_US_MAX, INVALID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.hotel.scenario.books import Books
    from actors.systems.hotel.scenario.journal import Exchange

KEY_FIELD: Final = "Idempotency-Key"
# What an answer must not hold, whatever it is: a program's own words.
INSIDE: Final = ("Traceback", 'File "', "sqlite3", ".py")


class Expected(msgspec.Struct, kw_only=True):
    """What a request that makes no sense must be answered: a status, and the field at fault."""

    exchange: Exchange
    status: int
    field: str | None = None


def judge_keys(books: Books, expected: list[Expected]) -> Iterator[str]:
    """Judge what was asked twice, and what should not have been asked at all."""
    for exchange in books.journal.exchanges:
        if exchange.repeats is not None:
            yield from _of_repetition(exchange, exchange.repeats)
        elif _is_about_key(exchange):
            yield f"{exchange}: the key {exchange.key} was free, and the answer {exchange.reply}"
        if exchange.status >= 400:  # noqa: PLR2004 - a no
            yield from _of_problem(exchange)
        waited = exchange.status == 0 and not exchange.left
        if waited and not books.is_disturbed(exchange.begun_us, exchange.begun_us + ASKED_US_MAX):
            yield f"{exchange}: nobody answered"
    for each in expected:
        exchange = each.exchange
        right = {"status": each.status, "field": each.field}
        told = {"status": exchange.status, "field": (exchange.reply or {}).get("field")}
        if exchange.status != 0 and told != right and not _is_about_key(exchange):
            yield f"{exchange} {exchange.body}: it was answered {told}, and should be {right}"


def _of_repetition(exchange: Exchange, first: Exchange) -> Iterator[str]:
    if exchange.status == 0:
        return
    if exchange.request != first.request:
        if not _is_about_key(exchange) and (first.before(exchange) or first.status not in {0, 422}):
            yield (
                f"{exchange}: the key {exchange.key} is another request's, {first}, and it was "
                f"answered {exchange.status} {exchange.reply}"
            )
    elif first.before(exchange) and (exchange.status, exchange.reply) != (
        first.status,
        first.reply,
    ):
        yield (
            f"{exchange} under one key was answered {first.status} {first.reply}, "
            f"then {exchange.status} {exchange.reply}"
        )


def _of_problem(exchange: Exchange) -> Iterator[str]:
    """Say why, in words for whoever asked."""
    reply: Any = exchange.reply
    if not isinstance(reply, dict) or reply.get("status") != exchange.status:
        yield f"{exchange}: {exchange.status}, and its problem is {reply}"
    elif not reply.get("detail") or any(each in str(reply["detail"]) for each in INSIDE):
        yield f"{exchange}: {exchange.status}, and its detail is {reply.get('detail')!r}"


def _is_about_key(exchange: Exchange) -> bool:
    return exchange.status == INVALID and exchange.reply.get("field") == KEY_FIELD
