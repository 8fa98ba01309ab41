from __future__ import annotations

import pytest

from actors.errors import NoSuchActor
from actors.kernel.registry import Registry
from actors.kernel.supervision.child_spec import ChildSpec, SupervisorSpec
from tests.kernel.kernel_harness import Obedient, running_kernel, turns


async def test_names_are_unique() -> None:
    """Two actors of one name are refused when the system is made, not when they are used."""
    async with running_kernel() as kernel:
        twins = tuple(ChildSpec(name="twin", factory=Obedient) for _ in range(2))
        with pytest.raises(ValueError, match="twin"):
            kernel.system(SupervisorSpec(name="root", children=twins))
        with pytest.raises(ValueError, match="root"):
            kernel.system(
                SupervisorSpec(name="root", children=(SupervisorSpec(name="root", children=()),))
            )


async def test_an_unknown_name_is_an_error_that_names_the_known() -> None:
    """NoSuchActor lists what there is, of actors and of services."""
    async with running_kernel() as kernel:
        registry = Registry()
        actor = kernel.start(name="room-1")
        registry.add(actor, service="room")
        assert registry.actor("room-1") is actor
        assert registry.replicas("room") == [actor]
        with pytest.raises(NoSuchActor, match="room-1"):
            registry.actor("rooom")
        with pytest.raises(NoSuchActor, match=r"there are room$"):
            registry.replicas("rooom")


async def test_a_service_is_healthy_while_a_replica_runs() -> None:
    """Health follows the actors' states; actors that answer for no service are no part of it."""
    async with running_kernel() as kernel:
        registry = Registry()
        one, two, other = (kernel.start(name=name) for name in ("one", "two", "other"))
        registry.add(one, service="pair")
        registry.add(two, service="pair")
        registry.add(other)
        assert registry.actors() == [one, two, other]
        assert (registry.service_of("one"), registry.service_of("other")) == ("pair", None)
        assert registry.unhealthy() == []
        one.ref.suspend()
        await turns()
        assert registry.unhealthy() == []
        two.terminate()
        assert registry.unhealthy() == ["pair"]
        one.ref.resume()
        await turns()
        assert registry.unhealthy() == []
        registry.remove(two)
        assert registry.replicas("pair") == [one]
        assert registry.service_of("two") is None
