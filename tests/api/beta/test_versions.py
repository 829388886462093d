"""Which betas there are, what is said of them, and that conversions lose nothing."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.legacy.shapes import PARTS, objects
from wherry.api.beta.basic_devices import with_basic, without_basic
from wherry.api.beta.catalog import BETA
from wherry.api.beta.device_requests import with_exactly, without_exactly
from wherry.api.catalog import BUILTIN, by_kind
from wherry.api.legacy.catalog import LEGACY
from wherry.api.resource import Resource
from wherry.objects.meta import Object

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def test_every_beta_of_the_api_level_is_there() -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for resource in set(BUILTIN) - set(LEGACY):
        if "beta" in resource.version:
            kinds[resource.api_version].add(resource.kind)
    assert kinds == {
        "admissionregistration.k8s.io/v1beta1": {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"},
        "certificates.k8s.io/v1beta1": {"ClusterTrustBundle", "PodCertificateRequest"},
        "coordination.k8s.io/v1beta1": {"LeaseCandidate"},
        "resource.k8s.io/v1beta1": {
            "DeviceClass",
            "ResourceClaim",
            "ResourceClaimTemplate",
            "ResourceSlice",
        },
        "resource.k8s.io/v1beta2": {
            "DeviceClass",
            "DeviceTaintRule",
            "ResourceClaim",
            "ResourceClaimTemplate",
            "ResourceSlice",
        },
        "scheduling.k8s.io/v1beta1": {"PodGroup", "Workload"},
        "storagemigration.k8s.io/v1beta1": {"StorageVersionMigration"},
    }


@pytest.mark.parametrize(
    ("api_version", "kind", "said"),
    [
        ("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy", "v1.37+, unavailable in v1.40+"),
        ("certificates.k8s.io/v1beta1", "ClusterTrustBundle", "v1.36+, unavailable in v1.39+"),
        ("certificates.k8s.io/v1beta1", "PodCertificateRequest", ""),
        ("coordination.k8s.io/v1beta1", "LeaseCandidate", "v1.36+, unavailable in v1.39+"),
        ("resource.k8s.io/v1beta1", "ResourceClaim", "v1.35+, unavailable in v1.38+"),
        ("resource.k8s.io/v1beta2", "ResourceClaim", "v1.36+, unavailable in v1.39+"),
        ("resource.k8s.io/v1beta2", "DeviceTaintRule", ""),
        ("scheduling.k8s.io/v1beta1", "Workload", ""),
        ("storagemigration.k8s.io/v1beta1", "StorageVersionMigration", ""),
    ],
)
def test_warnings(api_version: str, kind: str, said: str) -> None:
    resource = by_kind(api_version, kind)
    assert resource is not None
    assert resource.deprecation == (f"{api_version} {kind} is deprecated in {said}" if said else "")


def test_betas_keep_their_short_names() -> None:
    requests = by_kind("certificates.k8s.io/v1beta1", "PodCertificateRequest")
    assert requests is not None
    assert requests.short_names == ("pcr",)


def up(resource: Resource, obj: Object) -> Object:
    """`obj` in the released version, by way of what is stored."""
    released = by_kind(f"{resource.group}/v1", resource.kind)
    assert released is not None
    stored = resource.to_storage(obj) if resource.to_storage else {**obj, "apiVersion": "-"}
    return (
        released.from_storage(stored)
        if released.from_storage
        else {**stored, "apiVersion": released.api_version}
    )


def down(resource: Resource, obj: Object) -> Object:
    """The way back."""
    released = by_kind(f"{resource.group}/v1", resource.kind)
    assert released is not None
    stored = released.to_storage(obj) if released.to_storage else {**obj, "apiVersion": "-"}
    return (
        resource.from_storage(stored)
        if resource.from_storage
        else {**stored, "apiVersion": resource.api_version}
    )


@pytest.mark.parametrize("resource", BETA, ids=lambda r: f"{r.plural}.{r.api_version}")
def test_released_to_beta_to_released(resource: Resource) -> None:
    released = by_kind(f"{resource.group}/v1", resource.kind)
    assert released is not None

    @QUICK
    @given(objects(released.schema, released.api_version, released.kind, PARTS))
    def check(obj: Object) -> None:
        before = repr(obj)
        assert up(resource, down(resource, obj)) == (
            _without_empty_choices(obj) if resource.version == "v1beta1" else obj
        )
        assert repr(obj) == before, "a conversion changed its argument"

    check()


def _without_empty_choices(obj: Object) -> Object:
    """What v1beta1 cannot say: an `exactly` in which nothing is asked for."""
    if obj["kind"] not in ("ResourceClaim", "ResourceClaimTemplate"):
        return obj

    def cleaned(node: object) -> object:
        if isinstance(node, list):
            return [cleaned(item) for item in node]
        if not isinstance(node, dict):
            return node
        kept = {name: cleaned(value) for name, value in node.items()}
        asked = kept.get("exactly")
        if isinstance(asked, dict) and not any(value not in (None, "", 0) for value in asked.values()):
            del kept["exactly"]
        return kept

    found = cleaned(obj)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"name": "a"}, {"name": "a"}),
        ({"name": "a", "deviceClassName": "gpu"}, {"name": "a", "exactly": {"deviceClassName": "gpu"}}),
        (
            {"name": "a", "deviceClassName": "gpu", "count": 2, "tolerations": [{"key": "k"}]},
            {"name": "a", "exactly": {"deviceClassName": "gpu", "count": 2, "tolerations": [{"key": "k"}]}},
        ),
        ({"name": "a", "firstAvailable": [{"name": "x"}]}, {"name": "a", "firstAvailable": [{"name": "x"}]}),
    ],
)
def test_requests(earlier: Object, later: Object) -> None:
    assert with_exactly(earlier) == later
    assert without_exactly(later) == earlier


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"name": "gpu-0", "basic": {}}, {"name": "gpu-0"}),
        (
            {"name": "gpu-0", "basic": {"attributes": {"model": {"string": "x"}}, "nodeName": "n"}},
            {"name": "gpu-0", "attributes": {"model": {"string": "x"}}, "nodeName": "n"},
        ),
    ],
)
def test_devices(earlier: Object, later: Object) -> None:
    assert without_basic(earlier) == later
    assert with_basic(later) == earlier


@given(st.sampled_from(["pkixPublicKey", "proofOfPossession"]))
def test_fields_only_the_beta_has_are_not_shown_by_v1(field: str) -> None:
    released = by_kind("certificates.k8s.io/v1", "PodCertificateRequest")
    assert released is not None
    assert released.from_storage is not None
    stored = {
        "apiVersion": "certificates.k8s.io/v1beta1",
        "metadata": {},
        "spec": {field: "eA==", "podName": "p"},
    }
    assert released.from_storage(stored)["spec"] == {"podName": "p"}
