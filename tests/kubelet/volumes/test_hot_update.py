"""A changed ConfigMap or Secret is in the volume at once, by its watch, and no change is lost."""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.secrets import SECRETS
from wherry.objects.meta import Object

SEED = 20260
MOUNT = {"name": "v", "mountPath": "/v"}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path, threads=True) as running:
        yield running


def config_map(value: str) -> Object:
    meta = {"name": "c", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "data": {"a": value, "b": value},
    }


def directory(made: Node) -> Path:
    """The pod's volume, as a container sees it."""
    (found,) = (made.config.root_dir / "pods").glob("*/volumes/*/v")
    return found


def shown(volume: Path) -> tuple[str, str]:
    """Both keys of one version, by a reader that looks which version it is once."""
    version = os.open(volume / "..data", os.O_PATH | os.O_DIRECTORY)
    try:
        texts = []
        for name in ("a", "b"):
            with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=version)) as file:
                texts.append(file.read())
        return texts[0], texts[1]
    finally:
        os.close(version)


def shows(volume: Path, value: str) -> bool:
    """Whether both keys are `value`: not, as yet, when the version was removed while it was read."""
    try:
        return shown(volume) == (value, value)
    except FileNotFoundError:
        return False


class Reader:
    """A container that reads all the time; `torn` is what no version ever was."""

    def __init__(self, volume: Path) -> None:
        self.torn: list[tuple[str, str]] = []
        self.reads = 0
        self._volume = volume
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ends.is_set():
            try:
                seen = shown(self._volume)
            except FileNotFoundError:
                continue  # a version that was removed while it was read, which is why readers look again
            self.reads += 1
            if seen[0] != seen[1]:
                self.torn.append(seen)


@pytest.mark.parametrize("updates", [300, pytest.param(10_000, marks=pytest.mark.slow)])
async def test_no_update_is_lost(made: Node, updates: int) -> None:
    """Bursts of updates, after each of which the last one is shown; no reader sees two versions at once."""
    random = Random(SEED)
    await made.admin.create(CONFIG_MAPS, config_map("0"))
    await made.create("p", {"volumeMounts": [MOUNT]}, volumes=[{"name": "v", "configMap": {"name": "c"}}])
    await made.ready("p")
    volume, before, number = directory(made), made.clock.monotonic(), 0
    with Reader(volume) as reader:
        while number < updates:
            for _ in range(random.choice((1, 2, 5, 30, 60))):
                number += 1
                data = config_map(str(number))["data"]
                await made.admin.patch(CONFIG_MAPS, "c", "default", {"data": data})
            wanted = str(number)
            await eventually(partial(shows, volume, wanted))
    assert reader.torn == []
    assert reader.reads > 0
    assert made.clock.monotonic() == before, "an update needs no time"
    versions = [entry for entry in volume.iterdir() if entry.name.startswith("..2")]
    assert len(versions) == 1, "former versions are removed"


async def test_a_secret_appears_changes_and_disappears(made: Node) -> None:
    """Optional ones: the object, and a key of it."""
    item = [{"key": "k", "path": "k"}]
    volume = {"name": "v", "secret": {"secretName": "s", "optional": True, "items": item}}
    await made.create("p", {"volumeMounts": [MOUNT]}, volumes=[volume])
    await made.ready("p")
    files = directory(made)
    file = files / "k"

    def visible() -> list[str]:
        return sorted(entry.name for entry in files.iterdir() if not entry.name.startswith(".."))

    assert visible() == []
    meta = {"name": "s", "namespace": "default"}
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
    for round_ in range(5):
        value = base64.b64encode(str(round_).encode()).decode()
        await made.admin.create(SECRETS, {**secret, "data": {"k": value}})
        await eventually(lambda text=str(round_): visible() == ["k"] and file.read_text() == text)  # type: ignore[misc]
        await made.admin.patch(SECRETS, "s", "default", {"data": {"k": None, "other": value}})
        await eventually(lambda: visible() == [])
        await made.admin.patch(SECRETS, "s", "default", {"data": {"k": value}})
        await eventually(lambda: visible() == ["k"])
        await made.admin.delete(SECRETS, "s", "default")
        await eventually(lambda: visible() == [])


async def test_what_must_be_there_keeps_its_last_content(made: Node) -> None:
    """A ConfigMap that is deleted under a running pod: an event says so, its files stay."""
    await made.admin.create(CONFIG_MAPS, config_map("old"))
    await made.create("p", {"volumeMounts": [MOUNT]}, volumes=[{"name": "v", "configMap": {"name": "c"}}])
    await made.ready("p")
    volume = directory(made)
    await made.admin.delete(CONFIG_MAPS, "c", "default")
    await made.said("FailedMount", 'MountVolume.SetUp failed for volume "v" : configmap "c" not found')
    assert shown(volume) == ("old", "old")
    await made.admin.create(CONFIG_MAPS, config_map("new"))
    await eventually(partial(shows, volume, "new"))


async def test_no_update_reaches_the_environment(made: Node) -> None:
    await made.admin.create(CONFIG_MAPS, config_map("old"))
    source = {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "a"}}}
    web = {"volumeMounts": [MOUNT], "env": [source]}
    await made.create("p", web, volumes=[{"name": "v", "configMap": {"name": "c"}}])
    await made.ready("p")
    volume = directory(made)
    await made.admin.patch(CONFIG_MAPS, "c", "default", {"data": {"a": "new", "b": "new"}})
    await eventually(partial(shows, volume, "new"))
    (spec,) = made.runtime.container_specs.values()
    assert dict(spec.env)["A"] == "old"
    assert made.runtime.calls["create_container"] == 1
