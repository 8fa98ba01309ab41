"""OTP's restart rules as a pure model: no loop, no clock, no actor; written from OTP's manual.

https://www.erlang.org/doc/system/sup_princ.html and stdlib's supervisor(3), with the differences
that supervisor.py's docstring lists. Handles one event of one supervisor at a time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from actors.kernel.supervision.child_spec import Restart, Strategy

Reason = Literal["normal", "crash", "killed", "restart", "operator", "due"]


@dataclass(eq=False)
class Node:
    """A child; with `children` it is a supervisor itself."""

    name: str
    restart: Restart
    state: str = "down"
    above: Supervisor | None = None
    life: int = 0  # a new one with every start: an event of an earlier life is void
    failing_starts: int = 0
    own_restarts: list[float] = field(default_factory=list)  # under the root's one_for_one

    @property
    def up(self) -> bool:
        return self.state == "running"


@dataclass(eq=False)
class Supervisor(Node):
    strategy: Strategy = "one_for_one"
    intensity: int = 0
    period_s: float = 0.0
    children: list[Node] = field(default_factory=list)
    restarts: list[float] = field(default_factory=list)


@dataclass(order=True)
class Timer:
    due_s: float
    number: int
    node: Node = field(compare=False)


class Model:
    """A tree, the time, and for each supervisor what it did to its own leaves, in order."""

    def __init__(self, root: Supervisor, *, park_retry_s: float) -> None:
        self.root = root
        self.park_retry_s = park_retry_s
        self.now_s = 0.0
        self.traces: dict[str, list[str]] = {}
        self.events: deque[tuple[Node, Reason, int]] = deque()
        self.timers: list[Timer] = []
        self.timer_count = 0
        self._start(root)
        self._settle()

    # --- What happens to it ------------------------------------------------------------------

    def exit(self, node: Node, reason: Reason) -> None:
        """A running node ends; `crash` is without a culprit and therefore charged."""
        if not node.up:
            return
        self._end(node, in_order=reason in {"normal", "restart"})
        self.events.append((node, reason, node.life))
        self._settle()

    def operator_restart(self, node: Node) -> None:
        if node.up:
            self.exit(node, "restart")
        elif node.above is not None and node.above.up and node in node.above.children:
            self.events.append((node, "operator", node.life))
            self._settle()

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        while self.timers and min(self.timers).due_s <= self.now_s:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.events.append((timer.node, "due", timer.node.life))
        self._settle()

    # --- The rules ---------------------------------------------------------------------------

    def _settle(self) -> None:
        while self.events:
            node, reason, life = self.events.popleft()
            above = node.above
            if above is None or not above.up or node.up or node.life != life:
                continue
            if node not in above.children:
                continue
            self._decide(above, node, reason)

    def _decide(self, above: Supervisor, node: Node, reason: Reason) -> None:
        wanted = reason in {"restart", "operator", "due"}
        if not wanted and node.restart == "temporary":
            above.children.remove(node)
            self._mark(node, "stopped")
        elif reason == "normal" and node.restart == "transient":
            self._mark(node, "stopped")
        elif wanted or reason == "killed" or self._within_budget(above, node):
            self._restart(above, node)
        elif above.above is None:
            self._park(above, node)
        else:
            self._stop(list(above.children))
            above.state = "down"
            self.events.append((above, "crash", above.life))

    def _budget(self, above: Supervisor, node: Node) -> list[float]:
        alone = above.above is None and above.strategy == "one_for_one"
        return node.own_restarts if alone else above.restarts

    def _within_budget(self, above: Supervisor, node: Node) -> bool:
        restarts = self._budget(above, node)
        restarts.append(self.now_s)
        recent = [at_s for at_s in restarts if self.now_s - at_s <= above.period_s]
        return len(recent) <= above.intensity

    def _group(self, above: Supervisor, node: Node) -> list[Node]:
        if above.strategy == "one_for_one":
            return [node]
        if above.strategy == "one_for_all":
            return list(above.children)
        return above.children[above.children.index(node) :]

    def _stop_group(self, above: Supervisor, node: Node) -> list[Node]:
        group = self._group(above, node)
        self._stop(group)
        for member in group:
            if member is not node and member.restart == "temporary":
                above.children.remove(member)
                self._mark(member, "stopped")
        return [member for member in group if member in above.children]

    def _restart(self, above: Supervisor, node: Node) -> None:
        self._start_each(above, self._stop_group(above, node))

    def _park(self, above: Supervisor, node: Node) -> None:
        for member in self._stop_group(above, node):
            self._mark(member, "parked")
            self._void(member)
        self._budget(above, node).clear()
        self.timer_count += 1
        self.timers.append(Timer(self.now_s + self.park_retry_s, self.timer_count, node))

    # --- Starting and ending -----------------------------------------------------------------

    def _start_each(self, above: Supervisor, nodes: list[Node]) -> None:
        for node in nodes:
            self._start(node)
            if node.up:
                continue
            self.events.append((node, "crash", node.life))
            if above.strategy != "one_for_one" and node.restart != "temporary":
                return

    def _start(self, node: Node) -> None:
        self._void(node)
        node.life += 1
        if isinstance(node, Supervisor):
            node.state = "running"
            node.restarts.clear()
            for child in node.children:
                child.own_restarts.clear()
            self._start_each(node, list(node.children))
        elif node.failing_starts:
            node.failing_starts -= 1
            node.state = "down"
            self._note(node, "failed")
        else:
            node.state = "running"
            self._note(node, "start")

    def _stop(self, nodes: list[Node]) -> None:
        for node in reversed(nodes):
            self._void(node)
            if node.up:
                self._end(node, in_order=True)

    def _end(self, node: Node, *, in_order: bool) -> None:
        node.state = "down"
        if not isinstance(node, Supervisor):
            self._note(node, "stop" if in_order else "lost")
            return
        for child in reversed(node.children):
            self._void(child)
            if child.up:
                self._end(child, in_order=in_order)

    def _void(self, node: Node) -> None:
        """Forget what was planned for the node."""
        self.timers = [timer for timer in self.timers if timer.node is not node]
        node.life += 1

    def _mark(self, node: Node, state: str) -> None:
        node.state = state
        if isinstance(node, Supervisor):
            for child in node.children:
                self._mark(child, state)

    def _note(self, node: Node, what: str) -> None:
        assert node.above is not None
        self.traces.setdefault(node.above.name, []).append(f"{what} {node.name}")
