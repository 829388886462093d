"""What is said of the use of old versions."""

from __future__ import annotations

import pytest

from wherry.api.catalog import BUILTIN, by_kind
from wherry.api.legacy.catalog import LEGACY


@pytest.mark.parametrize(
    ("api_version", "kind", "said"),
    [
        ("extensions/v1beta1", "Ingress", "v1.14+, unavailable in v1.22+; use networking.k8s.io/v1 Ingress"),
        ("extensions/v1beta1", "Deployment", "v1.8+, unavailable in v1.16+; use apps/v1 Deployment"),
        ("extensions/v1beta1", "NetworkPolicy",
         "v1.9+, unavailable in v1.16+; use networking.k8s.io/v1 NetworkPolicy"),
        ("apps/v1beta1", "StatefulSet", "v1.8+, unavailable in v1.16+; use apps/v1 StatefulSet"),
        ("apps/v1beta2", "ReplicaSet", "v1.9+, unavailable in v1.16+; use apps/v1 ReplicaSet"),
        ("networking.k8s.io/v1beta1", "IngressClass",
         "v1.19+, unavailable in v1.22+; use networking.k8s.io/v1 IngressClass"),
        ("batch/v1beta1", "CronJob", "v1.21+, unavailable in v1.25+; use batch/v1 CronJob"),
        ("policy/v1beta1", "PodDisruptionBudget",
         "v1.21+, unavailable in v1.25+; use policy/v1 PodDisruptionBudget"),
        ("rbac.authorization.k8s.io/v1beta1", "Role",
         "v1.17+, unavailable in v1.22+; use rbac.authorization.k8s.io/v1 Role"),
    ],
)  # fmt: skip
def test_warnings(api_version: str, kind: str, said: str) -> None:
    resource = by_kind(api_version, kind)
    assert resource is not None
    assert resource.deprecation == f"{api_version} {kind} is deprecated in {said}"


def test_only_old_versions_and_betas_warn() -> None:
    warning = {resource for resource in BUILTIN if resource.deprecation}
    assert set(LEGACY) <= warning
    stable = {resource.plural for resource in warning if "beta" not in resource.version}
    assert stable == {"componentstatuses", "endpoints"}  # superseded, and never to be removed


def test_old_versions_stand_behind_the_present_ones() -> None:
    assert BUILTIN[-len(LEGACY) :] == LEGACY
    for resource in LEGACY:
        assert resource.short_names == ()
        assert resource.categories == ()
