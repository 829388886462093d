"""Which versions are served, by the keys of the runtime configuration."""

from __future__ import annotations

import pytest

from wherry.api.catalog import BUILTIN
from wherry.api.serving import check_switches, parse_switches, select_served

PRERELEASES = {resource.api_version for resource in BUILTIN if "beta" in resource.version}


def off(switches: dict[str, bool]) -> set[str]:
    """The versions of which something is not served."""
    kept = {id(resource) for resource in select_served(BUILTIN, switches)}
    return {resource.api_version for resource in BUILTIN if id(resource) not in kept}


@pytest.mark.parametrize(
    ("switches", "gone"),
    [
        ({}, set()),
        ({"api/beta": False}, PRERELEASES),
        ({"api/all": False}, PRERELEASES | {"autoscaling/v1"}),
        ({"api/all": False, "api/beta": True}, {"autoscaling/v1"}),
        ({"api/all": False, "api/ga": True}, PRERELEASES),
        ({"api/all": False, "api/v1": True, "v1": True, "apps/v1": True}, PRERELEASES | {"autoscaling/v1"}),
        ({"api/beta": False, "apps/v1beta1": True}, PRERELEASES - {"apps/v1beta1"}),
        ({"apps/v1beta1": False}, {"apps/v1beta1"}),
        ({"api/beta": True, "api/apps/v1beta1": False}, {"apps/v1beta1"}),
        ({"autoscaling/v1": False}, {"autoscaling/v1"}),
        ({"api/alpha": False}, set()),
    ],
)
def test_switches(switches: dict[str, bool], gone: set[str]) -> None:
    assert off(switches) == gone


def test_one_resource_of_a_version() -> None:
    switches = {"extensions/v1beta1": False, "extensions/v1beta1/ingresses": True}
    served = [r.plural for r in select_served(BUILTIN, switches) if r.group == "extensions"]
    assert served == ["ingresses"]


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("apps/v7", "'apps/v7' is not known; use api/all, api/ga, api/beta, api/alpha, or one of "),
        ("apps/v1beta1/pods", "is not known"),
        ("api/some", "is not known"),
        ("v1", "v1 cannot be false: the cluster's own parts use v1"),
        ("api/v1", "the cluster's own parts use v1"),
        ("apps/v1/deployments", "the cluster's own parts use apps/v1"),
        ("api/ga", "the cluster's own parts use released versions"),
    ],
)
def test_what_cannot_be(key: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_switches(BUILTIN, {key: False})


def test_as_text() -> None:
    assert parse_switches("api/beta=false, v1=true,apps/v1beta1") == {
        "api/beta": False,
        "v1": True,
        "apps/v1beta1": True,
    }
    with pytest.raises(ValueError, match="api/beta must be true or false, is 'no'"):
        parse_switches("api/beta=no")
