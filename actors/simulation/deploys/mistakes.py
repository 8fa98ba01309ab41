"""Every mistake there is, by its name: what a deploy is broken by."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from actors.simulation.deploys.address_mistakes import ADDRESS_MISTAKES
from actors.simulation.deploys.handler_mistakes import HANDLER_MISTAKES
from actors.simulation.deploys.handler_slips import SLIPS
from actors.simulation.deploys.schema_mistakes import SCHEMA_MISTAKES
from actors.simulation.deploys.setting_mistakes import SETTING_MISTAKES
from actors.simulation.deploys.system_mistakes import SYSTEM_MISTAKES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.simulation.deploys.mistake import Mistake
    from actors.simulation.deploys.parts import Parts

MISTAKES: Final[Mapping[str, Mistake]] = MappingProxyType(
    {
        **ADDRESS_MISTAKES,
        **SYSTEM_MISTAKES,
        **HANDLER_MISTAKES,
        **SLIPS,
        **SCHEMA_MISTAKES,
        **SETTING_MISTAKES,
    }
)


def mistakes_in(parts: Parts) -> tuple[str, ...]:
    """Return the names of those that the system can have."""
    return tuple(name for name, mistake in MISTAKES.items() if mistake.places(parts))
