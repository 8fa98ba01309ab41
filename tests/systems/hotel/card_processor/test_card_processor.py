"""The simulated processor: its books, its keys, and the cards that make it misbehave."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.kernel.messages import Refusal
from actors.systems.hotel.card_processor.card_processor import CardProcessorService
from actors.systems.hotel.card_processor.card_processor_client import (
    CardProcessorClient,
    ProcessorError,
)
from actors.systems.hotel.card_processor.processor_messages import (
    AnswerLost,
    Charge,
    ChargeApproved,
    ChargeRefused,
    GetLedger,
    Ledger,
    Refund,
    Refunded,
    Sums,
    Void,
    Voided,
)
from actors.systems.hotel.card_processor.sandbox_cards import (
    APPROVED_CARD,
    SANDBOX_CARDS,
    CardBehavior,
)
from actors.systems.hotel.messages import CreateBooking
from tests.systems.stage import Stage, stage

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

CARD = {behavior: number for number, behavior in SANDBOX_CARDS.items()}


def processor(folder: Path) -> AbstractAsyncContextManager[Stage]:
    return stage(CardProcessorService(), folder)


def a_charge(behavior: CardBehavior = CardBehavior.APPROVES, *, key: str = "k") -> Charge:
    return Charge(key=key, card_number=CARD[behavior], amount=1000, currency="EUR")


async def kept(on: Stage, key: str | None = None) -> int:
    ledger = await on.ask(GetLedger(charge_key=key))
    assert isinstance(ledger, Ledger)
    return sum(each.taken - each.refunded for each in ledger.sums)


# --- Cards -----------------------------------------------------------------------------------


def test_every_card_passes_the_check_digit() -> None:
    """As a form in front of it would want it (ISO/IEC 7812, Luhn)."""
    for number in SANDBOX_CARDS:
        digits = [int(digit) for digit in reversed(number)]
        doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
        assert (sum(digits[::2]) + sum(doubled)) % 10 == 0, number


def test_a_card_that_is_none_of_them_is_refused_unsaid() -> None:
    """The refusal lists those that exist, and does not repeat what may be somebody's."""
    real = "4111111111111111"
    body = {"customer_id": "c", "room_id": "r", "check_in": "2030-01-01", "check_out": "2030-01-02"}
    with pytest.raises(msgspec.ValidationError, match="card_number") as refused:
        msgspec.convert({**body, "card_number": real}, CreateBooking)
    assert real not in str(refused.value)
    assert all(number in str(refused.value) for number in SANDBOX_CARDS)
    for number in SANDBOX_CARDS:
        msgspec.convert({**body, "card_number": number}, CreateBooking)
    assert msgspec.convert(body, CreateBooking).card_number == APPROVED_CARD


@pytest.mark.parametrize(
    ("behavior", "answers", "taken"),
    [
        (CardBehavior.APPROVES, [ChargeApproved] * 3, 1000),
        (CardBehavior.DECLINES, [ChargeRefused] * 3, 0),
        (CardBehavior.LACKS_FUNDS, [ChargeRefused] * 3, 0),
        (CardBehavior.LOSES_FIRST_ANSWER, [AnswerLost, ChargeApproved, ChargeApproved], 1000),
        (CardBehavior.NEVER_ANSWERS, [AnswerLost] * 3, 0),
        (CardBehavior.CHARGES_AND_NEVER_ANSWERS, [AnswerLost] * 3, 1000),
    ],
)
async def test_each_card_does_what_its_row_says(
    tmp_path: Path, behavior: CardBehavior, answers: list[type], taken: int
) -> None:
    """Three attempts under one key charge once or never; a void leaves nothing of any of them."""
    async with processor(tmp_path) as on:
        replies = [await on.ask(a_charge(behavior)) for _ in answers]
        assert [type(reply) for reply in replies] == answers
        assert replies[1] == replies[2]
        assert await kept(on) == taken
        assert await on.ask(Void(key="k")) == Voided(refunded=taken)
        await on.ask(a_charge(behavior))
        assert await kept(on) == 0


async def test_an_unknown_card_is_refused(tmp_path: Path) -> None:
    """Whatever got past the edge."""
    async with processor(tmp_path) as on:
        unknown = msgspec.structs.replace(a_charge(), card_number="4111111111111111")
        assert isinstance(await on.ask(unknown), ChargeRefused)
        assert await kept(on) == 0


# --- Keys ------------------------------------------------------------------------------------


async def test_a_void_that_comes_first_forbids_the_charge(tmp_path: Path) -> None:
    """And gives back nothing, the second time either."""
    async with processor(tmp_path) as on:
        for _ in range(2):
            assert await on.ask(Void(key="k")) == Voided(refunded=0)
        assert isinstance(await on.ask(a_charge()), ChargeRefused)
        assert await kept(on) == 0


