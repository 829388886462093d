"""A folder of manifests, followed through the kernel's own notices."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.static_pods.manifests import put
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.static_pods import folder as static_folder
from wherry.kubelet.static_pods.folder import Folder
from wherry.objects.meta import Object

CHECK_S = 20.0


@dataclass
class Heard:
    clock: FakeClock
    folder: Folder
    told: list[list[Object]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return sorted(pod["metadata"]["name"] for pod in self.told[-1]) if self.told else []

    async def until(self, *names: str) -> None:
        async def there() -> bool:
            return bool(self.told) and self.names == [f"{name}-n" for name in names]

        await eventually(there)


@asynccontextmanager
async def following(path: Path) -> AsyncIterator[Heard]:
    clock = FakeClock()
    told: list[list[Object]] = []

    def hear(pods: Sequence[Object]) -> None:
        told.append(list(pods))

    folder = Folder(path, "n", CHECK_S, DirectDisk(), clock, hear)
    folder.start()
    try:
        yield Heard(clock, folder, told)
    finally:
        await folder.close()


async def test_files_that_come_change_and_go(tmp_path: Path) -> None:
    put(tmp_path, "a")
    async with following(tmp_path) as heard:
        await heard.until("a")
        put(tmp_path, "b")
        await heard.until("a", "b")
        before = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in heard.told[-1]}
        put(tmp_path, "b", hostNetwork=True)

        async def is_another() -> bool:
            now = {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in heard.told[-1]}
            return bool(now["a-n"] == before["a-n"] and now["b-n"] != before["b-n"])

        await eventually(is_another)
        (tmp_path / "a.yaml").unlink()
        await heard.until("b")


async def test_what_is_a_manifest_and_what_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Any name that does not begin with a dot, links too; folders and pipes are reported, once."""
    elsewhere = tmp_path / "elsewhere"
    folder = tmp_path / "manifests"
    (folder / "deeper").mkdir(parents=True)
    elsewhere.mkdir()
    put(folder / "deeper", "deep")
    put(folder, "hidden", file=".hidden.yaml")
    put(folder, "odd", file="odd.bak")
    (folder / "linked.json").symlink_to(put(elsewhere, "linked"))
    (folder / "dangling").symlink_to(elsewhere / "nothing")
    os.mkfifo(folder / "pipe")
    (folder / "bad.yaml").write_text("kind: [")
    async with following(folder) as heard:
        await heard.until("linked", "odd")
        await heard.clock.advance(CHECK_S)
        await heard.clock.advance(CHECK_S)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    starts = [message.partition("path=")[2].partition('"')[2].partition('"')[0] for message in errors]
    assert sorted(Path(start).name for start in starts) == ["bad.yaml", "dangling", "deeper", "pipe"]


async def test_a_manifest_that_is_broken_holds_up_no_other(tmp_path: Path) -> None:
    """It may be half written: what it was goes on until the next full look finds it broken still."""
    path = put(tmp_path, "a")
    async with following(tmp_path) as heard:
        await heard.until("a")
        path.write_text("kind: Pod\nspec: [")
        put(tmp_path, "b")
        await heard.until("a", "b")
        put(tmp_path, "a")
        put(tmp_path, "c")
        await heard.until("a", "b", "c")
        path.write_text("kind: Pod\nspec: [")
        count = len(heard.told)

        async def looked() -> bool:
            return len(heard.told) > count

        await eventually(looked)
        await heard.clock.advance(CHECK_S + 0.1)
        await heard.until("b", "c")


async def test_of_two_manifests_for_one_pod_the_last_file_counts(tmp_path: Path) -> None:
    put(tmp_path, "web", file="1.yaml")
    put(tmp_path, "web", file="2.yaml", hostNetwork=True)
    async with following(tmp_path) as heard:
        await heard.until("web")
        assert heard.told[-1][0]["spec"]["hostNetwork"] is True
        (tmp_path / "2.yaml").unlink()

        async def is_first() -> bool:
            return "hostNetwork" not in heard.told[-1][0]["spec"]

        await eventually(is_first)


async def test_a_folder_that_comes_later_and_goes(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    async with following(folder) as heard:
        await heard.until()
        folder.mkdir()
        put(folder, "a")
        await heard.until("a")
        folder.rename(tmp_path / "away")
        await heard.until()
        folder.mkdir()
        put(folder, "b")
        await heard.until("b")


async def test_one_file_is_a_source_too(tmp_path: Path) -> None:
    path = put(tmp_path, "a")
    async with following(path) as heard:
        await heard.until("a")
        put(tmp_path, "b", file="a.yaml")
        await heard.until("b")
        path.unlink()
        await heard.until()


async def test_a_look_that_takes_too_long_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes to read them all, none is read twice."""
    for name in "abc":
        put(tmp_path, name)
    read: list[str] = []
    real = static_folder._content

    def slow(path: Path) -> bytes:
        read.append(path.name)
        if len(read) in (2, 4):
            raise TimeoutError("took longer than 30 s")
        return real(path)

    def content(path: Path) -> bytes:
        try:
            return slow(path)
        except TimeoutError as error:
            raise RuntimeError from error  # as a look that is given up

    folder = Folder(tmp_path, "n", CHECK_S, DirectDisk(), FakeClock(), lambda _: None)
    monkeypatch.setattr(static_folder, "_content", content)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            folder._read()
    assert len(folder._read().manifests) == 3
    assert read == ["a.yaml", "b.yaml", "b.yaml", "c.yaml", "c.yaml"]


async def test_a_file_that_became_a_pipe_is_waited_for_by_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is not a directory or file"):
        static_folder._content(tmp_path / "pipe")
