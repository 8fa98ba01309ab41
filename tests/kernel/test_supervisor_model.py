"""Supervisor does what OTP's rules say, whatever happens in whatever order.

The differences on purpose are those of supervisor.py's docstring; otp_model.py has them too.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from actors.kernel.supervision.child_spec import ChildSpec, Restart, Strategy, SupervisorSpec
from tests.kernel.kernel_harness import NO_BACKOFF, Boom, Obedient, running_kernel, turns
from tests.kernel.otp_model import Model, Node, Supervisor

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from actors.kernel.actor_system import ActorSystem
    from actors.kernel.behavior import Behavior
    from tests.kernel.kernel_harness import Kernel

PERIOD_S = 10.0
PARK_RETRY_S = 30.0
TIMERS_MAX = 100_000


class Leaf(NamedTuple):
    restart: Restart


class Branch(NamedTuple):
    restart: Restart
    strategy: Strategy
    intensity: int
    children: tuple[Any, ...]


class Op(NamedTuple):
    what: str
    target: int = 0
    amount: float = 0.0


restarts = st.sampled_from(get_args(Restart))
leaves = st.builds(Leaf, restarts)


def branches(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Branch]:
    return st.builds(
        Branch,
        restarts,
        st.sampled_from(get_args(Strategy)),
        st.integers(0, 3),
        st.lists(children, min_size=1, max_size=4).map(tuple),
    )


trees = branches(leaves | leaves | branches(leaves | leaves | branches(leaves)))
ops = st.lists(
    st.one_of(
        st.builds(
            Op,
            st.sampled_from(["normal", "crash", "crash", "crash", "killed", "restart"]),
            st.integers(0, 20),
        ),
        st.builds(Op, st.just("fail"), st.integers(0, 20), st.integers(1, 5).map(float)),
        # Exactly a period; a moment more; exactly until the slow retry; and parts that add up.
        st.builds(
            Op, st.just("advance"), st.just(0), st.sampled_from([2.5, 5.0, 10.0, 10.25, 20.0, 30.0])
        ),
    ),
    max_size=25,
)


def keep_timers_in_order(loop: asyncio.AbstractEventLoop) -> None:
    """Let timers of one instant fire in the order they were set: a loop's heap does not."""
    call_later = loop.call_later
    number = itertools.count(-TIMERS_MAX)

    def in_order(delay: float, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        return call_later(delay + next(number) * 1e-9, *args, **kwargs)

    loop.call_later = in_order  # type: ignore[method-assign,assignment]


class Twins:
    """A tree twice, as a model and as actors, to which the same things happen."""

    def __init__(
        self, kernel: Kernel, tree: Branch, failing: Iterable[tuple[int, int]] = ()
    ) -> None:
        """`failing` says of which leaves how many first starts fail."""
        self.kernel = kernel
        self.nodes: dict[str, Node] = {}
        self.failing: dict[str, int] = {}
        self.traces: dict[str, list[str]] = {}
        root, spec = self._grow(tree, "root", above=None)
        assert isinstance(root, Supervisor)
        assert isinstance(spec, SupervisorSpec)
        for target, count in failing:
            self._fail(list(self.nodes)[target % len(self.nodes)], count)
        keep_timers_in_order(kernel.context.loop)
        self.model = Model(root, park_retry_s=PARK_RETRY_S)
        self.system: ActorSystem = kernel.system(
            spec, **NO_BACKOFF, period_s=PERIOD_S, park_retry_s=PARK_RETRY_S
        )

    def _grow(
        self, tree: Leaf | Branch, name: str, above: Supervisor | None
    ) -> tuple[Node, ChildSpec | SupervisorSpec]:
        if isinstance(tree, Leaf):
            assert above is not None
            node = Node(name, tree.restart, above=above)
            self.nodes[name] = node
            factory = self._factory(name, above.name)
            return node, ChildSpec(name=name, factory=factory, restart=tree.restart)
        branch = Supervisor(
            name,
            tree.restart,
            above=above,
            strategy=tree.strategy,
            intensity=tree.intensity,
            period_s=PERIOD_S,
        )
        if above is not None:
            self.nodes[name] = branch
        specs: list[ChildSpec | SupervisorSpec] = []
        for index, child in enumerate(tree.children):
            node, spec = self._grow(child, f"{name}.{index}", branch)
            branch.children.append(node)
            specs.append(spec)
        return branch, SupervisorSpec(
            name=name,
            children=tuple(specs),
            strategy=tree.strategy,
            restart=tree.restart,
            intensity=tree.intensity,
        )

    def _factory(self, name: str, above: str) -> type[Behavior]:
        twins = self

        def note(what: str) -> None:
            twins.traces.setdefault(above, []).append(f"{what} {name}")

        class Noting(Obedient):
            def __init__(self) -> None:
                if twins.failing.get(name, 0):
                    twins.failing[name] -= 1
                    note("failed")
                    raise Boom("told not to start")
                note("start")

            def on_stop(self) -> None:
                note("stop")

            def on_failure(self, error: BaseException) -> None:
                note("lost")

        return Noting

    def _fail(self, name: str, count: int) -> None:
        """Plan failures below one supervisor at a time: whose comes first among two is open."""
        node = self.nodes[name]
        failing = {other.above for other in self.nodes.values() if other.failing_starts}
        if not isinstance(node, Supervisor) and failing <= {node.above}:
            node.failing_starts += count
            self.failing[name] = self.failing.get(name, 0) + count

    async def do(self, op: Op) -> None:
        """Let `op` happen to both."""
        name = list(self.nodes)[op.target % len(self.nodes)]
        node, actor = self.nodes[name], self.system.registry.actor(name)
        match op.what:
            case "advance":
                self.model.advance(op.amount)
                self.kernel.clock.advance(op.amount)
            case "fail":
                self._fail(name, int(op.amount))
            case "restart":
                self.model.operator_restart(node)
                actor.ref.restart()
            case "normal":
                self.model.exit(node, "normal")
                actor.ref.stop(block=False)
            case "killed":
                self.model.exit(node, "killed")
                actor.ref.kill()
            case "crash":
                self.model.exit(node, "crash")
                actor.crash(Boom("told to crash"))
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing happens any more: no supervisor has an event or works on one."""
        quiet = 0
        while quiet < 3:
            await turns(5)
            busy = any(
                actor.actor_inbox.depth or actor.actor_inbox.signals or actor.tasks
                for actor in self.system.registry.actors()
            )
            quiet = 0 if busy else quiet + 1

    def compare(self) -> None:
        """Both have done the same, in the same order, and are in the same state."""
        assert self.traces == self.model.traces
        states = {name: self.system.registry.actor(name).stats().state for name in self.nodes}
        assert states == {name: node.state for name, node in self.nodes.items()}
        open_ = {
            name
            for name in self.nodes
            if self.system.registry.actor(name).actor_inbox.closed is None
        }
        assert open_ == {name for name, state in states.items() if state == "running"}


PAIR = (Leaf("permanent"), Leaf("permanent"))


@settings(max_examples=120)
@given(tree=trees, happenings=ops)
# A restart exactly a period ago still counts; one a moment earlier does not.
@example(
    Branch("permanent", "one_for_one", 1, PAIR),
    [Op("crash"), Op("advance", 0, 10.0), Op("crash")],
)
@example(
    Branch("permanent", "one_for_one", 1, PAIR),
    [Op("crash"), Op("advance", 0, 10.25), Op("crash")],
)
# Parked with its siblings, tried again, and revived by an operator.
@example(
    Branch("permanent", "rest_for_one", 0, PAIR),
    [Op("crash"), Op("restart", 1), Op("advance", 0, 30.0)],
)
# A failing start during a restart; at first start after a revival.
@example(
    Branch("permanent", "one_for_all", 3, PAIR),
    [Op("fail", 1, 2.0), Op("crash"), Op("fail", 0, 5.0), Op("crash"), Op("advance", 0, 30.0)],
)
# A start between two that fail ends their row, also where a sibling's end comes next.
@example(
    Branch("permanent", "one_for_all", 2, PAIR),
    [
        Op("fail", 0, 1.0),
        Op("normal"),
        Op("normal", 1),
        Op("fail", 0, 1.0),
        Op("fail", 0, 1.0),
        Op("advance", 0, 30.0),
    ],
)
# Escalation from two levels down to the root.
@example(
    Branch(
        "permanent",
        "one_for_all",
        0,
        (
            Branch("permanent", "one_for_one", 0, (Branch("permanent", "one_for_one", 0, PAIR),)),
            Leaf("transient"),
            Leaf("temporary"),
        ),
    ),
    [Op("crash", 2), Op("restart", 4), Op("advance", 0, 30.0)],
)
async def test_supervisor_follows_otps_rules(tree: Branch, happenings: list[Op]) -> None:
    """Strategies, restart types, exit reasons, window edges, escalation, parking, revival."""
    async with running_kernel() as kernel:
        twins = Twins(kernel, tree)
        await twins.system.start()
        await twins.settle()
        twins.compare()
        for op in happenings:
            await twins.do(op)
            twins.compare()


@settings(max_examples=40)
@given(tree=trees, failing=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6)), max_size=6))
async def test_failing_first_starts_follow_otps_rules(
    tree: Branch, failing: list[tuple[int, int]]
) -> None:
    """A child whose first start fails has crashed; the supervisor and the rest go on."""
    async with running_kernel() as kernel:
        twins = Twins(kernel, tree, failing)
        await twins.system.start()
        await twins.settle()
        twins.compare()
        await twins.do(Op("advance", 0, PARK_RETRY_S))
        twins.compare()
