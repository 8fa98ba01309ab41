"""A service with a store, in several places: each has the rows of its keys, and is an actor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from actors.kernel.discovery.sharding import Sharding
from actors.kernel.messages import Refusal, type_name
from actors.service.stateless.replicas import Instances

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Where a page of a list ends: in an answer's `next`, and in the `after` of who asks for what
# follows. A place a shard, and within one shard that of its last row; "0" is the beginning.
Cursor = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}(\.[0-9]{1,19})*\Z", max_length=5_000)]


def found(answers: Sequence[Any]) -> Any:
    """Merge the answers to a question for one thing: who has it says so, all others refuse."""
    for answer in answers:
        if not isinstance(answer, Refusal):
            return answer
    return answers[0]


class Sharded(Instances, frozen=True, kw_only=True):
    """Instead of a factory: `shards` places `name-1`, `name-2`, ..., each with a file of its own.

    What is sent to `name` goes to the place that has its `key`, a field of its messages. Neither
    the key nor the number can be changed once there are files.

    `creates` are commands without the key, whose handler makes it by `tx.new_id()`: in a place that
    gives ids of its own alone. `columns` is where in each table the key stands, where that is not
    called as the key is. `merge` says how the answers to a query without the key become one: by a
    field of the items of a list or a page, in which each place has them in order ("-FIELD" where
    the highest comes first), or by a function of all answers, such as `found`.
    """

    key: str
    shards: int
    creates: Sequence[Any] = ()
    columns: Mapping[str, str] = {}
    merge: Mapping[Any, str | Callable[[Sequence[Any]], Any]] = {}
    # What makes the service of each place, where that is not the factory.
    made_by: Mapping[str, Callable[[], Any]] = {}

    def __post_init__(self) -> None:
        """Raise ValueError where there would be no place."""
        if self.shards < 1:
            message = f"{self.shards} shards would keep nothing; one at least"
            raise ValueError(message)

    def names(self, service: str) -> list[str]:
        """Return the places' own names, those of a service called `service`."""
        return self.sharding(service).names()

    def maker_of(self, place: str) -> Callable[[], Any]:
        """Return what makes the service of that place."""
        return self.made_by.get(place, self.factory)

    def sharding(self, service: str) -> Sharding:
        """Return where each key is, of a service called `service`."""
        creates = frozenset(type_name(each) for each in self.creates)
        in_order = frozenset(type_name(q) for q, by in self.merge.items() if isinstance(by, str))
        return Sharding(service, self.key, self.shards, creates, in_order)
