"""How the payment service reaches the card processor, as it would over a network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from actors.kernel.messages import Refusal
from actors.systems.hotel.card_processor.processor_messages import (
    AnswerLost,
    Charge,
    ChargeApproved,
    ChargeRefused,
    Refund,
    Refunded,
    Void,
    Voided,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from actors.kernel.messages import Message

    Ask = Callable[[str, Message], Awaitable[Any]]


class ProcessorError(Exception):
    """The card processor found a request contradictory: a bug of ours, told by its words."""


class CardProcessorClient:
    """Asks for a charge, a void, a refund; every request may be repeated, for it has a key.

    Raises TimeoutError where the processor does not answer. It does not sit the time out first: a
    lost answer is one whose time is over.
    """

    def __init__(self, ask: Ask, *, charge_s: float = 0.0, charges_max: int = 1) -> None:
        """`ask(service, message)` is the network.

        Where a charge takes `charge_s`, there are `charges_max` at a time: others wait.
        """
        self._ask = ask
        self._charge_s = charge_s
        self._room = asyncio.Semaphore(charges_max)

    async def charge(
        self, key: str, card_number: str, *, amount: int, currency: str
    ) -> ChargeApproved | ChargeRefused:
        """Charge the card once for each key, and return what the processor decided."""
        message = Charge(key=key, card_number=card_number, amount=amount, currency=currency)
        if self._charge_s:
            async with self._room:
                await asyncio.sleep(self._charge_s)
        answer: ChargeApproved | ChargeRefused = await self._request(message)
        return answer

    async def void(self, key: str) -> Voided:
        """Undo the charge of this key, or forbid it if it has not come."""
        answer: Voided = await self._request(Void(key=key))
        return answer

    async def refund(self, key: str, *, amount: int) -> Refunded:
        """Give back `amount` of the charge of this key. One refund a charge: it has its key."""
        answer: Refunded = await self._request(Refund(key=key, charge_key=key, amount=amount))
        return answer

    async def _request(self, message: Message) -> Any:
        answer = await self._ask("card_processor", message)
        if isinstance(answer, AnswerLost):
            raise TimeoutError("the card processor did not answer")
        if isinstance(answer, Refusal):
            raise ProcessorError(answer.detail)
        return answer
