"""A real containerd takes an image from an engine, without the blobs it has."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.images.test_engine import FakeEngine, serving
from tests.kubelet.runtimes.containerd.conftest import Machine
from wherry.images.engine import DOCKER, Engine, load_from
from wherry.images.pack import pack_image

pytestmark = pytest.mark.cluster
NAME = "example.com/tools/other:1"


async def test_what_is_there_is_not_sent(machine: Machine, tmp_path: Path) -> None:
    archive = tmp_path / "other.tar"
    pack_image(archive, NAME, packages=["busybox-static"])
    told = json.dumps({"RepoTags": [NAME]}).encode()
    answers = {f"/images/{NAME}/json": (200, told), f"/images/{NAME}/get": (200, archive.read_bytes())}
    with serving(FakeEngine(tmp_path / "engine.sock", answers)) as engine:
        store = machine.daemon.image_store
        sent = await asyncio.to_thread(load_from, Engine(DOCKER, engine.socket), NAME, store)
    assert sent.skipped > 10 * sent.sent
    image = await machine.runtime.image(NAME)
    assert image is not None
    assert NAME in image.names
