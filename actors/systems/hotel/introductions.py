"""What services and the customer service tell each other: who a customer is."""

from __future__ import annotations

from actors.kernel.messages import Command, Event


class CustomerIntroduced(Event, frozen=True, kw_only=True):
    """A customer was created, or somebody asked again who it is."""

    customer_id: str
    name: str
    email: str


class IntroduceCustomer(Command, frozen=True, kw_only=True):
    """Publish CustomerIntroduced again; refused if there is no such customer.

    `booking_id` is the one that asks: it comes back with a refusal, which must not reject the
    booking of somebody who asked later, when the customer was there.
    """

    customer_id: str
    booking_id: str
