"""Which controllers a list of names stands for: upstream's names, its older ones, and our own."""

from __future__ import annotations

import pytest

from wherry.controllers.bootstrap.signing import BootstrapSigner
from wherry.controllers.catalog import ALSO_CALLED, CONTROLLERS, choose_controllers, known_names, spellings
from wherry.controllers.garbage.collector import GarbageCollector
from wherry.controllers.nodes.lifecycle import NodeLifecycle
from wherry.controllers.pod_gc import PodGc
from wherry.controllers.service_account import ServiceAccounts

UPSTREAM = (
    *("serviceaccount-token", "endpoints", "endpointslice", "endpointslice-mirroring"),
    *("replicationcontroller", "pod-garbage-collector", "resourcequota", "namespace", "serviceaccount"),
    *("garbage-collector", "daemonset", "job", "deployment", "replicaset", "horizontal-pod-autoscaler"),
    *("disruption", "statefulset", "cronjob", "certificatesigningrequest-signing"),
    *("certificatesigningrequest-approving", "certificatesigningrequest-cleaner", "ttl"),
    *(
        "bootstrap-signer",
        "token-cleaner",
        "node-ipam",
        "node-lifecycle",
        "taint-eviction",
        "device-taint-eviction",
    ),
    *("clusterrole-aggregation", "persistentvolumeclaim-protection", "persistentvolume-protection"),
    "podgroup-protection",
    *("ttl-after-finished", "root-ca-certificate-publisher", "resourceclaim"),
    *("legacy-serviceaccount-token-cleaner", "validatingadmissionpolicy-status"),
    *("storage-version-migrator", "service-cidr"),
)
"""cmd/kube-controller-manager/names, without the ending all of them have."""


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_controller_answers_to_upstreams_name(name: str) -> None:
    assert len(choose_controllers([f"{name}-controller"])) == 1


def test_none_is_without_an_upstream_name_and_no_name_means_two() -> None:
    named = {kind for name in UPSTREAM for kind in choose_controllers([f"{name}-controller"])}
    assert named == set(CONTROLLERS)
    spelt = [s for kind in CONTROLLERS for n in (kind.name, *ALSO_CALLED.get(kind, ())) for s in spellings(n)]
    assert len(spelt) == len(set(spelt)) == len(known_names())


def test_what_kubeadm_writes() -> None:
    assert choose_controllers(["*", "bootstrapsigner", "tokencleaner"]) == CONTROLLERS


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (["nodelifecycle", "podgc"], {NodeLifecycle, PodGc}),
        (["serviceaccount-controller"], {ServiceAccounts}),
        (["*", "-garbagecollector"], {*CONTROLLERS} - {GarbageCollector}),
        (["*", "-service-lb-controller", "-cloud-node-lifecycle"], {*CONTROLLERS}),
        (["*", "-podcertificaterequest-cleaner", "-resourcepoolstatusrequest"], {*CONTROLLERS}),
        (["*", "-evictionrequest-controller", "-imperative-eviction-responder"], {*CONTROLLERS}),
        (["bootstrap-signer", "-job"], {BootstrapSigner}),
    ],
)
def test_names_of_all_kinds(names: list[str], kinds: set[object]) -> None:
    assert set(choose_controllers(names)) == kinds


@pytest.mark.parametrize("name", ["nodelife", "-nodelife", "service-lb-controller", "", "-"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a known controller; .*nown: bootstrap-signer, "):
        choose_controllers([name])


def test_who_misspells_a_name_is_shown_the_nearest() -> None:
    with pytest.raises(ValueError, match="'deploymnet' is not a known controller; did you mean deployment"):
        choose_controllers(["deploymnet"])
