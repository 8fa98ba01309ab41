"""The payment service alone: one charge, one refund, and no doubt that is left as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.kernel.messages import EffectOutcome, GaveUp, Refusal, type_of
from actors.service.bound_effect import bound_effects
from actors.systems.hotel.booking import BookingService
from actors.systems.hotel.card_processor.card_processor_client import CardProcessorClient
from actors.systems.hotel.card_processor.processor_messages import (
    Charge,
    ChargeApproved,
    ChargeRefused,
    Refund,
    Refunded,
    Void,
    Voided,
)
from actors.systems.hotel.card_processor.sandbox_cards import APPROVED_CARD
from actors.systems.hotel.messages import Money
from actors.systems.hotel.payment import (
    ChargeCard,
    PaymentService,
    RefundCard,
    VoidCharge,
)
from actors.systems.hotel.saga_messages import (
    CancelPayment,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    PaymentTaken,
    RefundAccepted,
    RefundPayment,
    TakePayment,
)
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

PRICE = Money(amount=1000, currency="EUR")
TAKE = TakePayment(payment_id="p", card_number=APPROVED_CARD, price=PRICE)
CHARGE = ChargeCard(payment_id="p", card_number=APPROVED_CARD, amount=1000, currency="EUR")
VOID = VoidCharge(payment_id="p")
REFUND = RefundPayment(payment_id="p", amount=400)
REFUND_CARD = RefundCard(payment_id="p", amount=400)
CHARGED = EffectOutcome(command=CHARGE, value=ChargeApproved(charge_id="c"))
DECLINED = EffectOutcome(command=CHARGE, value=ChargeRefused(reason="no"))

# Everything a payment may be told, by name.
TOLD: dict[str, Any] = {
    "take": TAKE,
    "charged": CHARGED,
    "declined": DECLINED,
    "charge unknown": GaveUp(command=CHARGE, reason="no answer"),
    "cancel": CancelPayment(payment_id="p"),
    "voided": EffectOutcome(command=VOID, value=Voided(refunded=1000)),
    "refund": REFUND,
    "refunded": EffectOutcome(command=REFUND_CARD, value=Refunded(amount=400)),
}
WAYS = {
    "charging": ["take"],
    "charged": ["take", "charged"],
    "declined": ["take", "declined"],
    "voiding": ["take", "charge unknown"],
    "voided": ["take", "charge unknown", "voided"],
    "refunding": ["take", "charged", "refund"],
    "refunded": ["take", "charged", "refund", "refunded"],
}
# What each state waits for. A repeated refund is told of again.
WAITS_FOR = {
    "charging": {"charged", "declined", "charge unknown", "cancel"},
    "charged": {"cancel", "refund"},
    "declined": set(),
    "voiding": {"voided"},
    "voided": set(),
    "refunding": {"refunded", "refund"},
    "refunded": {"refund"},
}


class Processor:
    """Answers as it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: Any = None

    async def ask(self, service: str, message: Any) -> Any:
        assert service == "card_processor"
        self.asked.append(message)
        return self.answer


def service(processor: Processor) -> PaymentService:
    return PaymentService(CardProcessorClient(processor.ask), settle_retry_s=30.0)


def payments(
    folder: Path, processor: Processor | None = None
) -> AbstractAsyncContextManager[Stage]:
    others = {"booking": BookingService}
    return stage(service(processor or Processor()), folder, name="payment", others=others)


async def begin(on: Stage, state: str) -> None:
    for name in WAYS[state]:
        await on.ask(TOLD[name])
    assert state_of(on) == state


def state_of(on: Stage) -> Any:
    return on.rows("SELECT state FROM payment WHERE id = 'p'")[0]["state"]


# --- Each step -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name", "becomes", "told", "asked"),
    [
        ("charging", "charged", "charged", PaymentTaken(payment_id="p"), None),
        ("charging", "declined", "declined", PaymentDeclined(payment_id="p", reason="no"), None),
        ("charging", "cancel", "voiding", None, VOID),
        ("charged", "cancel", "voiding", None, VOID),
        ("voiding", "voided", "voided", PaymentRefunded(payment_id="p", amount=1000), None),
        (
            "charged",
            "refund",
            "refunding",
            RefundAccepted(payment_id="p", amount=400),
            REFUND_CARD,
        ),
        ("refunding", "refund", "refunding", RefundAccepted(payment_id="p", amount=400), None),
        ("refunded", "refund", "refunded", RefundAccepted(payment_id="p", amount=400), None),
        ("refunding", "refunded", "refunded", PaymentRefunded(payment_id="p", amount=400), None),
    ],
)
async def test_each_step_tells_booking_and_asks_the_processor(
    tmp_path: Path, state: str, name: str, becomes: str, told: Any, asked: Any
) -> None:
    """One state, one message, one next state."""
    async with payments(tmp_path) as on:
        await begin(on, state)
        await on.ask(TOLD[name])
        assert state_of(on) == becomes
        assert on.sent == ([] if told is None else [("booking", told)])
        assert on.timers == ([] if asked is None else [(0.0, asked)])


