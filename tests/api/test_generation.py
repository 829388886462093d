"""What counts as a change of what is wanted, and what does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apiserver.rig import running
from wherry.api.apps.daemon_sets import DAEMON_SETS
from wherry.api.apps.deployments import DEPLOYMENTS
from wherry.api.apps.stateful_sets import STATEFUL_SETS
from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.generation import ABOUT, count_generation
from wherry.api.resource import Resource
from wherry.objects.meta import Object


@pytest.mark.parametrize(
    ("new", "old", "generation"),
    [
        ({"spec": 1}, None, 1),
        ({"spec": 2}, {"metadata": {"generation": 4}, "spec": 1}, 5),
        ({"spec": 1}, {"metadata": {"generation": 4}, "spec": 1}, 4),
        ({"spec": 1, "status": 2}, {"metadata": {"generation": 4}, "spec": 1, "status": 1}, 4),
        ({"data": 1}, {"metadata": {"generation": 1}}, 2),
    ],
)
def test_the_generation_counts_changes(new: Object, old: Object | None, generation: int) -> None:
    count_generation(new, old)
    assert new["metadata"]["generation"] == generation


def test_some_fields_alone_may_count() -> None:
    old: Object = {"metadata": {"generation": 1, "annotations": {}}, "spec": 1, "status": 1}
    new: Object = {"metadata": {"annotations": {"a": ""}}, "spec": 1, "status": 2}
    count_generation(new, old, ("spec",))
    assert new["metadata"]["generation"] == 1
    count_generation(new, old, ("spec", "metadata.annotations"))
    assert new["metadata"]["generation"] == 2
    count_generation(new, old, apart=ABOUT)
    assert new["metadata"]["generation"] == 2


TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "c", "image": "i"}]},
}
SELECTED: dict[str, Any] = {"selector": {"matchLabels": {"app": "a"}}, "template": TEMPLATE}
JOB: dict[str, Any] = {
    "schedule": "@daily",
    "jobTemplate": {
        "spec": {
            "template": {"spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}}
        }
    },
}


@pytest.mark.parametrize(
    ("resource", "spec", "path"),
    [
        (DEPLOYMENTS, SELECTED, ("template",)),
        (DAEMON_SETS, SELECTED, ("template",)),
        (STATEFUL_SETS, SELECTED, ("template",)),
        (CRON_JOBS, JOB, ("jobTemplate", "spec", "template")),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
async def test_a_write_that_says_nothing_new_is_none(
    resource: Resource, spec: dict[str, Any], path: tuple[str, ...]
) -> None:
    async with running() as rig:
        made = await rig.admin.create(
            resource, {"metadata": {"name": "a", "namespace": "default"}, "spec": spec}
        )
        again = json.loads(json.dumps(made))
        again["metadata"] |= {"labels": {}, "finalizers": [], "generateName": ""}
        template = again["spec"]
        for step in path:
            template = template[step]
        template["metadata"] = {
            **(template.get("metadata") or {}),
            "creationTimestamp": None,
            "annotations": {},
        }
        template["spec"] |= {"hostNetwork": False, "volumes": [], "nodeName": "", "nodeSelector": {}}
        template["spec"]["containers"][0] |= {"tty": False, "command": [], "workingDir": ""}
        assert await rig.admin.update(resource, again) == made
