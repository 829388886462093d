"""Which kinds are told to be stored only: those whose controller is not in the catalog."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.api.catalog import BUILTIN
from wherry.cluster.apiserver import control_plane_config
from wherry.cluster.config import Setup
from wherry.cluster.identities import ensure_identities
from wherry.cluster.paths import ClusterPaths
from wherry.cluster.unattended import ACTED_ON, unattended
from wherry.controllers.catalog import CONTROLLERS

BESIDE = {
    "certificatesigningrequests": {
        "certificatesigningrequest-approving",
        "certificatesigningrequest-cleaner",
    },
    "persistentvolumeclaims": {"persistentvolumeclaim-protection-controller"},
    "services": {"endpoint", "endpointslice"},
    "jobs": {"ttl-after-finished"},
}
"""Controllers of a kind in the table that do something else for it than what the table is about."""


@pytest.mark.parametrize("row", ACTED_ON, ids=lambda row: row.resource)
def test_a_row_is_about_a_kind_that_is_served(row: object) -> None:
    served = {(resource.group, resource.plural) for resource in BUILTIN}
    found = next(one for one in ACTED_ON if one is row)
    assert any((group, found.resource) in served for group in found.groups)


@pytest.mark.parametrize("row", ACTED_ON, ids=lambda row: row.resource)
@pytest.mark.parametrize("suffix", ["", "-controller"])
def test_a_row_goes_when_its_controller_comes(row: object, suffix: str) -> None:
    found = next(one for one in ACTED_ON if one is row)
    assert found in unattended(())
    assert found not in unattended([found.controller + suffix])


def test_a_controller_that_acts_on_a_kind_is_the_one_its_row_names() -> None:
    """Else the warning would stay when somebody begins to act on it under another name."""
    rows = {(group, row.resource): row for row in ACTED_ON for group in row.groups}
    for controller in CONTROLLERS:
        primary = getattr(controller, "primary", None)
        row = rows.get((primary.group, primary.plural)) if primary is not None else None
        if row is not None and controller.name not in BESIDE.get(row.resource, ()):
            assert controller.name.removesuffix("-controller") == row.controller


def test_a_cluster_says_what_nobody_acts_on(tmp_path: Path) -> None:
    paths = ClusterPaths.of("t", tmp_path / "t", tmp_path / "run")
    config = Setup.of("t", node_name="n")
    identities = ensure_identities(config, paths, "127.0.0.1", datetime.now(UTC))
    told = control_plane_config(config.cluster, identities).api.unattended
    assert told == unattended(kind.name for kind in CONTROLLERS)
