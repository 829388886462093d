"""A real containerd pulls from where `registries.yaml` says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.kubelet.runtimes.containerd.conftest import make_daemon
from tests.live.registry import PASSWORD, USER, serving
from wherry.images.folder import load_folder
from wherry.kit.clock import SystemClock
from wherry.kubelet.registries.registries import parse_registries
from wherry.kubelet.runtimes.containerd.cri import ContainerdRuntime

pytestmark = pytest.mark.cluster


async def test_mirrors_renamed_images_and_credentials(tmp_path: Path, busybox: Path) -> None:
    with serving() as registry:
        here = f"127.0.0.1:{registry.port}"
        digest = registry.add(busybox, "private/hub/busybox", "1") and registry.tags["private/hub/busybox:1"]
        registry.add(busybox, "library/plain", "1")
        told = parse_registries(
            f"""
            mirrors:
              quay.io:
                endpoint: ["http://{here}"]
                rewrite: {{"^tools/(.*)": "private/hub/$1"}}
              ghcr.io: {{endpoint: ["http://{here}"]}}
            configs:
              "{here}": {{auth: {{username: {USER}, password: {PASSWORD}}}}}
            """
        )
        daemon, _ = make_daemon(tmp_path, told)
        await daemon.start()
        runtime = ContainerdRuntime(daemon.paths.socket, SystemClock(), pulls=daemon.pulls)
        try:
            image = await runtime.image(await runtime.pull_image("quay.io/tools/busybox:1"))
            assert image is not None
            pinned = await runtime.pull_image(f"quay.io/tools/busybox@{digest}")
            assert pinned == image.id
            assert await runtime.image(await runtime.pull_image("ghcr.io/library/plain:1")) is not None
            assert "library/plain:1" in registry.manifests_asked
        finally:
            await runtime.close()
            await daemon.cleanup()
        assert not daemon.paths.config.exists()


async def test_a_folder_of_archives_is_loaded_once(
    tmp_path: Path, busybox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, record = tmp_path / "images", tmp_path / "loaded.json"
    folder.mkdir()
    shutil.copy(busybox, folder / "busybox.tar")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden").write_text("looked at by nobody")
    daemon, _ = make_daemon(tmp_path)
    await daemon.start()
    try:
        store = daemon.image_store
        assert await load_folder(store, folder, record) == ["docker.io/library/busybox:latest"]
        assert "notes.txt is left out: " in caplog.text
        assert ".hidden" not in caplog.text
        assert await load_folder(store, folder, record) == []
        os.utime(folder / "busybox.tar", (1, 1))
        assert await load_folder(store, folder, record) == ["docker.io/library/busybox:latest"]
        record.write_text("damaged")
        assert await load_folder(store, folder, record) == ["docker.io/library/busybox:latest"]
        runtime = ContainerdRuntime(daemon.paths.socket, SystemClock())
        try:
            await runtime.remove_image("docker.io/library/busybox:latest")
        finally:
            await runtime.close()
        assert await load_folder(store, folder, record) == ["docker.io/library/busybox:latest"]
    finally:
        await daemon.cleanup()
