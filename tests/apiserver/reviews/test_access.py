"""Asking what somebody may do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.apiserver.rig import Rig, account
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.apiserver.reviews import access
from wherry.objects.meta import Object

ROOT = "/apis/authorization.k8s.io/v1"
LIST_PODS = {"verb": "list", "resource": "pods", "namespace": "default"}


@pytest.mark.parametrize(
    ("path", "spec", "token", "allowed"),
    [
        ("selfsubjectaccessreviews", {"resourceAttributes": LIST_PODS}, "admin-token", True),
        ("selfsubjectaccessreviews", {"resourceAttributes": LIST_PODS}, "alice-token", False),
        ("selfsubjectaccessreviews", {"nonResourceAttributes": {"verb": "get", "path": "/version"}},
         "alice-token", True),
        ("subjectaccessreviews", {"user": "x", "groups": ["system:masters"], "resourceAttributes": LIST_PODS},
         "admin-token", True),
        ("subjectaccessreviews", {"user": "x", "resourceAttributes": LIST_PODS}, "admin-token", False),
        ("namespaces/default/localsubjectaccessreviews", {"user": "x", "resourceAttributes": LIST_PODS},
         "admin-token", False),
    ],
)  # fmt: skip
async def test_reviews(rig: Rig, path: str, spec: dict[str, Any], token: str, allowed: bool) -> None:
    status, answer, _ = await rig.http("POST", f"{ROOT}/{path}", {"spec": spec}, token=token)
    assert status == 201
    assert answer["status"]["allowed"] is allowed


@pytest.mark.parametrize(
    ("path", "spec", "code"),
    [
        ("subjectaccessreviews", {"resourceAttributes": LIST_PODS}, 422),
        ("subjectaccessreviews", {"user": "x"}, 422),
        ("namespaces/kube-system/localsubjectaccessreviews",
         {"user": "x", "resourceAttributes": LIST_PODS}, 422),
        ("selfsubjectrulesreviews", {}, 400),
    ],
)  # fmt: skip
async def test_reviews_that_make_no_sense(rig: Rig, path: str, spec: dict[str, Any], code: int) -> None:
    status, _, _ = await rig.http("POST", f"{ROOT}/{path}", {"spec": spec})
    assert status == code


async def test_not_everybody_may_ask_about_others(rig: Rig) -> None:
    spec = {"user": "x", "resourceAttributes": LIST_PODS}
    status, _, _ = await rig.http("POST", f"{ROOT}/subjectaccessreviews", {"spec": spec}, token="alice-token")
    assert status == 403


async def test_a_static_token_serves_nobody_else(rig: Rig) -> None:
    """It names no audience: another service that is shown one must not take it for its own."""
    path = "/apis/authentication.k8s.io/v1/tokenreviews"
    spec: dict[str, Any] = {"token": "alice-token", "audiences": ["vault"]}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    _, answer, _ = await rig.http("POST", path, body)
    assert not answer["status"].get("authenticated")
    own = "https://kubernetes.default.svc.cluster.local"
    spec["audiences"] = ["vault", own]
    _, answer, _ = await rig.http("POST", path, body)
    assert (answer["status"]["authenticated"], answer["status"]["audiences"]) == (True, [own])


async def test_rules_of_the_caller(rig: Rig) -> None:
    _, answer, _ = await rig.http(
        "POST", f"{ROOT}/selfsubjectrulesreviews", {"spec": {"namespace": "default"}}, token="alice-token"
    )
    rules = answer["status"]["resourceRules"]
    assert any("selfsubjectreviews" in rule["resources"] for rule in rules)
    assert any("/version" in rule["nonResourceURLs"] for rule in answer["status"]["nonResourceRules"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {"spec": {"nonResourceAttributes": {}}}),
        ("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}),
        ("/api/v1/namespaces/default/serviceaccounts/a/token", {"spec": {}}),
    ],
)
async def test_a_review_is_no_table(rig: Rig, path: str, body: Object) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account(name="a"))
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    status, answer, _ = await rig.http("POST", path, body, headers={"Accept": table})
    assert (status, answer["reason"]) == (406, "NotAcceptable")
    status, answer, _ = await rig.http("POST", path, body, headers={"Accept": f"{table},application/json"})
    assert (status, answer["kind"]) != (406, "Status")


async def test_an_answer_tells_so_many_rules_and_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"spec": {"namespace": "default"}}
    path = f"{ROOT}/selfsubjectrulesreviews"
    status = (await rig.http("POST", path, body, token="alice-token"))[1]["status"]
    assert status["incomplete"] is False
    assert "evaluationError" not in status
    every = [*status["resourceRules"], *status["nonResourceRules"]]
    monkeypatch.setattr(access, "MOST_TOLD_BYTES", len(orjson.dumps(every)) // 2)
    some = (await rig.http("POST", path, body, token="alice-token"))[1]["status"]
    assert some["incomplete"] is True
    assert "not all of them are told" in some["evaluationError"]
    told = [*some["resourceRules"], *some["nonResourceRules"]]
    assert 0 < len(told) < len(every)
    assert all(rule in every for rule in told)
