"""The static CPU manager: who has processors alone, what is told of it, and what holds on over a restart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.kubelet.topology.pods import container, pod
from tests.kubelet.topology.trees import machine
from wherry.kubelet.metrics import KubeletMetrics
from wherry.kubelet.topology.admission import Affinity, TopologyManager
from wherry.kubelet.topology.checkpoints import (
    CheckpointError,
    checksum,
    encode,
    read_checkpoint,
    write_checkpoint,
)
from wherry.kubelet.topology.cpu_set import parse_cpus, show_cpus
from wherry.kubelet.topology.cpus import FILE, CpuManager
from wherry.kubelet.topology.hints import AdmissionRefused, TopologyHint
from wherry.kubelet.topology.layout import Layout
from wherry.kubelet.topology.settings import ManagerSettings, SettingsError, cpu_options, topology_options
from wherry.objects.meta import Object

SMT = machine(1, 1, 4, 2)
TWO = machine(2, 1, 2, 2)
"""Nodes {0-1,4-5} and {2-3,6-7}."""


DIFFERS = 'configured policy "static" differs from state checkpoint policy "none"'
NOT_ENOUGH = (
    "Allocate failed due to not enough cpus available to satisfy request: requested=8, available=7, which is "
    "unexpected"
)
NO_CORES = (
    "SMT Alignment Error: not enough free physical CPUs: available physical CPUs = 6, requested CPUs = 8, "
    "CPUs per core = 2"
)


def manager(
    layout: Layout = SMT,
    reserved: int = 1000,
    *options: str,
    written: Mapping[str, Any] | None = None,
    **settings: Any,
) -> CpuManager:
    told = ManagerSettings(cpu_policy="static", cpu_options=frozenset(options), **settings)
    return CpuManager(told, layout.processors, reserved, Affinity(), KubeletMetrics(), written)


def give(cpus: CpuManager, wanted: Object) -> dict[str, str]:
    spec = wanted["spec"]
    for one in (*spec["initContainers"], *spec["containers"]):
        cpus.allocate(wanted, one)
    uid = wanted["metadata"]["uid"]
    return {
        one["name"]: show_cpus(cpus.own(uid, one["name"]))
        for one in (*spec["initContainers"], *spec["containers"])
    }


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (pod("a", container("c")), "4"),
        (pod("a", container("c", "2")), "1,5"),
        (pod("a", container("c", "1500m")), ""),
        (pod("a", container("c", "2000m")), "1,5"),
        (pod("a", {"name": "c", "resources": {"limits": {"cpu": "2", "memory": "1"}}}), "1,5"),
        (pod("a", {"name": "c", "resources": {"requests": {"cpu": "2"}}}), ""),
        (pod("a", {"name": "c"}), ""),
        (pod("a", container("c", "2"), resources={"limits": {"cpu": "4", "memory": "2Gi"}}), ""),
    ],
)
def test_only_containers_of_guaranteed_pods_with_whole_processors_have_them_alone(
    wanted: Object, given: str
) -> None:
    cpus = manager()
    assert give(cpus, wanted) == {"c": given}
    own = parse_cpus(given)
    assert cpus.shared == frozenset(range(8)) - own
    assert cpus.cpus("a", "c") == (own or cpus.shared)
    cpus.release("a")
    assert cpus.shared == frozenset(range(8))


def test_init_containers_pass_theirs_on_and_sidecars_keep_them() -> None:
    cpus = manager()
    first, side = container("first", "4"), container("side", "1", restartPolicy="Always")
    given = give(cpus, pod("a", container("x", "2"), container("y", "1"), init=[first, side]))
    own = {name: parse_cpus(shown) for name, shown in given.items()}
    assert len(own["first"]) == 4
    assert own["x"] < own["first"]
    assert not own["side"] & own["x"] | own["x"] & own["y"] | own["side"] & own["y"]
    assert cpus.shared == frozenset(range(8)) - own["first"] - own["side"] - own["y"]
    left = len(cpus.available)
    assert cpus.pod_hints(pod("b", container("c", str(left))))["cpu"] == [TopologyHint(frozenset({0}), True)]
    assert cpus.pod_hints(pod("b", container("c", str(left + 1))))["cpu"] == []


@pytest.mark.parametrize(
    ("options", "reserved", "wanted", "reason", "message"),
    [
        ((), 1000, "8", "UnexpectedAdmissionError", NOT_ENOUGH),
        (("full-pcpus-only",), 2000, "3", "SMTAlignmentError",
         "SMT Alignment Error: requested 3 cpus not multiple cpus per core = 2"),
        (("full-pcpus-only",), 1000, "8", "SMTAlignmentError", NO_CORES),
    ],
)  # fmt: skip
def test_refusals(options: tuple[str, ...], reserved: int, wanted: str, reason: str, message: str) -> None:
    cpus = manager(SMT, reserved, *options)
    with pytest.raises(AdmissionRefused) as refused:
        give(cpus, pod("a", container("c", wanted)))
    assert (refused.value.reason, refused.value.message) == (reason, message)
    assert cpus.shared == frozenset(range(8))


def test_what_is_reserved_is_shared_unless_it_is_strictly_reserved() -> None:
    assert show_cpus(manager(SMT, 2000).reserved) == "0,4"
    assert manager(SMT, 1500).reserved == {0, 4}
    named = manager(SMT, 0, reserved_cpus=frozenset({3}))
    assert named.reserved == {3}
    assert named.shared == frozenset(range(8))
    strict = manager(SMT, 0, "strict-cpu-reservation", reserved_cpus=frozenset({3}))
    assert strict.shared == frozenset(range(8)) - {3}
    give(strict, pod("a", container("c", "2")))
    strict.release("a")
    assert strict.shared == frozenset(range(8)) - {3}


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"reserved": 0}, "requires systemreserved.cpu + kubereserved.cpu to be greater than zero"),
        ({"reserved": 9000}, "unable to reserve the required amount of CPUs (size of  did not equal 9)"),
        ({"reserved_cpus": frozenset({7, 8})}, "reserved-cpus: 7-8 is not a subset of online-cpus: 0-7"),
    ],
)
def test_what_cannot_be_reserved(told: dict[str, Any], error: str) -> None:
    with pytest.raises(SettingsError) as raised:
        manager(**told)
    assert error in str(raised.value)


def test_hints_name_every_set_of_nodes_that_would_do() -> None:
    cpus = manager(TWO)
    both, one, other = frozenset({0, 1}), frozenset({0}), frozenset({1})
    wanted = pod("a", container("c", "4"))
    assert cpus.hints(wanted, wanted["spec"]["containers"][0])["cpu"] == [
        TopologyHint(other, True),
        TopologyHint(both, False),
    ]
    assert cpus.pod_hints(pod("a", container("c", "2"), container("d")))["cpu"] == [
        TopologyHint(one, True),
        TopologyHint(other, True),
        TopologyHint(both, False),
    ]
    assert cpus.pod_hints(pod("a", container("c", "5")))["cpu"] == [TopologyHint(both, True)]
    assert cpus.pod_hints(pod("a", container("c", "500m"))) == {}
    give(cpus, pod("a", container("c", "4")))
    assert cpus.pod_hints(wanted)["cpu"] == [TopologyHint(other, True), TopologyHint(both, False)]
    assert cpus.pod_hints(pod("a", container("c", "3")))["cpu"] == []


def test_with_sockets_alike_nodes_of_one_socket_are_preferred() -> None:
    layout = machine(2, 2, 2)
    hints = manager(layout, 1000, "align-by-socket").pod_hints(pod("a", container("c", "2")))["cpu"]
    preferred = {tuple(sorted(h.nodes or ())) for h in hints or () if h.is_preferred}
    assert preferred == {(1,), (2,), (3,), (0, 1), (2, 3)}


@pytest.mark.parametrize(
    ("policy", "scope", "wanted", "given"),
    [
        ("none", "container", "5", "1-3,5-7"),
        ("best-effort", "container", "5", "1-2,5-7"),
        ("restricted", "container", "5", "1-2,5-7"),
        ("single-numa-node", "container", "4", "2-3,6-7"),
        ("single-numa-node", "pod", "4", "2-3,6-7"),
        ("single-numa-node", "container", "5", None),
        ("single-numa-node", "pod", "5", None),
    ],
)
def test_the_topology_managers_policies(policy: str, scope: str, wanted: str, given: str | None) -> None:
    settings = ManagerSettings(cpu_policy="static", topology_policy=policy, topology_scope=scope)
    affinity, metrics = Affinity(), KubeletMetrics()
    cpus = CpuManager(settings, TWO.processors, 1000, affinity, metrics)
    topology = TopologyManager(settings, TWO, affinity, [cpus], metrics, lambda: 0.0)
    if given is None:
        with pytest.raises(AdmissionRefused) as refused:
            topology.admit(pod("a", container("c", wanted)))
        assert refused.value.reason == "TopologyAffinityError"
        assert refused.value.message == "Resources cannot be allocated with Topology locality"
        assert metrics.topology_errors.values == {(): 1.0}
        return
    topology.admit(pod("a", container("c", wanted)))
    assert len(cpus.own("a", "c")) == int(wanted)
    assert metrics.topology_requests.values == {(): 1.0}
    if policy == "single-numa-node":
        assert show_cpus(cpus.own("a", "c")) == given


def test_a_pod_that_is_refused_keeps_nothing() -> None:
    settings = ManagerSettings(cpu_policy="static")
    affinity, metrics = Affinity(), KubeletMetrics()
    cpus = CpuManager(settings, SMT.processors, 1000, affinity, metrics)
    topology = TopologyManager(settings, SMT, affinity, [cpus], metrics, lambda: 0.0)
    with pytest.raises(AdmissionRefused):
        topology.admit(pod("a", container("c", "4"), container("d", "4")))
    assert cpus.uids() == set()
    assert cpus.shared == frozenset(range(8))
    assert metrics.cpu_pinning_requests.values == {(): 2.0}
    assert metrics.cpu_pinning_errors.values == {(): 1.0}


def test_too_many_nodes() -> None:
    settings = ManagerSettings(topology_policy="restricted", most_nodes=8)
    with pytest.raises(SettingsError, match="unsupported on machines with more than 8 NUMA Nodes"):
        TopologyManager(settings, machine(3, 3, 1), Affinity(), [], KubeletMetrics(), lambda: 0.0)


def test_what_was_given_holds_on_over_a_restart(tmp_path: Path) -> None:
    cpus = manager()
    give(cpus, pod("a", container("c", "2")))
    path = tmp_path / FILE
    write_checkpoint(path, encode(cpus.state()))
    shown = json.loads(path.read_text())
    assert (shown["defaultCpuSet"], shown["entries"], shown["checksum"]) == (
        "0,2-4,6-7",
        {"a": {"c": "1,5"}},
        0,
    )
    after = manager(written=read_checkpoint(path, "static", "CPU"))
    assert give(after, pod("a", container("c", "2"))) == {"c": "1,5"}
    assert after.shared == cpus.shared
    assert after.changes == 0


def test_the_sum_is_upstreams() -> None:
    assert checksum('{"policyName":"none","defaultCPUSet":"4-6"}') == 657950972


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "checkpoint is corrupted"),
        (b"[]", "checkpoint is corrupted"),
        (b'{"policyName":"static","checksum":1}', "checkpoint is corrupted"),
        (encode({"policyName": "static"}).replace(b"static", b"Static"), "checkpoint is corrupted"),
        (
            encode({"policyName": "none"}),
            'configured policy "static" differs from state checkpoint policy "none"',
        ),
    ],
)
def test_a_spoilt_checkpoint_is_refused(tmp_path: Path, text: bytes, why: str) -> None:
    path = tmp_path / FILE
    path.write_bytes(text)
    with pytest.raises(CheckpointError) as refused:
        read_checkpoint(path, "static", "CPU")
    assert str(refused.value) == (
        f"could not restore state from checkpoint: {why}, please drain this node and delete the CPU manager "
        f'checkpoint file "{path}" before restarting Kubelet'
    )
    assert read_checkpoint(tmp_path / "none", "static", "CPU") is None


@pytest.mark.parametrize(
    ("shared", "entries", "options", "error"),
    [
        ("", {"a": {"c": "1"}}, (), "default cpuset cannot be empty"),
        ("1-7", {}, (), 'not all reserved cpus: "0" are present in defaultCpuSet: "1-7"'),
        ("0-7", {}, ("strict-cpu-reservation",),
         'some of strictly reserved cpus: "0" are present in defaultCpuSet: "0-7"'),
        ("0-7", {"a": {"c": "1"}}, (),
         'pod: a, container: c cpuset: "1" overlaps with default cpuset "0-7"'),
        ("0-5", {"a": {"c": "6"}}, (),
         'current set of available CPUs "0-7" doesn\'t match with CPUs in state "0-6"'),
        ("0-x", {}, (), "could not parse cpuset"),
        ("0-7", {"a": []}, (), "could not parse cpuset"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused(
    shared: str, entries: dict[str, Any], options: tuple[str, ...], error: str
) -> None:
    with pytest.raises(CheckpointError) as refused:
        manager(SMT, 1000, *options, written={"defaultCpuSet": shared, "entries": entries})
    assert error in str(refused.value)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"x": "true"}, 'unknown CPU Manager Policy option: "x"'),
        ({"align-by-socket": "true"}, "CPU Manager Policy Alpha-level Options not enabled, but option "),
        (
            {"full-pcpus-only": "yes"},
            'bad value for option "full-pcpus-only": strconv.ParseBool: parsing "yes"',
        ),
        (
            {"prefer-align-cpus-by-uncorecache": "1", "distribute-cpus-across-numa": "1"},
            "static policy options prefer-align-cpus-by-uncorecache and distribute-cpus-across-numa can not",
        ),
    ],
)
def test_options_that_are_refused(said: dict[str, str], error: str) -> None:
    with pytest.raises(SettingsError) as refused:
        cpu_options(said)
    assert error in str(refused.value)


def test_options() -> None:
    assert cpu_options({"full-pcpus-only": "true", "strict-cpu-reservation": "false"}) == {"full-pcpus-only"}
    assert cpu_options({"align-by-socket": "t"}, alpha=True) == {"align-by-socket"}
    assert topology_options({"prefer-closest-numa-nodes": "true"}) == (True, 8)
    assert topology_options({"max-allowable-numa-nodes": "12"}) == (False, 12)
    for said in ({"max-allowable-numa-nodes": "7"}, {"max-allowable-numa-nodes": "x"}, {"z": "1"}):
        with pytest.raises(SettingsError):
            topology_options(said)


def test_over_any_life_no_processor_is_given_twice() -> None:
    """A slow model: every pod's own processors in a plain list, compared after each step."""
    random = Random(3)
    for _ in range(60):
        layout = machine(random.randint(1, 2), 1, random.choice((2, 4)), random.randint(1, 2))
        option = random.choice(((), ("distribute-cpus-across-numa",), ("strict-cpu-reservation",)))
        cpus, model = manager(layout, 1000, *option), dict[str, list[frozenset[int]]]()
        start, affinity = cpus.shared, Affinity()
        settings = ManagerSettings(topology_policy=random.choice(("none", "restricted", "single-numa-node")))
        topology = TopologyManager(settings, layout, affinity, [cpus], KubeletMetrics(), lambda: 0.0)
        for step in range(40):
            if model and random.random() < 0.4:
                gone = random.choice(sorted(model))
                topology.release(gone)
                del model[gone]
            else:
                wanted = pod(
                    f"p{step}",
                    *(container(f"c{n}", str(random.randint(1, 3))) for n in range(random.randint(1, 2))),
                )
                asked = sum(int(c["resources"]["limits"]["cpu"]) for c in wanted["spec"]["containers"])
                free = len(start - cpus.reserved) - sum(len(own) for owns in model.values() for own in owns)
                try:
                    topology.admit(wanted)
                except AdmissionRefused as refusal:
                    if refusal.reason != "TopologyAffinityError" and asked <= free:
                        pytest.fail(f"{asked} of {free} were refused: {refusal}")
                else:
                    owns = [cpus.own(f"p{step}", c["name"]) for c in wanted["spec"]["containers"]]
                    assert sum(map(len, owns)) == asked <= free
                    model[f"p{step}"] = owns
            given = [cpu for owns in model.values() for own in owns for cpu in own]
            assert len(given) == len(set(given))
            assert cpus.shared == start - frozenset(given)
            assert cpus.shared or option == ("strict-cpu-reservation",)
        restored = manager(layout, 1000, *option, written=cpus.state())
        assert (restored.shared, restored.uids()) == (cpus.shared, cpus.uids())
