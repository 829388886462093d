"""No field of a KubeletConfiguration is dropped: it is honoured, refused, or said to change nothing."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from tools.kubelet_fields import PAGE, with_table
from wherry.cluster.alone import kubelet
from wherry.cluster.kubelet_files import OURS
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.configuration.applied import DIRECT
from wherry.kubelet.configuration.fields import BY_PATH, FIELDS, STRUCTS, Lot

UPSTREAM = dict(
    line.split()
    for line in (Path(__file__).parent / "upstream_fields.txt").read_text().splitlines()
    if not line.startswith("#")
)
ELSEWHERE = {
    *("address", "authentication.x509.clientCAFile", "cgroupRoot", "containerRuntimeEndpoint"),
    *("healthzPort", "healthzBindAddress", "tlsCertFile", "tlsPrivateKeyFile", "tlsCipherSuites"),
    *("tlsMinVersion", "enableDebuggingHandlers", "enableProfilingHandler", "enableSystemLogHandler"),
    "enableSystemLogQuery",
}
"""What is honoured around the kubelet: where it serves, and the runtime it speaks to."""
TOGETHER = {
    *("evictionSoft", "evictionSoftGracePeriod", "evictionMaxPodGracePeriod", "evictionMinimumReclaim"),
    *("containerLogMaxSize", "evictionHard", "kubeReserved", "maxParallelImagePulls"),
    *("shutdownGracePeriod", "shutdownGracePeriodCriticalPods", "shutdownGracePeriodByPodPriority"),
    *("mergeDefaultEvictionSettings", "nodeStatusReportFrequency", "serializeImagePulls", "systemReserved"),
    *("cpuManagerPolicy", "cpuManagerPolicyOptions", "cpuManagerReconcilePeriod", "reservedSystemCPUs"),
    *("memoryManagerPolicy", "reservedMemory", "topologyManagerPolicy", "topologyManagerScope"),
    *("topologyManagerPolicyOptions", "featureGates"),
}
"""What is honoured together with others (see `applied`)."""


def test_every_field_of_upstreams_is_there_and_no_other() -> None:
    assert len(UPSTREAM) > 120
    assert len(FIELDS) == len(BY_PATH)
    assert set(BY_PATH) == set(UPSTREAM)


def test_the_types_are_upstreams() -> None:
    loose = {"any", "[]any", "[]period"}
    wrong = {
        path: (field.kind, UPSTREAM[path])
        for path, field in BY_PATH.items()
        if field.kind not in loose and not _is_type(field.kind, UPSTREAM[path])
    }
    assert wrong == {}


def _is_type(kind: str, upstream: str) -> bool:
    named = upstream.split(".")[-1].lstrip("*")[:1].isupper()
    return kind == upstream or (named and kind == "string")


def test_each_is_honoured_somewhere_or_says_why_not() -> None:
    honoured = {field.path for field in FIELDS if field.lot is Lot.HONOURED}
    assert honoured == set(DIRECT) | TOGETHER | ELSEWHERE
    assert all(field.why for field in FIELDS if field.lot is not Lot.HONOURED)
    assert {name for name, _ in DIRECT.values()} <= {field.name for field in fields(KubeletConfig)}
    assert set(OURS) <= honoured
    assert "" not in STRUCTS.values()


def test_flags_and_fields_agree() -> None:
    """A flag that acts is a field that is honoured; nothing is refused by the one and taken by the other."""
    flags = {flag.name: flag for flag in kubelet.FLAGS}
    for path, name in kubelet.FLAG_OF.items():
        flag = flags[name]
        assert BY_PATH[path].lot is Lot.HONOURED, path
        assert not any((flag.is_idle, flag.only, flag.refused)), name


def test_the_page_says_what_becomes_of_each() -> None:
    page = PAGE.read_text()
    assert with_table(page) == page, "docs/kubelet.md is stale; run: python -m tools.kubelet_fields"