async def test_a_key_belongs_to_one_request(tmp_path: Path) -> None:
    """The same key with another amount or currency is refused; so is a refund's."""
    async with processor(tmp_path) as on:
        await on.ask(a_charge())
        for change in ({"amount": 999}, {"currency": "CHF"}):
            reply = await on.ask(msgspec.structs.replace(a_charge(), **change))
            assert isinstance(reply, Refusal)
        refund = Refund(key="r", charge_key="k", amount=10)
        for _ in range(2):
            assert await on.ask(refund) == Refunded(amount=10)
        reply = await on.ask(msgspec.structs.replace(refund, amount=11))
        assert isinstance(reply, Refusal)
        assert await kept(on) == 990


async def test_no_more_goes_back_than_was_taken(tmp_path: Path) -> None:
    """Refunds and a void share what there is."""
    async with processor(tmp_path) as on:
        await on.ask(a_charge())
        assert await on.ask(Refund(key="1", charge_key="k", amount=600)) == Refunded(amount=600)
        too_much = await on.ask(Refund(key="2", charge_key="k", amount=401))
        unknown = await on.ask(Refund(key="3", charge_key="nothing", amount=1))
        assert isinstance(too_much, Refusal)
        assert isinstance(unknown, Refusal)
        assert await on.ask(Void(key="k")) == Voided(refunded=400)
        assert isinstance(await on.ask(Refund(key="4", charge_key="k", amount=1)), Refusal)
        assert await on.ask(GetLedger()) == Ledger(
            sums=[Sums(currency="EUR", taken=1000, refunded=1000)]
        )


async def test_sums_are_by_currency(tmp_path: Path) -> None:
    """Or of one charge alone."""
    async with processor(tmp_path) as on:
        await on.ask(a_charge(key="1"))
        await on.ask(a_charge(key="2"))
        await on.ask(msgspec.structs.replace(a_charge(key="3"), currency="CHF"))
        await on.ask(Void(key="2"))
        assert await on.ask(GetLedger()) == Ledger(
            sums=[
                Sums(currency="CHF", taken=1000, refunded=0),
                Sums(currency="EUR", taken=2000, refunded=1000),
            ]
        )
        assert await kept(on, "1") == 1000
        assert await kept(on, "2") == 0
        assert await kept(on, "none") == 0


MOVES = st.lists(
    st.one_of(
        st.builds(a_charge, st.sampled_from(CardBehavior), key=st.sampled_from("abc")),
        st.builds(Void, key=st.sampled_from("abc")),
        st.builds(
            Refund,
            key=st.sampled_from("xyz"),
            charge_key=st.sampled_from("abc"),
            amount=st.integers(0, 1500),
        ),
    ),
    max_size=20,
)


@settings(max_examples=40)
@given(MOVES)
async def test_the_books_never_owe(moves: list[Any]) -> None:
    """Any sequence, with repeats: 0 <= kept <= taken, and each key is charged at most once."""
    with tempfile.TemporaryDirectory() as folder:
        async with processor(Path(folder)) as on:
            for move in moves:
                first, again = await on.ask(move), await on.ask(move)
                assert again == first or isinstance(first, AnswerLost)
            for key in "abc":
                ledger = await on.ask(GetLedger(charge_key=key))
                for sums in ledger.sums:
                    assert sums.taken in {0, 1000}
                    assert 0 <= sums.refunded <= sums.taken


# --- The client ------------------------------------------------------------------------------


async def test_a_lost_answer_is_a_time_out_and_a_refusal_an_error(tmp_path: Path) -> None:
    """What the processor answered is returned; a repeat finds it charged."""
    async with processor(tmp_path) as on:

        async def ask(service: str, message: Any) -> Any:
            assert service == "card_processor"
            return await on.ask(message)

        client = CardProcessorClient(ask)
        card = CARD[CardBehavior.LOSES_FIRST_ANSWER]
        with pytest.raises(TimeoutError):
            await client.charge("k", card, amount=10, currency="EUR")
        approved = await client.charge("k", card, amount=10, currency="EUR")
        assert isinstance(approved, ChargeApproved)
        assert await client.refund("k", amount=3) == Refunded(amount=3)
        assert await client.void("k") == Voided(refunded=7)
        with pytest.raises(ProcessorError, match="another charge"):
            await client.charge("k", card, amount=11, currency="EUR")


@pytest.mark.real_time
async def test_charges_that_take_time_are_so_many_at_a_time() -> None:
    """Two at a time of 20 ms each: six take 60 at least, and a void waits for none of them."""
    ended: list[str] = []

    async def ask(service: str, message: Any) -> Any:
        del service
        ended.append(message.key)
        return ChargeApproved(charge_id="c")

    client = CardProcessorClient(ask, charge_s=0.02, charges_max=2)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    charges = [client.charge(str(number), "4", amount=1, currency="EUR") for number in range(6)]
    await asyncio.gather(*charges, client.void("void"))
    assert loop.time() - began_s >= 0.06
    assert ended[0] == "void"
    assert sorted(ended[1:3]) == ["0", "1"]
