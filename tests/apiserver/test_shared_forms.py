"""Events in another form or version are made once, however many watch them so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tests.apiserver.rig import ADMIN, running
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.cached import CachedEvent
from wherry.apiserver.media_types import PROTOBUF
from wherry.apiserver.presentation import FormLens, MadeLens, ProtobufFormLens, ProtobufLens
from wherry.apiserver.registry import Served
from wherry.apiserver.tables import AS_IS, PARTIAL, TABLE, EventForm, Form
from wherry.client.api import Client
from wherry.objects.meta import Object

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def reads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The versions objects are read in while the block runs."""
    found: list[str] = []
    real = Served.read

    def read(self: Served, data: bytes) -> Object:
        found.append(self.resource.api_version)
        return real(self, data)

    with monkeypatch.context() as patched:
        patched.setattr(Served, "read", read)
        yield found


def labels_of(line: bytes) -> Any:
    """What the object of an event's line says."""
    return orjson.loads(line)["object"]


async def test_a_version_is_decoded_once_for_all_its_watchers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig:
        registry = rig.server.core.registry
        old = registry.find("extensions", "v1beta1", "deployments")
        assert old is not None
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        await rig.admin.create(DEPLOYMENTS, {"metadata": {"name": "d", "namespace": "default"}, "spec": spec})
        cached = old.get("default", "d")
        assert cached is not None
        event = CachedEvent("ADDED", cached, None)
        lenses = [FormLens(lambda: NOW, old, EventForm(old.resource, AS_IS, {})) for _ in range(3)]
        with reads(monkeypatch) as found:
            lines = [lens.events([event]) for lens in lenses]
        assert found == ["extensions/v1beta1"]
        assert len(set(lines)) == 1
        assert labels_of(lines[0])["apiVersion"] == "extensions/v1beta1"
        event.forget()
        with reads(monkeypatch) as found:
            lenses[0].events([event])
        assert found == ["extensions/v1beta1"]


async def test_tables_are_shared_among_those_who_know_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig:
        await rig.admin.create(CONFIG_MAPS, {"metadata": {"name": "m", "namespace": "default"}})
        served = rig.server.core.registry.of(CONFIG_MAPS)
        cached = served.get("default", "m")
        assert cached is not None
        event = CachedEvent("ADDED", cached, None)

        def lens(policy: str = "Metadata") -> FormLens:
            form = EventForm(served.resource, Form(TABLE), {"includeObject": policy})
            return FormLens(lambda: NOW, served, form)

        first, second, third = lens(), lens(), lens("None")
        with reads(monkeypatch) as found:
            made = [labels_of(item.events([event])) for item in (first, second, third)]
            again = [labels_of(item.events([event])) for item in (first, second, third)]
        assert len(found) == 4  # with columns and without, with the metadata and without
        assert all(table["columnDefinitions"] for table in made)
        assert not any(table.get("columnDefinitions") for table in again)
        assert ["object" in table["rows"][0] for table in again] == [True, True, False]


async def test_watchers_in_the_process_share_what_is_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig:
        old = rig.server.core.registry.find("apps", "v1beta1", "deployments")
        assert old is not None
        path = "/apis/apps/v1beta1/deployments"
        transport = rig.server.local_transport(ADMIN)
        watches = [transport.watch(path, {"resourceVersion": str(rig.store.revision)}) for _ in range(3)]
        template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        body = {"metadata": {"name": "d", "namespace": "default"}, "spec": spec}
        await Client(transport).create(DEPLOYMENTS, body)
        seen = [await anext(watch) for watch in watches]
        assert [event.object["apiVersion"] for event in seen] == ["apps/v1beta1"] * 3
        await transport.close()


async def test_large_objects_are_shown_in_other_forms_beside_the_loop_once_for_all() -> None:
    async with running() as rig:
        for name, size in (("large", 100_000), ("small", 100)):
            await rig.admin.create(
                CONFIG_MAPS, {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "x" * size}}
            )
        served, threads = rig.server.core.registry.of(CONFIG_MAPS), list[int]()

        async def beside(work: Callable[[], Sequence[bytes]]) -> Sequence[bytes]:
            lines = work()
            threads.append(len(lines))
            return lines

        def lenses() -> list[MadeLens]:
            forms = [Form(TABLE), Form(PARTIAL), Form(PARTIAL, media_type=PROTOBUF)]
            kinds = [FormLens, FormLens, ProtobufFormLens]
            return [
                *(
                    kind(lambda: NOW, served, EventForm(served.resource, form, {}), beside)
                    for kind, form in zip(kinds, forms, strict=True)
                ),
                ProtobufLens(served, beside),
            ]

        large, small = (
            CachedEvent("ADDED", cached, None)
            for name in ("large", "small")
            if (cached := served.get("default", name)) is not None
        )
        inline = [lens.events([large, small]) for lens in lenses()]
        large.forget()
        small.forget()
        for _ in range(3):
            shown = lenses()
            assert [lens.makings([small]) for lens in shown] == [None] * 4
            needed = [making for lens in shown if (making := lens.makings([large, small])) is not None]
            for making in needed:
                await making.begin()
            assert [lens.makings([large, small]) for lens in shown] == [None] * 4
            assert [lens.events([large, small]) for lens in shown] == inline
        assert threads == [1] * 4
