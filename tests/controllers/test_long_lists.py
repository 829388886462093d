"""Long lists in what controllers read: a look costs what the list weighs, counted at n and 4n.

What is counted are the calls of one look of a controller of its own, whose client and events cost nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.growth.meter import Counted, step_growth
from wherry.api.admissionregistration.type_checks import type_warnings
from wherry.api.catalog import BUILTIN
from wherry.controllers.cronjob.active import Active
from wherry.controllers.cronjob.controller import CronJobs
from wherry.controllers.endpoints.members import ports_for
from wherry.controllers.endpoints.mirrored import mirror, plan_mirror
from wherry.objects.meta import Object

SMALL = 16


class _Silent:
    def event(self, *_args: Any, **_more: Any) -> None:
        """Nothing is kept."""


def _cron_job(size: int) -> Object:
    active = [{"name": f"j{number}", "uid": str(number)} for number in range(size)]
    return {"metadata": {"name": "c", "namespace": "default"}, "spec": {}, "status": {"active": active}}


def _jobs(size: int, uid: int) -> list[Object]:
    """Jobs that ended, of the uids from this on."""
    ended = [{"type": "Complete", "status": "True"}]
    return [
        {"metadata": {"name": f"j{number}", "uid": str(uid + number)}, "status": {"conditions": ended}}
        for number in range(size)
    ]


def _cron_jobs() -> CronJobs:
    controller = CronJobs.__new__(CronJobs)
    controller.events = _Silent()  # type: ignore[assignment]
    return controller


def test_active_jobs_that_are_not_there() -> None:
    def look(cron_job: Object) -> None:
        active = Active(cron_job["status"])
        asyncio.run(_cron_jobs()._miss(cron_job, active, set()))
        assert active.listed() == []

    assert not step_growth(look, _cron_job, SMALL * 8)


def test_active_jobs_that_ended() -> None:
    def look(cron_job: Object) -> None:
        active = Active(cron_job["status"])
        asyncio.run(_cron_jobs()._follow(cron_job, active, _jobs(len(active.listed()), 0)))
        assert active.listed() == []

    assert not step_growth(look, _cron_job, SMALL * 8)


def _endpoints(size: int) -> Object:
    addresses = [{"ip": f"10.0.{number // 250}.{number % 250}"} for number in range(size)]
    ports = [{"name": f"p{number}", "port": number + 1} for number in range(size)]
    meta = {"name": "db", "namespace": "default", "uid": "u"}
    return {"metadata": meta, "subsets": [{"addresses": addresses, "ports": ports}]}


async def _mirrored(endpoints: Object) -> None:
    made = await mirror(endpoints)
    plan = await plan_mirror(endpoints, made, ())
    again = await plan_mirror(endpoints, made, plan.create)
    assert (len(plan.create), again.create, again.update, again.delete) == (1, [], [], [])


def test_addresses_and_ports_of_endpoints() -> None:
    assert not step_growth(lambda endpoints: asyncio.run(_mirrored(endpoints)), _endpoints, SMALL * 2)


def _served(size: int) -> tuple[Object, Object]:
    named = [Counted(f"p{number}") for number in range(size)]
    containers = [{"ports": [{"name": name, "containerPort": 80}]} for name in named]
    ports = [{"port": number + 1, "targetPort": str(name)} for number, name in enumerate(named)]
    return {"spec": {"ports": ports}}, {"spec": {"containers": containers}}


def test_named_ports_of_services_and_pods() -> None:
    assert len(ports_for(*_served(3))) == 3
    assert not step_growth(lambda pair: ports_for(*pair), _served, SMALL)


def _policy(size: int) -> Object:
    rule = {
        field: [*(Counted(f"{field}{number}") for number in range(size)), known]
        for field, known in (("apiGroups", "apps"), ("apiVersions", "v1"), ("resources", "deployments"))
    }
    validations = [{"expression": "object.none"}]
    return {"spec": {"matchConstraints": {"resourceRules": [rule]}, "validations": validations}}


def test_rules_of_policies_name_no_product_of_their_lists() -> None:
    """Millions of millions of places, were they all made."""
    (warning,) = type_warnings(_policy(3), BUILTIN)
    assert warning["warning"].startswith("apps/v1, Kind=Deployment: ")
    assert not step_growth(lambda policy: type_warnings(policy, BUILTIN), _policy, SMALL)


def test_a_status_without_change_is_left_as_it_is() -> None:
    status: Object = {"active": [{"name": "a"}, {"name": "b", "uid": "u"}, {"name": "c", "uid": "u"}]}
    active, written = Active(status), dict[str, Any]()
    active.write(written)
    assert written == {}
    active.forget("")  # what has no uid is found by that
    active.add({"name": "d", "uid": "v"})
    active.write(written)
    assert [one["name"] for one in written["active"]] == ["b", "c", "d"]
    assert "u" in active
    assert "" not in active
