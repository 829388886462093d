"""Jobs beside an API server: pods, counters, conditions and events, as they come and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import Bench, running
from wherry.api.batch.jobs import JOBS
from wherry.api.core.pods import PODS
from wherry.controllers.job.controller import Jobs
from wherry.controllers.job.facts import FINALIZER, INDEX
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object, annotations_of, controller_of, format_time, metadata, name_of

MANY = 250


def job(name: str = "j", **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "parallelism": 1,
            "completions": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "template": {"spec": samples.pod_spec(restartPolicy="Never")},
            **spec,
        },
    }


async def end(bench: Bench, pod: Object, phase: str = "Succeeded", code: int = 0) -> None:
    state = {"terminated": {"exitCode": code, "finishedAt": format_time(bench.clock.now())}}
    await bench.set_status(PODS, pod, phase=phase, containerStatuses=[{"name": "c", "state": state}])
    await bench.settle()


async def live(bench: Bench) -> list[Object]:
    return [
        p
        for p in await bench.all(PODS)
        if (p.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


async def status_of(bench: Bench, name: str = "j") -> Object:
    found: Object = (await bench.get(JOBS, name))["status"]
    return found


def conditions(status: Object) -> list[str]:
    return [f"{c['type']}={c['status']} {c.get('reason', '')}" for c in status.get("conditions") or ()]


async def test_one_pod_that_succeeds() -> None:
    async with running(Jobs) as bench:
        made = await bench.create(JOBS, job())
        (pod,) = await bench.all(PODS)
        assert metadata(pod)["finalizers"] == [FINALIZER]
        assert controller_of(pod) == {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": "j",
            "uid": made["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        assert await status_of(bench) == {
            "startTime": "2026-01-01T00:00:00Z",
            "active": 1,
            "ready": 0,
            "terminating": 0,
            "uncountedTerminatedPods": {},
        }
        await end(bench, pod)
        status = await status_of(bench)
        assert (status["succeeded"], status.get("active"), status["uncountedTerminatedPods"]) == (1, None, {})
        assert conditions(status) == [
            "SuccessCriteriaMet=True CompletionsReached",
            "Complete=True CompletionsReached",
        ]
        assert status["conditions"][1]["message"] == "Reached expected number of succeeded pods"
        assert status["completionTime"] == status["conditions"][1]["lastTransitionTime"]
        (pod,) = await bench.all(PODS)
        assert not metadata(pod).get("finalizers")
        assert bench.events() == [
            f"SuccessfulCreate: Created pod: {name_of(pod)}",
            "Completed: Job completed",
        ]


async def test_the_uids_are_noted_before_the_finalizer_goes_and_counted_after() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(completions=2))
        (pod,) = await bench.all(PODS)
        bench.requests.calls.clear()
        await end(bench, pod)
        written = [_told(call, name_of(pod)) for call in bench.requests.writes()]
        uid = metadata(pod)["uid"]
        assert [one for one in written if one][1:4] == [
            f"status ['{uid}'] None",
            "finalizer",
            "status [] 1",
        ]


def _told(call: Any, pod: str) -> str:
    """A write in a word, "" for those of events and of the test itself."""
    if call.path.endswith("/jobs/j/status"):
        status = call.body["status"]
        return f"status {status['uncountedTerminatedPods'].get('succeeded', [])} {status.get('succeeded')}"
    if call.path.endswith(f"/pods/{pod}") and call.method == "PATCH":
        return "finalizer"
    return "pod" if call.method == "POST" and call.path.endswith("/pods") else ""


async def test_a_failed_pod_is_replaced_after_a_wait_that_doubles() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job())
        for wait_s in (10, 20, 40):
            (pod,) = await live(bench)
            await end(bench, pod, "Failed", 1)
            await bench.clock.advance(wait_s - 2)
            assert await live(bench) == []
            await bench.clock.advance(3)
            await bench.settle()
            assert len(await live(bench)) == 1
        assert (await status_of(bench))["failed"] == 3


async def test_too_many_failures_end_the_job() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(backoffLimit=0, parallelism=2, completions=2))
        first, second = await bench.all(PODS)
        await end(bench, first, "Failed", 1)
        status = await status_of(bench)
        assert conditions(status) == [
            "FailureTarget=True BackoffLimitExceeded",
            "Failed=True BackoffLimitExceeded",
        ]
        assert (status["failed"], status.get("active"), status["terminating"]) == (2, None, 0)
        assert [name_of(p) for p in await bench.all(PODS)] == [name_of(first)]
        assert bench.events()[-2:] == [
            f"SuccessfulDelete: Deleted pod: {name_of(second)}",
            "BackoffLimitExceeded: Job has reached the specified backoff limit",
        ]


async def test_a_job_is_failed_only_once_its_pods_are_gone() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(activeDeadlineSeconds=30))
        (pod,) = await bench.all(PODS)
        held = {"metadata": {"finalizers": [FINALIZER, "example.com/kubelet"]}}
        await bench.client.patch(PODS, name_of(pod), "default", held)
        await bench.clock.advance(31)
        await bench.settle()
        status = await status_of(bench)
        assert conditions(status) == ["FailureTarget=True DeadlineExceeded"]
        assert status["terminating"] == 1
        await bench.client.patch(PODS, name_of(pod), "default", {"metadata": {"finalizers": None}})
        await bench.settle()
        status = await status_of(bench)
        assert conditions(status)[1:] == ["Failed=True DeadlineExceeded"]
        assert (status["failed"], status["terminating"]) == (1, 0)
        assert bench.events()[-1] == "DeadlineExceeded: Job was active longer than specified deadline"


async def test_a_work_queue_is_done_when_one_succeeded_and_all_have_ended() -> None:
    async with running(Jobs) as bench:
        spec = job(parallelism=3)
        del spec["spec"]["completions"]
        await bench.create(JOBS, spec)
        one, two, three = await bench.all(PODS)
        await end(bench, one)
        await end(bench, two, "Failed", 1)
        assert conditions(await status_of(bench)) == []
        assert len(await live(bench)) == 1
        await end(bench, three)
        status = await status_of(bench)
        assert conditions(status)[-1] == "Complete=True CompletionsReached"
        assert (status["succeeded"], status["failed"]) == (2, 1)


async def test_indexes_that_failed_too_often_fail_the_job_in_the_end() -> None:
    async with running(Jobs) as bench:
        spec: Object = {
            "completionMode": "Indexed",
            "completions": 2,
            "parallelism": 2,
            "backoffLimitPerIndex": 1,
        }
        await bench.create(JOBS, job(**spec, backoffLimit=2**31 - 1))
        for _ in range(2):
            (pod,) = [p for p in await live(bench) if annotations_of(p)[INDEX] == "0"]
            await end(bench, pod, "Failed", 1)
            await bench.clock.advance(30)
            await bench.settle()
        assert (await status_of(bench))["failedIndexes"] == "0"
        (pod,) = await live(bench)
        assert metadata(pod)["generateName"] == "j-1-"
        await end(bench, pod)
        status = await status_of(bench)
        assert (status["completedIndexes"], status["failedIndexes"]) == ("1", "0")
        assert (status["succeeded"], status["failed"]) == (1, 2)
        assert conditions(status) == ["FailureTarget=True FailedIndexes", "Failed=True FailedIndexes"]
        assert "FailedIndexes: Job has failed indexes" in bench.events()


async def test_a_success_policy_ends_the_others_without_counting_them() -> None:
    async with running(Jobs) as bench:
        policy = {"rules": [{"succeededIndexes": "0"}]}
        spec: Object = {
            "completionMode": "Indexed",
            "completions": 3,
            "parallelism": 3,
            "successPolicy": policy,
        }
        await bench.create(JOBS, job(**spec))
        (leader,) = [p for p in await bench.all(PODS) if annotations_of(p)[INDEX] == "0"]
        await end(bench, leader)
        status = await status_of(bench)
        assert conditions(status) == ["SuccessCriteriaMet=True SuccessPolicy", "Complete=True SuccessPolicy"]
        assert (status["succeeded"], status.get("failed"), status["completedIndexes"]) == (1, None, "0")
        assert len(await bench.all(PODS)) == 1


async def test_suspending_ends_pods_and_resuming_begins_anew() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(activeDeadlineSeconds=100))
        await bench.clock.advance(60)
        await bench.client.patch(JOBS, "j", "default", {"spec": {"suspend": True}})
        await bench.settle()
        assert await bench.all(PODS) == []
        status = await status_of(bench)
        assert conditions(status) == ["Suspended=True JobSuspended"]
        assert "startTime" not in status
        assert status.get("failed") is None
        await bench.clock.advance(600)
        await bench.client.patch(JOBS, "j", "default", {"spec": {"suspend": False}})
        await bench.settle()
        status = await status_of(bench)
        assert conditions(status) == ["Suspended=False JobResumed"]
        assert status["startTime"] == "2026-01-01T00:11:00Z"
        assert len(await live(bench)) == 1
        await bench.clock.advance(60)
        assert conditions(await status_of(bench)) == ["Suspended=False JobResumed"]
        assert [e for e in bench.events() if "Job " in e] == [
            "Suspended: Job suspended",
            "Resumed: Job resumed",
        ]


async def test_another_controllers_job_is_left_alone() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(managedBy="example.com/other"))
        assert await bench.all(PODS) == []
        assert "status" not in await bench.get(JOBS, "j")
        await bench.create(JOBS, job("mine", managedBy="kubernetes.io/job-controller"))
        assert len(await bench.all(PODS)) == 1


async def test_pods_of_a_job_that_went_lose_their_finalizer() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(parallelism=3, completions=3))
        await bench.client.delete(JOBS, "j", "default")
        await bench.settle()
        pods = await bench.all(PODS)
        assert len(pods) == 3
        assert all(not metadata(pod).get("finalizers") for pod in pods)


@pytest.mark.parametrize("owner", [None, {"apiVersion": "batch/v1", "kind": "Job", "name": "gone"}])
async def test_a_pod_nobody_counts_loses_its_finalizer(owner: Object | None) -> None:
    owners = [] if owner is None else [{**owner, "uid": "before", "controller": True}]
    pod = samples.pod("p", finalizers=[FINALIZER], ownerReferences=owners)
    async with running(Jobs, before=[(PODS, pod)]) as bench:
        assert not metadata(await bench.get(PODS, "p")).get("finalizers")


async def test_a_pod_of_somebody_elses_keeps_it() -> None:
    theirs = {"apiVersion": "example.com/v1", "kind": "Job", "name": "j", "uid": "y", "controller": True}
    pod = samples.pod("p", finalizers=[FINALIZER], ownerReferences=[theirs])
    async with running(Jobs, before=[(PODS, pod)]) as bench:
        assert metadata(await bench.get(PODS, "p"))["finalizers"] == [FINALIZER]


@pytest.mark.parametrize("labels", [{"batch.kubernetes.io/controller-uid": "mine"}, {"app": "a"}])
@pytest.mark.parametrize("is_first", [True, False])
async def test_a_matching_orphan_is_adopted_and_counted(labels: dict[str, str], is_first: bool) -> None:
    template = samples.template(labels, restartPolicy="Never")
    spec = job(manualSelector=True, selector={"matchLabels": labels}, template=template)
    orphan = samples.pod("o", labels=labels if is_first else {})
    async with running(Jobs, before=[(PODS, orphan)]) as bench:
        quota = ApiError(403, "Forbidden", "exceeded quota")
        bench.requests.refuse = lambda call: quota if call.method == "POST" and "/pods" in call.path else None
        made = await bench.create(JOBS, spec)
        await bench.client.patch(PODS, "o", "default", {"metadata": {"labels": labels}})
        await bench.settle()
        (pod,) = await bench.all(PODS)
        assert controller_of(pod)["uid"] == made["metadata"]["uid"]  # type: ignore[index]
        assert metadata(pod)["finalizers"] == [FINALIZER]
        await end(bench, pod)
        assert (await status_of(bench))["succeeded"] == 1


async def test_a_pod_that_no_longer_matches_is_let_go_with_its_finalizer() -> None:
    async with running(Jobs) as bench:
        await bench.create(JOBS, job())
        (pod,) = await bench.all(PODS)
        labels = {"metadata": {"labels": {"batch.kubernetes.io/controller-uid": "other"}}}
        await bench.client.patch(PODS, name_of(pod), "default", labels)
        await bench.settle()
        pod = await bench.get(PODS, name_of(pod))
        assert controller_of(pod) is None
        assert not metadata(pod).get("finalizers")
        assert len(await bench.all(PODS)) == 2


async def test_under_a_quota_an_absurd_parallelism_is_a_few_refusals() -> None:
    async with running(Jobs) as bench:
        quota = ApiError(403, "Forbidden", 'pods "j-" is forbidden: exceeded quota')
        made: list[str] = []

        def refuse(call: Any) -> Exception | None:
            if call.method != "POST" or not call.path.endswith("/pods"):
                return None
            made.append(call.path)
            return quota if len(made) > 10 else None

        bench.requests.refuse = refuse
        await bench.create(JOBS, job(parallelism=2**31 - 1, completions=2**31 - 1))
        assert len(await bench.all(PODS)) == 10
        assert (await status_of(bench))["active"] == 10
        assert f"FailedCreate: Error creating: {quota.message}" in bench.events()
        asked = len(made)
        assert asked < 20
        await bench.clock.advance(600)
        assert len(made) - asked < 30  # with a wait of a minute at most between two tries
        bench.requests.refuse = lambda call: None


async def test_a_conflict_at_any_write_ends_the_same() -> None:
    for nth in range(1, 12):
        async with running(Jobs) as bench:
            left = [nth]

            def refuse(call: Any, left: list[int] = left) -> Exception | None:
                if (
                    call.method == "GET"
                    or "/events" in call.path
                    or ("/pods/" in call.path and "/status" in call.path)
                ):
                    return None
                left[0] -= 1
                return ApiError(409, "Conflict", "changed meanwhile") if left[0] == 0 else None

            await bench.create(JOBS, job(completions=2, backoffLimit=3))
            bench.requests.refuse = refuse
            for phase in ("Failed", "Succeeded", "Succeeded"):
                await bench.clock.advance(25)
                await bench.settle()
                (pod,) = await live(bench)
                await end(bench, pod, phase, int(phase == "Failed"))
                await bench.clock.advance(5)
                await bench.settle()
            status = await status_of(bench)
            assert (status["succeeded"], status["failed"]) == (2, 1), nth
            assert conditions(status)[-1] == "Complete=True CompletionsReached", nth


async def test_many_pods_are_not_gone_through_at_each_event() -> None:
    async with running(Jobs) as bench:
        (controller,) = bench.controllers.controllers
        syncs = []
        sync = controller.sync

        async def counted(key: str) -> float | None:
            syncs.append(key)
            return await sync(key)

        controller.sync = counted  # type: ignore[method-assign]
        await bench.create(JOBS, job(parallelism=MANY, completions=MANY))
        await bench.clock.advance(3)
        assert len(await bench.all(PODS)) == MANY
        syncs.clear()
        for pod in await bench.all(PODS):
            await bench.set_status(PODS, pod, phase="Succeeded")
        await bench.clock.advance(5)
        await bench.settle()
        status = await status_of(bench)
        assert status["succeeded"] == MANY
        assert conditions(status)[-1] == "Complete=True CompletionsReached"
        assert len([key for key in syncs if key == "default/j"]) < 15


async def test_a_pod_is_not_counted_again_when_the_cache_is_behind_for_long() -> None:
    """After five minutes the cache is believed as it is; what was counted is known all the same."""
    async with running(Jobs) as bench:
        await bench.create(JOBS, job(completions=3, parallelism=1))
        (controller,) = bench.controllers.controllers
        (pod,) = await bench.all(PODS)
        watched = controller.cache.informer(PODS).shelf
        put = watched.put

        def late(obj: Object) -> None:
            """The watch of pods says nothing any more of finalizers that went."""
            if metadata(obj).get("finalizers") or name_of(obj) != name_of(pod):
                put(obj)

        watched.put = late  # type: ignore[method-assign]
        await end(bench, pod)
        for _ in range(4):
            controller.queue.add("default/j")
            await bench.clock.advance(400)
            await bench.settle()
        status = await status_of(bench)
        assert (status["succeeded"], status["uncountedTerminatedPods"]) == (1, {})
