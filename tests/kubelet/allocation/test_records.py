"""What is written of allocations survives the agent, and what is broken harms nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.kubelet.builders import make_pod, running, seen
from wherry.kit.disk import DirectDisk
from wherry.kubelet.allocation.allocations import RESOURCES, Allocations
from wherry.kubelet.allocation.records import NAME, Record, read_records, write_record
from wherry.kubelet.allocation.sizes import Allocation
from wherry.kubelet.runtimes.containers import Resources
from wherry.objects.meta import Object

T = TypeVar("T")

SMALL, LARGE = {"requests": {"cpu": "1"}}, {"requests": {"cpu": "2"}}


def pod(resources: Object) -> Object:
    return make_pod({"name": "web", "image": "i:1", "resources": resources})


def allocations(directory: Path) -> Allocations:
    return Allocations(directory, DirectDisk())


async def test_the_next_agent_knows_what_was_given(tmp_path: Path) -> None:
    first = allocations(tmp_path)
    await first.load()
    first.admit(pod(SMALL))
    first.actuate("u1", "c1", SMALL)
    first.actuate_pod(pod(SMALL))
    await first.save("u1")
    second = allocations(tmp_path)
    await second.load()
    asked = pod(LARGE)
    second.admit(asked)
    assert second.allocated(asked)["spec"]["containers"][0]["resources"] == SMALL
    assert second.actual("u1", asked["spec"]["containers"][0], running("web", id="c1")) == SMALL
    assert second.limits("u1") == first.limits("u1") is not None
    await second.give("u1", Allocation.of(asked))
    assert second.allocated(asked) is asked
    third = allocations(tmp_path)
    await third.load()
    third.admit(pod(SMALL))
    assert third.allocated(pod(SMALL))["spec"]["containers"][0]["resources"] == LARGE


class Full(DirectDisk):
    """A disk on which nothing more can be written."""

    async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
        raise OSError("no space left")


async def test_what_cannot_be_written_is_not_given(tmp_path: Path) -> None:
    known = Allocations(tmp_path, Full())
    known.admit(pod(SMALL))
    asked = pod(LARGE)
    with pytest.raises(OSError, match="no space left"):
        await known.give("u1", Allocation.of(asked))
    for of in (known.allocated, known.counted):
        assert of(asked)["spec"]["containers"][0]["resources"] == SMALL


async def test_what_is_being_given_counts_before_anything_goes_by_it(tmp_path: Path) -> None:
    looked: list[Object] = []

    class Looking(DirectDisk):
        async def run(self, key: str, work: Callable[[], T], timeout_s: float) -> T:
            looked.extend((known.allocated(asked), known.counted(asked)))
            return work()

    known = Allocations(tmp_path, Looking())
    known.admit(pod(SMALL))
    asked = pod(LARGE)
    await known.give("u1", Allocation.of(asked))
    given = [one["spec"]["containers"][0]["resources"] for one in looked]
    assert given == [SMALL, LARGE]


async def test_what_runs_knows_what_it_was_started_with(tmp_path: Path) -> None:
    known = allocations(tmp_path)
    given = pod(LARGE)
    known.admit(given)
    noted = running("web", annotations={RESOURCES: '{"requests":{"cpu":"1"}}'})
    (spec,) = given["spec"]["containers"]
    assert known.actual("u1", spec, noted) == SMALL
    assert known.is_under_way(given, seen(noted))
    assert not known.is_under_way(given, seen(running("web"))), "started before anybody noted it"
    assert not known.is_under_way(given, seen())
    known.actuate("u1", noted.id, LARGE)
    assert not known.is_under_way(given, seen(noted))


async def test_only_what_is_there_is_remembered(tmp_path: Path) -> None:
    known = allocations(tmp_path)
    known.admit(pod(SMALL))
    known.actuate("u1", "old", SMALL)
    known.actuate("u1", "new", SMALL)
    known.actuate_pod(pod(SMALL), {"new"})
    await known.save("u1")
    ((_, record),) = read_records(tmp_path)
    assert list(record.actuated) == ["new"]
    known.forget("u1")
    await known.save("u1")
    assert known.find_status("u1") is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"containers": {}}', '{"actuated": 1}'])
def test_a_broken_record_is_left_out(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    for uid in ("broken", "whole"):
        write_record(tmp_path / uid, Record(Allocation({"web": SMALL}), limits=Resources(2, 0, 0, 0)))
    (tmp_path / "broken" / NAME).write_text(text)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        assert [uid for uid, _ in read_records(tmp_path)] == ["whole"]
    assert "not read" in caplog.text
    assert list(read_records(tmp_path / "nowhere")) == []
