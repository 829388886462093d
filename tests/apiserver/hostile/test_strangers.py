"""Nothing strangers ask for stays: no metric series, no remembered path or decision."""

from __future__ import annotations

from tests.apiserver.rig import Rig
from wherry.apiserver.request import parse_path

COUNT = 400


async def series(rig: Rig) -> int:
    _, text, _ = await rig.http("GET", "/metrics")
    return len(text.splitlines())


async def test_what_is_not_served_is_counted_without_a_name(rig: Rig) -> None:
    await rig.http("GET", "/apis/none.example/v1/nothing", token="")
    await rig.http("GET", "/apis/none.example/v1/nothing", token="nonsense")
    await rig.http("GET", "/apis/none.example/v1/nothing")
    await rig.http("GET", "/api/v1/namespaces/default/pods/p/odd")
    await rig.http("GET", "/metrics")
    before = await series(rig), len(rig.server.metrics.series)
    for number in range(COUNT):
        path = f"/apis/g{number}.example/v{number}/r{number}"
        for token in ("", "nonsense", "admin-token"):
            await rig.http("GET", path, token=token)
        await rig.http("GET", f"/api/v1/namespaces/default/pods/p/odd-{number}")
    assert (await series(rig), len(rig.server.metrics.series)) == before
    assert not any("example" in key.group for key in rig.server.metrics.series)


async def test_methods_nobody_knows_are_one(rig: Rig) -> None:
    for method in ("BREW", "PROPFIND", "PURGE"):
        await rig.http(method, "/api/v1/namespaces")
    verbs = {key.verb for key in rig.server.metrics.series}
    assert not verbs & {"BREW", "PROPFIND", "PURGE"}


async def test_no_decision_about_strangers_or_long_texts_is_remembered(rig: Rig) -> None:
    decisions = rig.server._rbac._decisions
    await rig.http("GET", "/api/v1/namespaces/default/pods/p", token="alice-token")
    known = len(decisions)
    assert known > 0
    for number in range(20):
        await rig.http("GET", f"/api/v1/namespaces/n{number}/pods/p", token="")
        await rig.http("GET", f"/api/v1/namespaces/n{number}/pods/{'x' * 1100}", token="alice-token")
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {
                "resourceAttributes": {"verb": "get", "resource": "pods", "name": f"{number}" + "x" * 2000}
            },
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        await rig.http("POST", path, review, token="alice-token")
    assert len(decisions) <= known + 1, "the right to review, once"


def test_long_paths_are_worked_out_each_time() -> None:
    path = "/api/v1/namespaces/n/pods/" + "x" * 600
    assert parse_path(path) == parse_path(path)
    assert parse_path(path) is not parse_path(path)
    short = "/api/v1/namespaces/n/pods/p"
    assert parse_path(short) is parse_path(short)
