"""Pods with users of their own: which ids they have, what the runtime is told, when it is refused."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from tests.conftest import eventually
from tests.kubelet.builders import make_pod
from tests.kubelet.rig import NODE, Node, node
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.kit.disk import DirectDisk
from wherry.kubelet.runtimes.containerd.convert import container_config, sandbox_config
from wherry.kubelet.runtimes.containers import ContainerSpec, Mount
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.runtime import HandlerFeatures, RuntimeStatus
from wherry.kubelet.runtimes.sandboxes import IdRange, SandboxSpec
from wherry.kubelet.users import NoRanges, UserRanges, find_ranges, lacks_user_namespaces
from wherry.objects.meta import Object, uid_of

UNIT = 65536
ABLE = RuntimeStatus(
    True, True, handlers={"": HandlerFeatures(user_namespaces=True), "kata": HandlerFeatures()}
)


def nobody(_: list[str]) -> str:
    return ""


def own(uid: str) -> Object:
    pod = make_pod(hostUsers=False)
    pod["metadata"] = {**pod["metadata"], "uid": uid}
    return pod


async def loaded(pods: Path, ids_per_pod: int = UNIT, users: str = "") -> UserRanges:
    ranges = UserRanges(pods, DirectDisk(), ids_per_pod, 3)
    await ranges.load(lambda _: users)
    return ranges


@pytest.mark.parametrize(
    ("text", "ids", "first", "count"),
    [
        ("", UNIT, UNIT, 65535),
        ("", 2 * UNIT, 2 * UNIT, 32767),
        ("0: kubelet 65536 7208960\n", UNIT, UNIT, 110),
        ("0: kubelet 131072 14417920\n", 2 * UNIT, 2 * UNIT, 110),
    ],
)
def test_the_ids_there_are(text: str, ids: int, first: int, count: int) -> None:
    found = find_ranges(ids, 110, lambda _: text)
    assert (found[0], len(found)) == (first, count)
    assert found[-1] + ids <= 1 << 32


@pytest.mark.parametrize(
    ("users", "groups", "why"),
    [
        ("0: kubelet 1 65536", None, "kubelet user assigned ID 1 is not a multiple of 65536"),
        ("0: kubelet 0 7208960", None, "kubelet user assigned ID 0 must be greater or equal to 65536"),
        ("0: kubelet 65536 99", None, "kubelet user assigned IDs length 99 is not a multiple of 65536"),
        ("0: kubelet 65536 65536", None, "kubelet user assigned IDs are not enough to support 110 pods"),
        ("0: kubelet 65536 65536", "0: kubelet 0 1", 'mismatched subuids and subgids for user "kubelet"'),
        ("0: kubelet 65536 65536\n1: kubelet 1 2\n", None, "it must contain only one line"),
        ("nonsense", None, "invalid line"),
        ("0: kubelet x 1", None, "error parsing line"),
    ],
)
def test_what_no_pod_can_be_given_ids_of(users: str, groups: str | None, why: str) -> None:
    def ask(words: list[str]) -> str:
        return users if groups is None or "-g" not in words else groups

    with pytest.raises(NoRanges) as failure:
        find_ranges(UNIT, 110, ask)
    assert why in str(failure.value)


async def test_no_two_pods_have_an_id_in_common_also_after_a_restart(tmp_path: Path) -> None:
    ranges = await loaded(tmp_path)
    given = {uid: await ranges.of(own(uid), "", ABLE) for uid in ("a", "b", "c")}
    assert await ranges.of(own("a"), "", ABLE) == given["a"], "again, the same"
    assert len({found.first for found in given.values() if found}) == 3
    assert json.loads((tmp_path / "a" / "userns").read_text()) == {
        kind: [{"hostId": given["a"].first, "containerId": 0, "length": UNIT}]  # type: ignore[union-attr]
        for kind in ("uidMappings", "gidMappings")
    }
    (tmp_path / "b" / "userns").unlink()
    (tmp_path / "other").mkdir()
    after = await loaded(tmp_path)
    assert after.known(own("a")) == given["a"]
    assert after.known(own("b")) is None
    fresh = [await after.of(own(uid), "", ABLE) for uid in ("d", "e")]
    assert not {r.first for r in fresh if r} & {given["a"].first, given["c"].first}  # type: ignore[union-attr]


async def test_ids_of_pods_that_are_gone_rest_before_others_have_them(tmp_path: Path) -> None:
    ranges = await loaded(tmp_path, users=f"0: kubelet {UNIT} {3 * UNIT}")
    firsts = []
    for number in range(6):
        found = await ranges.of(own(str(number)), "", ABLE)
        assert found is not None
        firsts.append(found.first // UNIT)
        ranges.release(str(number))
    assert firsts == [1, 2, 3, 1, 2, 3]
    for uid in "abc":
        await ranges.of(own(uid), "", ABLE)
    with pytest.raises(RuntimeFailure, match="could not find an empty slot to allocate a user namespace"):
        await ranges.of(own("d"), "", ABLE)


async def test_ids_that_cannot_be_written_down_are_not_given(tmp_path: Path) -> None:
    ranges = await loaded(tmp_path / "pods")
    (tmp_path / "pods").write_text("no folder")
    with pytest.raises(OSError, match="Not a directory"):
        await ranges.of(own("a"), "", ABLE)
    assert ranges.known(own("a")) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "invalid user namespace mappings file"),
        ('{"uidMappings":[],"gidMappings":[]}', "should be identical"),
        (None, "already taken"),
        (f'{{"hostId":{UNIT},"containerId":1,"length":{UNIT}}}', "UID 0 must be mapped"),
        ('{"hostId":65536,"containerId":0,"length":7}', "wrong user namespace length 7"),
        (f'{{"hostId":7,"containerId":0,"length":{UNIT}}}', "wrong user namespace offset specified 7"),
        (f'{{"hostId":0,"containerId":0,"length":{UNIT}}}', "id 0 is out of range"),
    ],
)
async def test_what_pods_were_given_has_to_be_known(tmp_path: Path, text: str | None, why: str) -> None:
    """An agent that began without would give ids away that a running pod has."""
    good = f'{{"hostId":{UNIT},"containerId":0,"length":{UNIT}}}'
    for uid, one in (("a", good), ("b", good if text is None else text)):
        (tmp_path / uid).mkdir()
        whole = f'{{"uidMappings":[{one}],"gidMappings":[{one}]}}' if "hostId" in one else one
        (tmp_path / uid / "userns").write_text(whole)
    with pytest.raises(NoRanges) as failure:
        await loaded(tmp_path)
    assert why in str(failure.value)
    assert 'existing pod "b"' in str(failure.value)


@pytest.mark.parametrize(
    ("handler", "runtime", "why"),
    [
        ("", ABLE, ""),
        ("", None, "runtime does not support user namespaces: runtime handlers are not set"),
        ("kata", ABLE, 'RuntimeClass handler "kata" does not support user namespaces'),
        (
            "x",
            ABLE,
            'RuntimeClass handler "x" does not support user namespaces: the handler "x" is not known',
        ),
        (
            "",
            RuntimeStatus(True, True, handlers={"": HandlerFeatures()}),
            "runtime does not support user namespaces",
        ),
    ],
)
def test_runtimes_that_cannot(handler: str, runtime: RuntimeStatus | None, why: str) -> None:
    lack = lacks_user_namespaces(handler, runtime)
    assert lack == (f"can't set `spec.hostUsers: false`, {why}" if why else "")


def test_what_the_runtime_is_told() -> None:
    spec = SandboxSpec(name="p", namespace="ns", uid="u", users=IdRange(UNIT, UNIT))
    mount = Mount("/host", "/inside")
    config = sandbox_config(spec, Path("/"))
    container = container_config(
        ContainerSpec(name="c", attempt=0, image="i", mounts=[mount]), spec, Path("/")
    )
    mapping = cri.IDMapping(host_id=UNIT, container_id=0, length=UNIT)
    for linux in (config.linux, container.linux):
        told = linux.security_context.namespace_options.userns_options
        assert told == cri.UserNamespace(mode=cri.POD, uids=[mapping], gids=[mapping])
    assert list(container.mounts[0].uidMappings) == list(container.mounts[0].gidMappings) == [mapping]
    shared = replace(spec, users=None)
    container = container_config(
        ContainerSpec(name="c", attempt=0, image="i", mounts=[mount]), shared, Path("/")
    )
    told = container.linux.security_context.namespace_options.userns_options
    assert told == cri.UserNamespace(mode=cri.NODE)
    assert not container.mounts[0].uidMappings


def test_strict_groups_are_passed_on() -> None:
    for policy, told in ({"supplementalGroupsPolicy": "Strict"}, cri.Strict), ({}, cri.Merge):
        spec = SandboxSpec(name="p", namespace="ns", uid="u", security=policy)
        container = container_config(ContainerSpec(name="c", attempt=0, image="i"), spec, Path("/"))
        assert container.linux.security_context.supplemental_groups_policy == told
        sandbox = sandbox_config(spec, Path("/"))
        assert sandbox.linux.security_context.supplemental_groups_policy == told


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        yield running


async def able(made: Node) -> None:
    """The runtime says from now on that it can."""
    handlers = {"": HandlerFeatures(recursive_read_only=True, user_namespaces=True)}
    made.runtime.current_status = replace(made.runtime.current_status, handlers=handlers, strict_groups=True)
    made.kubelet.network_changed()  # it asks the runtime how it is

    async def told() -> bool:
        await made.clock.advance(10)
        return "runtimeHandlers" in (await made.admin.get(NODES, NODE))["status"]

    await eventually(told)


async def test_a_pod_with_its_own_users_from_its_sandbox_to_its_end(made: Node) -> None:
    await able(made)
    await made.create("p", hostUsers=False)
    await made.create("q", hostUsers=False)
    await made.ready("p")
    await made.ready("q")
    given = {spec.name: spec.users for spec in made.runtime.sandbox_specs.values()}
    assert None not in given.values()
    assert len(set(given.values())) == 2
    record = made.config.pod_dir(uid_of(await made.pod("p"))) / "userns"
    assert record.exists()
    await made.restart()
    await made.ready("p")
    assert {spec.name: spec.users for spec in made.runtime.sandbox_specs.values()} == given
    await made.admin.delete(PODS, "p", "default")

    async def gone() -> bool:
        await made.clock.advance(1)
        return not record.exists()

    await eventually(gone)


async def test_the_node_tells_what_its_runtime_can(made: Node) -> None:
    before = (await made.admin.get(NODES, NODE))["status"]
    assert "runtimeHandlers" not in before
    assert "features" not in before
    await able(made)
    status = (await made.admin.get(NODES, NODE))["status"]
    features = {"recursiveReadOnlyMounts": True, "userNamespaces": True}
    assert status["runtimeHandlers"] == [{"name": "", "features": features}]
    assert status["features"] == {"supplementalGroupsPolicy": True}
