"""Carrying out an order to roll back."""

from __future__ import annotations

import pytest

from tests.controllers.bench import running
from tests.controllers.deployment.test_controller import deployment, make_ready, patch, set_image
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.controllers.deployment.controller import Deployments
from wherry.controllers.deployment.rollback import DONE, NOT_FOUND, ROLLBACK_TO, UNCHANGED, plan_rollback
from wherry.controllers.replicas.controller import ReplicaSets
from wherry.objects.meta import Object

KEPT = "deployment.kubernetes.io/revision"


def template(image: str, **labels: str) -> Object:
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [{"image": image}]}}


def replica_set(revision: int, image: str) -> Object:
    return {
        "metadata": {"name": f"web-{revision}", "annotations": {KEPT: str(revision), "team": image}},
        "spec": {"template": template(image, **{"pod-template-hash": str(revision)})},
    }


HISTORY = [replica_set(1, "v1"), replica_set(2, "v2"), replica_set(3, "v3")]


@pytest.mark.parametrize(
    ("history", "revision", "reason", "image", "message"),
    [
        (HISTORY, 1, DONE, "v1", 'Rolled back deployment "web" to revision 1'),
        (HISTORY, 0, DONE, "v2", 'Rolled back deployment "web" to revision 2'),
        (HISTORY, 3, UNCHANGED, "v3",
         'The rollback revision contains the same template as current deployment "web"'),
        (HISTORY, 7, NOT_FOUND, "v3", "Unable to find the revision to rollback to."),
        (HISTORY[2:], 0, NOT_FOUND, "v3", "Unable to find last revision."),
    ],
)  # fmt: skip
def test_plan(history: list[Object], revision: int, reason: str, image: str, message: str) -> None:
    order: Object = {
        "metadata": {"name": "web", "annotations": {ROLLBACK_TO: str(revision), KEPT: "3", "team": "v3"}},
        "spec": {"template": template("v3")},
    }
    plan = plan_rollback(order, history, revision)
    assert (plan.reason, plan.message) == (reason, message)
    assert plan.deployment["spec"]["template"] == template(image)
    assert plan.deployment["metadata"]["annotations"] == {KEPT: "3", "team": image}
    assert ROLLBACK_TO in order["metadata"]["annotations"], "the cached deployment was changed"


async def test_an_ordered_rollback_is_rolled_out() -> None:
    async with running(Deployments, ReplicaSets) as bench:
        await bench.client.create(DEPLOYMENTS, deployment(1))
        await bench.settle()
        await make_ready(bench)
        await patch(bench, set_image("v2"))
        while await make_ready(bench):
            pass
        await patch(bench, {"metadata": {"annotations": {ROLLBACK_TO: "1"}}})
        found = await bench.client.get(DEPLOYMENTS, "web", "default")
        assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "v1"
        assert ROLLBACK_TO not in found["metadata"]["annotations"]
