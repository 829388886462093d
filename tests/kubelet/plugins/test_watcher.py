"""Plug-ins that register by a socket in a folder, seen by the kernel's word."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.plugins.serving import Registrant, serve
from wherry.kit.clock import FakeClock
from wherry.kubelet.plugins.pace import Pace
from wherry.kubelet.plugins.watcher import NotRegistered, PluginWatcher


@dataclass
class Notes:
    """A handler that writes down what it is told."""

    there: dict[str, Path] = field(default_factory=dict)
    comings: list[str] = field(default_factory=list)
    refusal: str = ""

    def validate(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        if "v1" not in versions:
            raise NotRegistered("too old")

    async def register(self, name: str, endpoint: Path, versions: Sequence[str]) -> None:
        if self.refusal:
            raise NotRegistered(self.refusal)
        self.there[name] = endpoint
        self.comings.append(name)

    def deregister(self, name: str, endpoint: Path) -> None:
        self.there.pop(name, None)


@dataclass
class Place:
    """A folder that is watched."""

    root: Path
    notes: Notes
    clock: FakeClock

    def socket(self, name: str) -> Path:
        return self.root / "plugins_registry" / name


@pytest.fixture
def root() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="w", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def place(root: Path) -> AsyncIterator[Place]:
    made = Place(root, Notes(), FakeClock())
    watcher = PluginWatcher(root / "plugins_registry", root, {"Kind": made.notes}, made.clock)
    watcher.start()
    yield made
    await watcher.close()


async def test_plugins_come_go_and_come_again(place: Place) -> None:
    plugin = Registrant("Kind", "a", ["v1"])
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: plugin.told == [(True, "")])
    assert place.notes.there == {"a": place.socket("a.sock")}
    await server.stop(grace=None)
    place.socket("a.sock").unlink(missing_ok=True)
    await eventually(lambda: not place.notes.there)
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: place.notes.comings == ["a", "a"])
    await server.stop(grace=None)


@pytest.mark.parametrize(
    ("kind", "versions", "endpoint", "error"),
    [
        ("Else", ["v1"], "", "no handler registered for plugin type: Else at socket"),
        ("Kind", ["v0"], "", "plugin validation failed with err: too old"),
        ("Kind", ["v1"], "/tmp", "is refused: it is not below"),
        ("Kind", ["v1"], "here", "No such file or directory"),
    ],
)
async def test_a_plugin_is_told_why_it_is_refused(
    place: Place, kind: str, versions: list[str], endpoint: str, error: str
) -> None:
    plugin = Registrant(kind, "a", versions, endpoint and str(place.root / endpoint))
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: bool(plugin.told))
    assert not plugin.told[0][0]
    assert error in plugin.told[0][1]
    assert not place.notes.there
    await server.stop(grace=None)


async def test_a_refused_plugin_is_tried_again(place: Place) -> None:
    place.notes.refusal = "not now"
    plugin = Registrant("Kind", "a", ["v1"])
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: plugin.told == [(False, "plugin registration failed with err: not now")])
    place.notes.refusal = ""

    async def there() -> bool:
        await place.clock.advance(0.5)
        return bool(place.notes.there)

    await eventually(there)
    await server.stop(grace=None)


async def test_one_that_hangs_keeps_no_other_waiting(place: Place) -> None:
    slow, quick = Registrant("Kind", "slow", ["v1"]), Registrant("Kind", "quick", ["v1"])
    slow.is_hanging = True
    servers = [await serve(place.socket(f"{one.info.name}.sock"), one.service()) for one in (slow, quick)]
    await eventually(lambda: "quick" in place.notes.there)
    slow.is_hanging = False
    slow.hangs.set()
    await eventually(lambda: "slow" in place.notes.there)
    for server in servers:
        await server.stop(grace=None)


async def test_what_is_no_socket_is_left_alone(place: Place) -> None:
    await eventually(lambda: (place.root / "plugins_registry").exists())
    (place.root / "plugins_registry" / "file").write_text("")
    (place.root / "plugins_registry" / "link").symlink_to("/run")
    plugin = Registrant("Kind", "a", ["v1"])
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: bool(place.notes.there))
    await server.stop(grace=None)


async def test_a_folder_that_is_removed_is_made_anew(place: Place) -> None:
    folder = place.root / "plugins_registry"
    await eventually(folder.exists)
    folder.rmdir()

    async def again() -> bool:
        await place.clock.advance(1)
        return folder.exists()

    await eventually(again)
    plugin = Registrant("Kind", "a", ["v1"])
    server = await serve(place.socket("a.sock"), plugin.service())
    await eventually(lambda: bool(place.notes.there))
    await server.stop(grace=None)


async def test_a_pace_is_kept() -> None:
    clock = FakeClock()
    pace = Pace(clock, 10.0, 2)
    assert [pace.is_within() for _ in range(3)] == [True, True, False]
    await clock.advance(0.1)
    assert [pace.is_within() for _ in range(2)] == [True, False]
