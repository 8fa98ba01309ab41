"""Whether the card processor has what it should have, in the end and whenever it was asked."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from actors.systems.hotel.scenario.books import CREATED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from actors.systems.hotel.scenario.books import Books
    from actors.systems.hotel.scenario.journal import Sum


def judge_money(books: Books) -> Iterator[str]:
    """Judge the processor's books, which are nobody's of the hotel."""
    yield from _kept(books)
    for said in books.journal.sums:
        yield from _of_sum(books, said)


def _kept(books: Books) -> Iterator[str]:  # noqa: C901 - a rule after the other
    """By the processor's books: a stay that stands is paid, of all others the refund is back."""
    kept: Counter[str] = Counter()
    for row in books.files["charge"]:
        kept[row["key"]] += row["taken"]
    for row in books.files["refund"]:
        kept[row["charge_key"]] -= row["amount"]
    undone = {row["key"]: row["refunded"] for row in books.files["void"]}
    kept.subtract(undone)
    for row in books.bookings.values():
        amount = row["price"]["amount"] if row["price"] else 0
        due = 0
        if row["status"] == "confirmed":
            due = amount
        elif row["status"] == "cancelled" and row["id"] in books.stood:
            due = amount - (row["refund"]["amount"] if row["refund"] else 0)
        if kept.pop(row["id"], 0) != due:
            yield f"of {row['id']}, which is {row['status']}, {due} should be kept"
        back = undone.get(row["id"], 0)
        if back and row["refund"] != {"amount": back, "currency": row["price"]["currency"]}:
            yield f"of {row['id']}, {back} came back, and it says {row['refund']}"
    prices = {row["id"]: row["price"] for row in books.bookings.values()}
    for row in books.files["charge"]:
        charged = {"amount": row["amount"], "currency": row["currency"]}
        if charged != prices.get(row["key"]):
            yield f"{row['key']} costs {prices.get(row['key'])}, and {charged} are charged"
    for key, amount in kept.items():
        if amount:
            yield f"{amount} are kept for {key}, which is no booking"


def _of_sum(books: Books, said: Sum) -> Iterator[str]:
    """It gives back no more than it took, and has neither more than in the end nor too little."""
    back = Counter({row["key"]: row["refunded"] for row in books.files["void"]})
    for row in books.files["refund"]:
        back[row["charge_key"]] += row["amount"]
    paid = {
        wish.id
        for wish in books.wishes
        if wish.exchange.status == CREATED and wish.exchange.ended < said.begun
    }
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    most_back: Counter[str] = Counter()
    for row in books.files["charge"]:
        if said.key in {None, row["key"]}:
            most[row["currency"]] += row["taken"]
            most_back[row["currency"]] += back[row["key"]]
            least[row["currency"]] += row["taken"] if row["key"] in paid else 0
    for currency, taken, refunded in said.sums:
        right = least[currency] <= taken <= most[currency]
        if currency not in most or not right or refunded > min(taken, most_back[currency]):
            yield (
                f"the processor had taken {taken} {currency} of {said.key} and given back "
                f"{refunded}, and has {most[currency]} and {most_back[currency]}"
            )
    told = {currency for currency, _, _ in said.sums}
    for currency in sorted(+least):
        if currency not in told:
            yield f"the processor had nothing of {said.key}, and {least[currency]} were paid"
