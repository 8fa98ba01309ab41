"""From the kill of a bare supervised actor to its next incarnation's first reply.

Run as a program by `Probe`; prints milliseconds, one a kill.
"""

from __future__ import annotations

import time

from actors.config import load_config
from actors.kernel.actor_system import ActorSystem
from actors.kernel.messages import Query
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.benchmarks.echo import Echo, make_context
from tests.benchmarks.probe import probed

ANSWER_S_MAX = 5.0


class Ping(Query):
    number: int


async def measure(*, kills: int) -> list[float]:
    """Kill and ask at once, `kills` times; every kill must have made a new incarnation."""
    config = load_config()
    spec = ChildSpec(name="echo", factory=Echo, service="echo")
    system = ActorSystem(
        SupervisorSpec(name="root", children=(spec,)),
        context=make_context(),
        mailbox=config.mailbox,
        supervisor=config.supervisor,
    )
    await system.start()
    ref = system.registry.actor("echo").ref
    ping = Ping(number=1)
    took_ms = []
    for _ in range(kills):
        await ref.ask(ping, block=False, timeout=ANSWER_S_MAX)
        began = time.perf_counter()
        system.kill("echo")
        await ref.ask(ping, block=False, timeout=ANSWER_S_MAX)
        took_ms.append((time.perf_counter() - began) * 1e3)
    restarts = ref.stats().restarts
    await system.stop()
    assert restarts == kills, f"{kills} kills made {restarts} restarts"
    return took_ms


if __name__ == "__main__":
    probed(measure)
