"""Jobs go so many seconds after their end, and not before."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.controllers import samples
from tests.controllers.bench import running
from wherry.api.batch.jobs import JOBS
from wherry.controllers.ttl_after_finished import TtlAfterFinished, left_s
from wherry.objects.meta import Object


def job(ttl_s: int | None = 60, ending: str = "Complete", status: str = "True", **meta: Any) -> Object:
    condition = {"type": ending, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    made = samples.job()
    if ttl_s is not None:
        made["spec"]["ttlSecondsAfterFinished"] = ttl_s
    made["metadata"] |= meta
    return {**made, "status": {"conditions": [condition]}}


def ended() -> Object:
    """One that came to its end as the server would have it."""
    now = "2026-01-01T00:00:00Z"
    done = job()
    before = {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now}
    done["status"] |= {"startTime": now, "completionTime": now}
    done["status"]["conditions"].insert(0, before)
    return done


@pytest.mark.parametrize(
    ("a_job", "left"),
    [
        (job(), 50),
        (job(ending="Failed"), 50),
        (job(0), -10),
        (job(2**31 - 1), 2**31 - 11),
        (job(None), None),
        (job(status="False"), None),
        (job(ending="SuccessCriteriaMet"), None),
        (job(deletionTimestamp="2026-01-01T00:00:05Z"), None),
    ],
)
def test_how_long_it_has_left(a_job: Object, left: float | None) -> None:
    assert left_s(a_job, datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)) == left


async def test_it_goes_when_its_time_is_over_with_its_pods() -> None:
    async with running(TtlAfterFinished, before=[(JOBS, ended())]) as bench:
        await bench.clock.advance(59)
        assert bench.requests.writes("DELETE") == []
        await bench.clock.advance(2)
        (deletion,) = bench.requests.writes("DELETE")
        assert isinstance(deletion.body, dict)
        assert deletion.body["propagationPolicy"] == "Foreground"
        assert deletion.body["preconditions"]["uid"]


async def test_a_time_made_longer_meanwhile_is_heeded() -> None:
    async with running(TtlAfterFinished, before=[(JOBS, ended())]) as bench:
        await bench.clock.advance(30)
        await bench.client.patch(JOBS, "j", "default", {"spec": {"ttlSecondsAfterFinished": 100}})
        await bench.clock.advance(60)
        assert bench.requests.writes("DELETE") == []
        await bench.clock.advance(11)
        assert len(bench.requests.writes("DELETE")) == 1
