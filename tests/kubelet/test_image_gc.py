"""Which images go when the disk fills up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kubelet.builders import running
from wherry.kit.clock import FakeClock
from wherry.kit.disk import DirectDisk
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.image_gc import (
    Disk,
    ImageGc,
    Sighting,
    bytes_to_free,
    images_in_use,
    plan_image_removals,
)
from wherry.kubelet.image_pulls.keeper import PullRecords
from wherry.kubelet.image_pulls.policy import PRELOADED, verification
from wherry.kubelet.node import node_reference
from wherry.kubelet.runtimes.containers import ContainerSpec
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.fake import FakeRuntime
from wherry.kubelet.runtimes.images import Image
from wherry.kubelet.runtimes.sandboxes import SandboxSpec

CONFIG = KubeletConfig(node_name="n", node_ip="192.0.2.1", root_dir=Path("/r"), log_dir=Path("/l"))
OLD, USED, YOUNG = Image("old", ("o",), 10), Image("used", ("u",), 10), Image("young", ("y",), 10)
NEWER, PINNED = Image("newer", ("n",), 10), Image("pinned", ("p",), 10, pinned=True)
ALL = [NEWER, USED, OLD, YOUNG, PINNED]
SEEN = {
    "old": Sighting(0, 5),
    "newer": Sighting(0, 50),
    "used": Sighting(0, 100),
    "young": Sighting(60, -1),
    "pinned": Sighting(0, -1),
}


@pytest.mark.parametrize(
    ("to_free", "gone"), [(None, ["old", "newer"]), (1, ["old"]), (11, ["old", "newer"])]
)
def test_the_one_used_longest_ago_goes_first(to_free: int | None, gone: list[str]) -> None:
    plan = plan_image_removals(ALL, {"used"}, SEEN, 100, 60, to_free)
    assert [image.id for image in plan] == gone


@pytest.mark.parametrize(
    ("capacity", "available", "expected"),
    [(1000, 151, 0), (1000, 150, 50), (1000, 0, 200), (0, 0, 0), (1000, 1000, 0)],
)
def test_how_much_has_to_go(capacity: int, available: int, expected: int) -> None:
    assert bytes_to_free(Disk(capacity, available), 85, 80) == expected


def test_images_are_known_by_id_and_by_name() -> None:
    used = images_in_use([OLD, USED, YOUNG], [running("web", image="u", image_id="sha256:x")])
    assert used == {"used"}
    assert images_in_use([OLD], [running("web", image="whatever", image_id="old")]) == {"old"}


class Events:
    """Writes down what is said."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def event(self, obj: object, event_type: str, reason: str, message: str, **_: object) -> None:
        self.said.append((reason, message))


class Setting:
    """A collector, its runtime, its disk of 1000 bytes, and its clock."""

    def __init__(self, *images: Image, root: Path = Path("/r"), **changes: Any) -> None:
        self.clock = FakeClock()
        self.runtime = FakeRuntime(self.clock, images)
        self.runtime.image_directory = "/images"
        self.available = 900
        self.events = Events()
        recorder: Any = self.events
        node = node_reference("n")
        self.records = PullRecords(root, verification(PRELOADED), DirectDisk(), self.clock)
        self.gc = ImageGc(
            *(
                self.runtime,
                replace(CONFIG, **changes),
                self.clock,
                recorder,
                node,
                DirectDisk(),
                self.records,
            ),
            lambda _: self.disk(),
        )

    def disk(self) -> Disk:
        return Disk(1000, self.available)

    async def left(self) -> set[str]:
        return {image.id for image in await self.runtime.images()}


async def test_nothing_goes_while_there_is_room() -> None:
    made = Setting(OLD)
    assert await made.gc.collect() == 300
    assert await made.left() == {"old"}


async def test_unused_images_go_until_there_is_room() -> None:
    made = Setting(Image("a", ("a",), 30), Image("b", ("b",), 30), Image("c", ("c",), 30))
    sandbox = SandboxSpec(name="p", namespace="default", uid="u")
    sandbox_id = await made.runtime.run_sandbox(sandbox)
    spec = ContainerSpec(name="c", attempt=0, image="a")
    await made.runtime.create_container(sandbox_id, sandbox, spec)
    made.available = 150
    await made.gc.collect()
    assert await made.left() == {"a"}
    assert made.events.said == []


async def test_one_just_pulled_stays_and_too_little_is_told() -> None:
    made = Setting(OLD)
    await made.gc.collect()
    made.runtime.pullable["new"] = Image("new", ("new",), 500)
    await made.runtime.pull_image("new")
    made.available = 100
    await made.gc.collect()
    assert await made.left() == {"new"}
    message = (
        "Failed to garbage collect required amount of images. "
        "Attempted to free 100 bytes, but only found 10 bytes eligible to free."
    )
    assert made.events.said == [("FreeDiskSpaceFailed", message)]
    await made.clock.advance(120)
    await made.gc.collect()
    assert await made.left() == set()


async def test_one_that_resists_keeps_nobody_from_the_others() -> None:
    made = Setting(Image("a", ("a",), 30), Image("b", ("b",), 30))
    made.runtime.failures["remove_image"].append(RuntimeFailure("in use"))
    await made.gc.remove_unused()
    assert len(await made.left()) == 1


async def test_what_nobody_used_for_long_goes_though_there_is_room() -> None:
    """An agent that has run for less does not know what was used before it (imageMaximumGCAge)."""
    made = Setting(OLD, USED, image_greatest_age_s=3600.0)
    sandbox = SandboxSpec(name="p", namespace="default", uid="u")
    sandbox_id = await made.runtime.run_sandbox(sandbox)
    spec = ContainerSpec(name="c", attempt=0, image="u")
    await made.runtime.create_container(sandbox_id, sandbox, spec)
    await made.gc.collect()
    made.runtime.pullable["young"] = YOUNG
    await made.clock.advance(3500)
    await made.runtime.pull_image("young")
    await made.gc.collect()
    assert await made.left() == {"old", "used", "young"}
    await made.clock.advance(200)
    await made.gc.collect()
    assert await made.left() == {"used", "young"}
    await made.clock.advance(3600)
    await made.gc.collect()
    assert await made.left() == {"used"}


async def test_the_record_of_who_pulled_an_image_goes_with_it(tmp_path: Path) -> None:
    made = Setting(OLD, root=tmp_path, image_greatest_age_s=60.0, image_least_age_s=1.0)
    await made.records.load(made.runtime.images)
    await made.records.begin("o")
    await made.records.pulled("o", "old", None)
    pulled = tmp_path / "image_manager" / "pulled"
    await made.gc.collect()
    assert len(list(pulled.iterdir())) == 1
    await made.clock.advance(61)
    await made.gc.collect()
    assert await made.left() == set()
    assert list(pulled.iterdir()) == []
