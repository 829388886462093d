"""What is served, and what goes with a resource that is served no longer or was not written to for long."""

from __future__ import annotations

from tests.apiserver.customresources.established import define
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition
from tests.apiserver.rig import config_map, running
from tests.conftest import eventually
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver import ring
from wherry.apiserver.registry import TRIM_EVERY_S
from wherry.kit.clock import FakeClock, settle


async def test_what_was_written_last_is_forgotten_in_time_though_nothing_is_written_any_more() -> None:
    clock = FakeClock()
    async with running(clock) as rig:
        for number in range(ring.STALE_EVENTS + 50):
            await rig.admin.create(CONFIG_MAPS, config_map(f"m{number}"))
        held = rig.server.core.registry.of(CONFIG_MAPS).cacher._ring
        assert len(held) == ring.STALE_EVENTS + 50
        for _ in range(round((ring.FRESH_S + 2 * TRIM_EVERY_S) / TRIM_EVERY_S)):
            await clock.advance(TRIM_EVERY_S)
            await settle()
        assert len(held) == ring.STALE_EVENTS


async def test_what_was_made_of_a_kind_goes_with_it() -> None:
    async with running() as rig:
        core, server = rig.server.core, rig.server
        gone: list[str] = []
        core.registry.on_change.append(lambda resources: gone.extend(r.plural for r in resources))
        await define(rig, definition())
        assert (await rig.http("POST", ROOT, cron_tab("a")))[0] == 201
        assert (await rig.http("GET", f"{ROOT}/a"))[0] == 200
        assert any(key.resource == "crontabs" for key in server.metrics.series)
        assert any("crontabs" in key for key in core.stored.series)
        name = definition()["metadata"]["name"]
        assert (await rig.http("DELETE", f"{CRDS}/{name}"))[0] == 200

        async def is_gone() -> bool:
            return (await rig.http("GET", f"{ROOT}/a"))[0] == 404

        await eventually(is_gone)
        assert set(gone) == {"crontabs"}
        assert not any(key.resource == "crontabs" for key in server.metrics.series)
        assert not any("crontabs" in key for key in core.stored.series)
