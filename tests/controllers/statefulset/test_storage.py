"""Who owns the claims of a StatefulSet's pods."""

from __future__ import annotations

import pytest

from tests.controllers.statefulset.sets import claim_template, pod, stateful_set
from wherry.controllers.statefulset.storage import is_stale, make_claims, unsettled
from wherry.objects.meta import Object, owners_of

SET = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "name": "web",
    "uid": "set-uid",
    "controller": True,
    "blockOwnerDeletion": True,
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "name": "web-0",
    "uid": "uid-0",
    "controller": True,
    "blockOwnerDeletion": True,
}
STRANGER = {"apiVersion": "example.org/v1", "kind": "Backup", "name": "b", "uid": "b", "controller": True}
FRIEND = {"apiVersion": "v1", "kind": "ConfigMap", "name": "f", "uid": "f"}


def owner_with(policy: str) -> Object:
    when_scaled, when_deleted = policy.split()
    retention = {"whenScaled": when_scaled, "whenDeleted": when_deleted}
    return stateful_set(
        1, volumeClaimTemplates=[claim_template()], persistentVolumeClaimRetentionPolicy=retention
    )


def claim_of(*owners: Object) -> Object:
    return {"metadata": {"name": "www-web-0", "namespace": "default", "ownerReferences": [*owners]}}


@pytest.mark.parametrize(
    ("policy", "is_wanted", "owners", "wanted"),
    [
        # (when scaled, when deleted); wanted None: the claim is left as it is
        ("Retain Retain", True, [], None),
        ("Retain Retain", True, [SET], []),
        ("Retain Retain", False, [POD, FRIEND], [FRIEND]),
        ("Retain Retain", True, [STRANGER], None),
        ("Retain Delete", True, [], [SET]),
        ("Retain Delete", True, [SET], None),
        ("Retain Delete", False, [], [SET]),
        ("Retain Delete", True, [POD], [SET]),
        ("Retain Delete", True, [FRIEND], [FRIEND, SET]),
        ("Delete Retain", True, [], None),
        ("Delete Retain", True, [SET], []),
        ("Delete Retain", True, [POD], []),
        ("Delete Retain", False, [], [POD]),
        ("Delete Retain", False, [POD], None),
        ("Delete Delete", True, [], [SET]),
        ("Delete Delete", True, [SET], None),
        ("Delete Delete", False, [SET], [POD]),
        ("Delete Delete", False, [POD], None),
        ("Delete Delete", True, [POD], [SET]),
        # an owner that does not control is made to
        ("Retain Delete", True, [{**SET, "controller": False}], [SET]),
        ("Retain Delete", True, [{k: v for k, v in SET.items() if k != "controller"}], [SET]),
        # what somebody else controls is theirs; what is ours beside it goes
        ("Delete Delete", True, [STRANGER], None),
        ("Delete Delete", True, [STRANGER, {**SET, "controller": False}], [STRANGER]),
        # of a set or a pod that was
        ("Delete Delete", True, [{**SET, "uid": "earlier"}], None),
        ("Delete Delete", False, [{**POD, "uid": "earlier"}], None),
    ],
)
def test_a_claim_is_owned_as_the_policy_says(
    policy: str, is_wanted: bool, owners: list[Object], wanted: list[Object] | None
) -> None:
    owner, found = owner_with(policy), claim_of(*owners)
    claims = unsettled(owner, pod(0), 0, is_wanted, {"www-web-0": found}.get)
    assert [owners_of(claim) for claim in claims] == ([] if wanted is None else [wanted])
    # and that settles it
    settled = {"www-web-0": claims[0]} if claims else {"www-web-0": found}
    assert unsettled(owner, pod(0), 0, is_wanted, settled.get) == []


@pytest.mark.parametrize(
    ("policy", "owners", "wanted"),
    [
        ("Delete Retain", [{**POD, "uid": "earlier"}], True),
        ("Delete Retain", [SET], False),
        ("Delete Retain", [], False),
        ("Retain Delete", [{**POD, "uid": "earlier"}], False),
    ],
)
def test_a_claim_of_an_earlier_pod_holds_up_the_next(policy: str, owners: list[Object], wanted: bool) -> None:
    assert is_stale(owner_with(policy), "web-0", 0, {"www-web-0": claim_of(*owners)}.get) is wanted


def test_claims_have_names_labels_and_owners() -> None:
    owner = owner_with("Retain Delete")
    owner["spec"]["volumeClaimTemplates"][0]["metadata"]["labels"] = {"tier": "gold", "app": "other"}
    owner["spec"]["volumeClaimTemplates"][0]["status"] = {"phase": "Pending"}
    (claim,) = make_claims(owner, 3)
    assert claim["metadata"] == {
        "name": "www-web-3",
        "namespace": "default",
        "labels": {"tier": "gold", "app": "web"},
        "ownerReferences": [SET],
    }
    assert "status" not in claim
    assert make_claims(owner_with("Delete Retain"), 3)[0]["metadata"].get("ownerReferences") is None
