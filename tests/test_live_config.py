"""A configuration is reloaded whole or not at all, and what needs a restart is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from actors.config import load_config
from actors.errors import ConfigError
from actors.kernel.messages import Query
from actors.live_config import LIVE, LiveConfig, key_of
from actors.service.service import StatelessService, query
from actors.service.stateless.inline_runner import InlineRunner
from actors.service.stateless.replicas import Replicas
from tests.booting import app_of
from tests.kernel.kernel_harness import turns

if TYPE_CHECKING:
    from pathlib import Path


class Double(Query):
    number: int


class Doubler(StatelessService):
    @query
    def double(self, question: Double) -> int:
        return 2 * question.number


def live() -> LiveConfig:
    return LiveConfig(load_config(), (), lambda more: load_config(more=more))


def test_every_live_key_is_one() -> None:
    """A key that is renamed takes its row along."""
    for path in LIVE:
        key_of(load_config(), path)


def test_what_can_be_changed_is_changed_in_place() -> None:
    """Whoever was handed a section sees it there; what is not there any more is as it was."""
    process = live()
    section = process.config.edge.admission
    first = process.reload({"edge": {"admission": {"rest_s": 3}, "hosts": ["a"]}})
    assert (first.applied, first.needs_restart) == (["edge.admission.rest_s"], ["edge.hosts"])
    assert section.rest_s == 3.0
    assert process.config.edge.hosts == ()
    second = process.reload({})
    assert (second.applied, second.needs_restart) == (["edge.admission.rest_s"], [])
    assert section == load_config().edge.admission


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"edge": {"deadline_s": 0}}, r"edge\.deadline_s"),
        ({"edge": {"deadline_s": 3.0, "admission": {"rest_s": 1e3}}}, r"edge\.admission\.rest_s"),
        ({"log": {"level": "loud"}}, r"log\.level"),
        ({"logs": {}}, "logs"),
        ({"breaker": 1}, "breaker is a table"),
        # Each holds in the new one, and not between the new and what runs.
        (
            {"edge": {"deadline_s": 700.0}, "store": {"edge_keys_kept_s": 800.0}},
            r"edge\.deadline_s is at most .* as it runs, store\.edge_keys_kept_s need a restart",
        ),
    ],
)
def test_what_is_wrong_changes_nothing(more: dict[str, Any], named: str) -> None:
    """And is named."""
    process = live()
    with pytest.raises(ConfigError, match=named):
        process.reload(more)
    assert process.config == load_config()


async def test_replicas_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    """Of a service that is not named any more there are as many as its system says.

    What no boot would take is refused, as it would be there.
    """
    app = app_of(
        {"doubler": Replicas(Doubler, 2)},
        tmp_path,
        load_config(),
        load=lambda more: load_config(more=more),
        runner=InlineRunner,
    )
    await app.start()
    try:
        for wanted, more in ((4, {"replicas": {"doubler": 4}}), (2, {})):
            told = app.reload({"service": more})
            assert (told.applied, told.needs_restart) == (["service.replicas"], [])
            await turns()
            assert len(app.tree.registry.replicas("doubler")) == wanted
        for wrong, named in (
            ({"replicas": {"dubler": 4}}, "no service 'dubler'"),
            ({"replicas": {"doubler": 65}}, r"service\.replicas\.doubler"),
            ({"balance": {"doubler": "key:nmber"}}, "no field 'nmber'"),
        ):
            with pytest.raises(ConfigError, match=named):
                app.reload({"service": wrong})
        await turns()
        assert len(app.tree.registry.replicas("doubler")) == 2
    finally:
        await app.tree.stop()
