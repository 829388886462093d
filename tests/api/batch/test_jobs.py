"""Jobs and cron jobs."""

from copy import deepcopy
from typing import Any

import pytest

from tests.api.objects import cells, create, make, update
from wherry.api.batch.cron_jobs import CRON_JOBS
from wherry.api.batch.jobs import JOBS
from wherry.objects.meta import Object

POD = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}


def job(**spec: Any) -> Object:
    template = {"metadata": {"labels": {"x": "y"}}, "spec": dict(POD)}
    return make(JOBS, spec={"template": template, **spec})


def stored(**spec: Any) -> Object:
    obj, errors = create(JOBS, job(**spec))
    assert errors == []
    return obj


def test_defaults_and_generated_selector() -> None:
    obj = stored()
    spec = obj["spec"]
    assert (spec["completions"], spec["parallelism"], spec["backoffLimit"]) == (1, 1, 6)
    assert (spec["completionMode"], spec["suspend"]) == ("NonIndexed", False)
    assert spec["podReplacementPolicy"] == "TerminatingOrFailed"
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    labels = spec["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/job-name"] == labels["job-name"] == "a"
    assert obj["metadata"]["labels"] == {"x": "y"}
    assert obj["metadata"]["generation"] == 1


def test_a_work_queue_has_no_completions() -> None:
    spec = stored(parallelism=3)["spec"]
    assert "completions" not in spec
    assert spec["parallelism"] == 3


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"parallelism": -1}, "spec.parallelism: Invalid value: -1: must be greater than or equal to 0"),
        (
            {"completionMode": "Indexed", "parallelism": 1},
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            {"template": {"spec": {**POD, "restartPolicy": "Always"}}},
            ('spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
        ),
        (
            {"manualSelector": True, "selector": {"matchLabels": {"q": "r"}}},
            (
                'spec.template.metadata.labels: Invalid value: {"x":"y"}: '
                "`selector` does not match template `labels`"
            ),
        ),
    ],
)
def test_refused(spec: dict[str, Any], text: str) -> None:
    assert text in create(JOBS, job(**spec))[1]


def test_what_stays() -> None:
    old = stored()
    new = {**old, "spec": {**old["spec"], "completions": 5, "backoffLimit": 9}}
    assert update(JOBS, old, new)[1] == ["spec.completions: Invalid value: 5: field is immutable"]


STARTED = {"startTime": "2026-01-01T00:01:00Z"}
SUSPENDED = {"conditions": [{"type": "Suspended", "status": "True"}]}
BIGGER = {"resources": {"requests": {"cpu": "2"}}}


@pytest.mark.parametrize(
    ("suspend", "status", "container", "is_taken"),
    [
        (True, {}, BIGGER, True),
        (True, {**STARTED, **SUSPENDED}, BIGGER, True),
        (True, STARTED, BIGGER, False),
        (True, {"active": 1}, BIGGER, False),
        (False, {}, BIGGER, False),
        (True, {}, {"image": "other"}, False),
    ],
)
def test_resources_of_a_job_at_rest_may_change(
    suspend: bool, status: dict[str, Any], container: dict[str, Any], is_taken: bool
) -> None:
    old = {**stored(suspend=suspend), "status": status}
    new = deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0].update(container)
    new["spec"]["template"]["spec"]["nodeSelector"] = {"zone": "a"} if is_taken else {}
    errors = update(JOBS, old, new)[1]
    assert bool(errors) is not is_taken, errors
    assert all(error.startswith("spec.template: Invalid value") for error in errors)


def test_an_empty_failure_policy_is_one() -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    made, errors = create(JOBS, job(podFailurePolicy={}, template=template))
    assert errors == []
    assert made["spec"]["podReplacementPolicy"] == "Failed"


@pytest.mark.parametrize(
    ("status", "status_word", "completions", "duration"),
    [
        ({}, "Running", "0/1", ""),
        ({"startTime": "2026-01-01T00:01:00Z", "active": 1}, "Running", "0/1", "4m"),
        (
            {
                "startTime": "2026-01-01T00:01:00Z",
                "completionTime": "2026-01-01T00:01:09Z",
                "succeeded": 1,
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            "Complete",
            "1/1",
            "9s",
        ),
        ({"conditions": [{"type": "Suspended", "status": "True"}]}, "Suspended", "0/1", ""),
    ],
)
def test_row(status: dict[str, Any], status_word: str, completions: str, duration: str) -> None:
    row = cells(JOBS, {**stored(), "status": status})
    seen = (row["Status"], row["Completions"], row["Duration"])
    assert seen == (status_word, completions, duration)
    assert (row["Containers"], row["Images"]) == ("c", "i")


def cron_job(**spec: Any) -> Object:
    template = {"spec": {"template": {"spec": dict(POD)}}}
    return make(CRON_JOBS, spec={"schedule": "* * * * *", "jobTemplate": template, **spec})


def test_cron_job_defaults_and_row() -> None:
    obj, errors = create(CRON_JOBS, cron_job(timeZone="Etc/UTC"))
    assert errors == []
    spec = obj["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Allow", False)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)
    assert "backoffLimit" not in spec["jobTemplate"]["spec"]
    row = cells(CRON_JOBS, obj)
    assert row["Schedule"] == "* * * * *"
    assert (row["Timezone"], row["Suspend"], row["Last Schedule"]) == ("Etc/UTC", "False", "<none>")


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"schedule": "x"}, "spec.schedule"),
        ({"schedule": "TZ=UTC * * * * *"}, "spec.schedule"),
        ({"timeZone": "Nowhere/Else"}, "spec.timeZone"),
        ({"concurrencyPolicy": "Maybe"}, "spec.concurrencyPolicy"),
        ({"jobTemplate": {}}, "spec.jobTemplate.spec.template"),
    ],
)
def test_cron_jobs_refused(spec: dict[str, Any], field: str) -> None:
    assert any(text.startswith(field) for text in create(CRON_JOBS, cron_job(**spec))[1])


def test_cron_job_names_leave_room() -> None:
    obj = cron_job()
    obj["metadata"]["name"] = "a" * 53
    assert create(CRON_JOBS, obj)[1] == [
        f'metadata.name: Invalid value: "{"a" * 53}": must be no more than 52 characters'
    ]


def test_scheduling_is_off() -> None:
    scheduling: Object = {"schedulingPolicy": {"basic": {}}}
    _, errors = create(JOBS, job(scheduling=scheduling))
    assert errors == ["spec.scheduling: Forbidden"]
    old = stored()
    old["spec"]["scheduling"] = scheduling  # by a server that has it
    assert update(JOBS, old, deepcopy(old))[1] == []
