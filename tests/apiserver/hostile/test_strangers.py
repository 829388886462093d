"""Nothing strangers ask for stays: no metric series, no remembered path or decision."""

from __future__ import annotations

from tests.apiserver.rig import Rig
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.apiserver.authorization import rbac
from wherry.apiserver.cached import Facts
from wherry.apiserver.media_types import parse_accept
from wherry.apiserver.request import parse_path, request_info
from wherry.apiserver.user import User

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


async def test_reviews_of_others_fill_no_memory(rig: Rig) -> None:
    """Whoever writes a review says of whom it is: somebody in groups of megabytes, ever other ones."""
    decisions = rig.server._rbac._decisions
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    asked = {"verb": "get", "resource": "pods", "namespace": "default", "name": "p"}
    await rig.http("POST", path, {"spec": {"user": "u", "groups": ["g"], "resourceAttributes": asked}})
    before = len(decisions)
    assert before > 0
    for number in range(5):
        for large in (
            {"user": "u", "groups": [f"{number}" + "g" * 100_000]},
            {"user": "u", "groups": [f"{number}-{group}" for group in range(2000)]},
            {"user": f"{number}" + "u" * 100_000, "groups": ["g"]},
        ):
            status, answer, _ = await rig.http("POST", path, {"spec": {**large, "resourceAttributes": asked}})
            assert (status, answer["status"]["allowed"]) == (201, False)
    assert len(decisions) == before
    for number in range(100):  # many groups are remembered, but not for ever
        user = User(f"u{number}", tuple(f"{number}-{group}" for group in range(400)))
        rig.server._rbac.decide(user, request_info("GET", "/api/v1/namespaces/default/pods/p", {}))
    assert len(decisions) > before
    assert decisions.bytes >= 100 * 400 * 60
    assert decisions.bytes <= rbac.REMEMBERED_BYTES


def test_long_headers_are_worked_out_each_time() -> None:
    """Of an Accept header of 64 KiB thousands of media types would be kept."""
    for accept, is_kept in (("application/json", True), ("a/b," * 200 + "application/json", False)):
        assert parse_accept(accept) == parse_accept(accept)
        assert (parse_accept(accept) is parse_accept(accept)) is is_kept


def test_many_labels_are_nobody_elses() -> None:
    facts = Facts(CONFIG_MAPS, lambda cached, size: True)
    few, many = ({f"k{number}": "v" for number in range(count)} for count in (3, 100))
    assert facts.shared(few) is facts.shared(dict(few))
    assert facts.shared(many) is many
    assert len(facts._labels) == 1


def test_long_paths_are_worked_out_each_time() -> None:
    path = "/api/v1/namespaces/n/pods/" + "x" * 600
    assert parse_path(path) == parse_path(path)
    assert parse_path(path) is not parse_path(path)
    short = "/api/v1/namespaces/n/pods/p"
    assert parse_path(short) is parse_path(short)