async def test_taking_a_payment_charges_the_card_once(tmp_path: Path) -> None:
    """The number goes with the charge, and stays nowhere."""
    async with payments(tmp_path) as on:
        await on.ask(TAKE)
        assert (on.sent, on.timers) == ([], [(0.0, CHARGE)])
        await on.ask(TAKE)
        assert (on.sent, on.timers) == ([], [])
        assert APPROVED_CARD not in str(on.rows("SELECT * FROM payment"))


async def test_an_unknown_charge_is_voided_at_once(tmp_path: Path) -> None:
    """Booking hears that there is no payment; the void runs whatever booking does."""
    async with payments(tmp_path) as on:
        await begin(on, "charging")
        await on.ask(TOLD["charge unknown"])
        assert [type(message) for _, message in on.sent] == [PaymentFailed]
        assert on.timers == [(0.0, VOID)]


async def test_a_void_of_nothing_refunds_nothing(tmp_path: Path) -> None:
    """Nobody is told of money that never moved."""
    async with payments(tmp_path) as on:
        await begin(on, "voiding")
        await on.ask(EffectOutcome(command=VOID, value=Voided(refunded=0)))
        assert (state_of(on), on.sent) == ("voided", [])


def test_what_is_not_settled_is_tried_again() -> None:
    """For ever: it is somebody's money. A charge is not: whoever books waits for it."""
    effects = bound_effects("payment", service(Processor()), load_config())
    again_s = {message: each.again_s for message, each in effects.items()}
    assert again_s == {ChargeCard: None, VoidCharge: 30.0, RefundCard: 30.0}


async def test_a_cancelled_payment_never_begins(tmp_path: Path) -> None:
    """As when it was a dead letter, and is replayed after its booking was abandoned."""
    async with payments(tmp_path) as on:
        await on.ask(TOLD["cancel"])
        await on.ask(TAKE)
        assert (on.sent, on.timers, state_of(on)) == ([], [], "voided")


@pytest.mark.parametrize("state", [None, "charging", "declined", "voiding", "voided"])
async def test_only_what_was_taken_is_refunded(tmp_path: Path, state: str | None) -> None:
    """Anything else is a refusal, which stays visible as a dead letter: no booking asks for it."""
    async with payments(tmp_path) as on:
        if state is not None:
            await begin(on, state)
        assert isinstance(await on.ask(REFUND), Refusal)
        assert (on.sent, on.timers) == ([], [])


# --- Late, and twice -------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("state", WAITS_FOR)
async def test_a_message_that_a_state_does_not_wait_for_is_harmless(
    tmp_path: Path, state: str, name: str
) -> None:
    """The payment stands as it stood; booking is told nothing, the processor asked nothing."""
    async with payments(tmp_path) as on:
        await begin(on, state)
        before = on.rows("SELECT * FROM payment")
        await on.ask(TOLD[name])
        if name in WAITS_FOR[state]:
            assert on.rows("SELECT * FROM payment") != before or on.sent
        else:
            assert on.rows("SELECT * FROM payment") == before
            assert on.sent == []
            assert on.timers == []


@pytest.mark.parametrize("name", TOLD.keys() - {"take", "cancel"})
async def test_a_message_for_no_payment_is_harmless(tmp_path: Path, name: str) -> None:
    """As after a backup was restored."""
    async with payments(tmp_path) as on:
        await on.ask(TOLD[name])
        assert on.sent == []
        assert on.rows("SELECT * FROM payment") == []


# --- Effects ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "request_", "answer"),
    [
        (
            CHARGE,
            Charge(key="p", card_number=APPROVED_CARD, amount=1000, currency="EUR"),
            ChargeApproved(charge_id="c"),
        ),
        (
            CHARGE,
            Charge(key="p", card_number=APPROVED_CARD, amount=1000, currency="EUR"),
            ChargeRefused(reason="no"),
        ),
        (VOID, Void(key="p"), Voided(refunded=7)),
        (REFUND_CARD, Refund(key="p", charge_key="p", amount=400), Refunded(amount=400)),
    ],
)
async def test_effects_are_idempotent_by_the_payments_id(
    tmp_path: Path, effect: Any, request_: Any, answer: Any
) -> None:
    """Each attempt asks with the same key, and the answer is payment's to apply."""
    processor = Processor()
    processor.answer = answer
    async with payments(tmp_path, processor) as on:
        outcome = EffectOutcome(command=effect, value=answer)
        for _ in range(2):
            assert await on.run_effect(effect) == outcome
        assert processor.asked == [request_, request_]
        assert type_of(outcome) in PaymentService.handlers
