"""Endpoints and EndpointSlices: which pods are behind a service, and how few writes that takes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controllers.bench import Bench, running
from wherry.api.core.endpoints import ENDPOINTS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.api.core.services import SERVICES
from wherry.api.discovery.endpoint_slices import ENDPOINT_SLICES
from wherry.controllers.endpoints.endpoints import EndpointsController, plan_subsets, truncate
from wherry.controllers.endpoints.members import ports_for
from wherry.controllers.endpoints.slice_controller import EndpointSlices
from wherry.controllers.endpoints.slices import plan_slices
from wherry.controllers.endpoints.trigger_times import TRIGGER_TIME, TriggerTimes
from wherry.kit.portions import Portions
from wherry.objects.meta import Object, name_of, uid_of


def service(**spec: Any) -> Object:
    return {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "uid": "s", "labels": {"tier": "front"}},
        "spec": {
            "clusterIP": "10.96.0.9",
            "ipFamilies": ["IPv4"],
            "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}],
            **spec,
        },
    }


def pod(number: int, ready: bool = True, port: int = 8080, **meta: Any) -> Object:
    ip = f"10.1.{number // 250}.{number % 250 + 1}"
    return {
        "metadata": {
            "name": f"web-{number:03d}",
            "namespace": "default",
            "uid": f"u{number:03d}",
            "labels": {"app": "web"},
            **meta,
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "c", "image": "i", "ports": [{"name": "http", "containerPort": port}]},
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


PORT = {"name": "http", "port": 8080, "protocol": "TCP"}


def reference(number: int, uid: str = "") -> dict[str, str]:
    """What points to a pod: one of `pod`, unless a server gave it another uid."""
    uid = uid or f"u{number:03d}"
    return {"kind": "Pod", "namespace": "default", "name": f"web-{number:03d}", "uid": uid}


async def test_subsets_tell_ready_pods_from_others() -> None:
    gone = pod(3, deletionTimestamp="2026-01-01T00:00:00Z")
    no_ip = pod(4)
    no_ip["status"] = {"phase": "Pending"}
    ended = pod(5)
    ended["status"]["phase"] = "Succeeded"
    assert await plan_subsets(service(), [pod(1), pod(2, ready=False), gone, no_ip, ended]) == [
        {
            "addresses": [{"ip": "10.1.0.2", "nodeName": "n1", "targetRef": reference(1)}],
            "notReadyAddresses": [{"ip": "10.1.0.3", "nodeName": "n1", "targetRef": reference(2)}],
            "ports": [PORT],
        }
    ]


async def test_pods_with_other_port_numbers_form_another_subset() -> None:
    subsets = await plan_subsets(service(), [pod(1), pod(2, port=9090)])
    assert [(s["ports"][0]["port"], len(s["addresses"])) for s in subsets] == [(8080, 1), (9090, 1)]


async def test_publishing_unready_addresses_makes_all_ready() -> None:
    deleting = pod(2, ready=False, deletionTimestamp="2026-01-01T00:00:00Z")
    (subset,) = await plan_subsets(service(publishNotReadyAddresses=True), [pod(1, ready=False), deleting])
    assert len(subset["addresses"]) == 2
    assert "notReadyAddresses" not in subset


async def test_a_headless_service_needs_no_ports() -> None:
    (subset,) = await plan_subsets(service(clusterIP="None", ports=[]), [pod(1)])
    assert "ports" not in subset
    assert await plan_subsets(service(ports=[]), [pod(1)]) == []


@pytest.mark.parametrize(
    ("target", "expected"),
    [("http", 8080), (9, 9), (None, 80), ("nope", None), ("side", 1), ("init", None)],
)
def test_target_ports(target: str | int | None, expected: int | None) -> None:
    served = pod(1)
    served["spec"]["initContainers"] = [
        {"restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 1}]},
        {"ports": [{"name": "init", "containerPort": 2}]},
    ]
    ports = ports_for(service(ports=[{"port": 80, "targetPort": target}]), served)
    assert [p["port"] for p in ports] == ([] if expected is None else [expected])


async def test_too_many_addresses_are_cut_unready_ones_first() -> None:
    subsets = await plan_subsets(service(), [pod(1), pod(2), pod(3, ready=False)])
    assert truncate(subsets, capacity=2)
    assert len(subsets[0]["addresses"]) == 2
    assert "notReadyAddresses" not in subsets[0]
    assert not truncate(subsets, capacity=2)


def no_zone(node: str) -> str:
    return ""


async def test_a_terminating_pod_stays_in_its_slice_but_is_not_ready() -> None:
    deleting = pod(1, deletionTimestamp="2026-01-01T00:00:00Z")
    (piece,) = (await plan_slices(service(), [deleting], [], no_zone)).create
    assert piece["endpoints"][0]["conditions"] == {"ready": False, "serving": True, "terminating": True}


async def test_slices_hold_at_most_a_hundred_and_stay_put() -> None:
    pods = [pod(n) for n in range(250)]
    plan = await plan_slices(service(), pods, [], no_zone)
    assert [len(piece["endpoints"]) for piece in plan.create] == [100, 100, 50]
    for number, piece in enumerate(plan.create):
        piece["metadata"]["name"] = f"web-{number}"
    assert await plan_slices(service(), pods, plan.create, no_zone) == type(plan)()

    fewer = await plan_slices(service(), [*pods[1:], pod(250)], plan.create, no_zone)
    assert fewer.create == []
    assert fewer.delete == []
    # The gap in the full slice is filled: one write, not two.
    assert [piece["metadata"]["name"] for piece in fewer.update] == ["web-0"]

    emptied = await plan_slices(service(), pods[:100], plan.create, no_zone)
    assert [piece["metadata"]["name"] for piece in emptied.delete] == ["web-1", "web-2"]
    last = await plan_slices(service(), [], plan.create, no_zone)
    assert len(last.delete) + len(last.update) + len(last.create) >= 3


async def test_two_families_have_slices_of_their_own() -> None:
    dual = pod(1)
    dual["status"]["podIPs"].append({"ip": "fd00::1"})
    plan = await plan_slices(service(ipFamilies=["IPv4", "IPv6"]), [dual], [], no_zone)
    assert [(p["addressType"], p["endpoints"][0]["addresses"]) for p in plan.create] == [
        ("IPv4", ["10.1.0.2"]),
        ("IPv6", ["fd00::1"]),
    ]


async def test_slices_of_other_ports_become_those_that_are_wanted() -> None:
    """No moment without endpoints, and one write for two."""
    before = (await plan_slices(service(), [pod(1), pod(2)], [], no_zone)).create
    before[0]["metadata"].update(name="web-abc", resourceVersion="7", annotations={"a": "b"})
    plan = await plan_slices(service(), [pod(1, port=9090), pod(2, port=9090)], before, no_zone)
    assert (plan.create, plan.delete) == ([], [])
    (piece,) = plan.update
    assert (piece["metadata"]["name"], piece["metadata"]["resourceVersion"]) == ("web-abc", "7")
    assert [port["port"] for port in piece["ports"]] == [9090]
    assert len(piece["endpoints"]) == 2
    other = service(ipFamilies=["IPv6"])
    plan = await plan_slices(other, [], before, no_zone)
    assert ([p["addressType"] for p in plan.create], plan.update) == (["IPv6"], [])
    assert [name_of(piece) for piece in plan.delete] == ["web-abc"], "a family never changes"


async def test_slices_of_a_service_of_that_name_that_is_gone_are_not_used() -> None:
    before = (await plan_slices(service(), [pod(1)], [], no_zone)).create
    before[0]["metadata"]["name"] = "web-abc"
    again = service()
    again["metadata"] = {**again["metadata"], "uid": "another"}
    plan = await plan_slices(again, [pod(1)], before, no_zone)
    assert (len(plan.create), plan.update, plan.delete) == (1, [], before)


def zone_of(node: str) -> str:
    return {"n1": "z1"}.get(node, "")


NEAR_ZONE = {"forZones": [{"name": "z1"}]}


@pytest.mark.parametrize(
    ("distribution", "mode", "hints"),
    [
        (None, "", None),
        ("PreferClose", "", NEAR_ZONE),
        ("PreferSameZone", "", NEAR_ZONE),
        ("PreferSameNode", "", {**NEAR_ZONE, "forNodes": [{"name": "n1"}]}),
        ("PreferSameZone", "Auto", None),
        ("PreferSameZone", "Disabled", NEAR_ZONE),
    ],
)
async def test_hints_say_for_whom_an_endpoint_is(distribution: str | None, mode: str, hints: Any) -> None:
    wanted = service(**({"trafficDistribution": distribution} if distribution else {}))
    if mode:
        wanted["metadata"] = {
            **wanted["metadata"],
            "annotations": {"service.kubernetes.io/topology-mode": mode},
        }
    pods = [pod(1), pod(2, ready=False)]
    (piece,) = (await plan_slices(wanted, pods, [], zone_of)).create
    ready, other = piece["endpoints"]
    assert ready.get("hints") == hints
    assert "hints" not in other
    plan = await plan_slices(service(), pods, [piece], zone_of)
    assert len(plan.update) == bool(hints), "they go when nobody asks for them any more"


async def test_hints_without_zones() -> None:
    wanted = service(trafficDistribution="PreferSameZone")
    (piece,) = (await plan_slices(wanted, [pod(1)], [], no_zone)).create
    assert "hints" not in piece["endpoints"][0]


async def test_each_look_at_many_pods_lets_others_go_on_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    async def next_portion(self: Portions) -> bool:
        nonlocal asked
        asked += 1
        return False

    monkeypatch.setattr(Portions, "next", next_portion)
    pods = [pod(number) for number in range(300)]
    await plan_slices(service(), pods, [], no_zone)
    assert asked >= 600, "choosing them, and working out their ports"
    await plan_subsets(service(), pods)
    assert asked >= 1200
    await TriggerTimes().look("k", service(), pods)
    assert asked >= 1500


def at(pod: Object, since: str) -> Object:
    pod["status"]["conditions"][0]["lastTransitionTime"] = since
    return pod


async def test_the_first_of_what_has_changed_is_the_trigger() -> None:
    times, made = TriggerTimes(), service()
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:05Z"
    first, second = at(pod(1), "2026-01-01T00:00:01Z"), at(pod(2), "2026-01-01T00:00:09Z")
    assert await times.look("k", made, [first]) == "2026-01-01T00:00:05Z", "the service is new"
    assert await times.look("k", made, [first]) == ""
    assert await times.look("k", made, [first, second]) == "2026-01-01T00:00:09Z"
    later = [at(pod(1), "2026-01-01T00:01:02Z"), at(pod(2), "2026-01-01T00:01:01Z")]
    assert await times.look("k", made, later) == "2026-01-01T00:01:01Z"
    times.forget("k")
    assert await times.look("k", made, later) == "2026-01-01T00:00:05Z"


async def test_what_is_written_says_when_its_cause_was() -> None:
    async with running(EndpointsController, EndpointSlices) as bench:
        made = (await bench.create(SERVICES, service()))["metadata"]["creationTimestamp"]
        await bench.create(PODS, pod(1, ready=False))
        since = "2031-01-01T00:00:00Z"
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
        (piece,) = await slices(bench)
        assert TRIGGER_TIME not in (piece["metadata"].get("annotations") or {}), "a pod without times"
        await bench.set_status(PODS, pod(1), conditions=[ready])
        await bench.settle()
        (piece,) = await slices(bench)
        for found in (piece, await bench.get(ENDPOINTS, "web")):
            assert found["metadata"]["annotations"][TRIGGER_TIME] == since != made


async def slices(bench: Bench) -> list[Object]:
    """Those of the test's services; the API server has made one for its own."""
    return [piece for piece in await bench.all(ENDPOINT_SLICES) if name_of(piece) != "kubernetes"]


async def test_both_kinds_follow_service_and_pods() -> None:
    zoned = {"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}}
    async with running(EndpointsController, EndpointSlices, before=[(NODES, zoned)]) as bench:
        await bench.create(SERVICES, service())
        assert "subsets" not in await bench.get(ENDPOINTS, "web")
        assert [s["endpoints"] for s in await slices(bench)] == [[]]

        made = await bench.create(PODS, pod(1, ready=False))
        (piece,) = await slices(bench)
        assert piece["ports"] == [PORT]
        assert piece["endpoints"] == [
            {
                "addresses": ["10.1.0.2"],
                "conditions": {"ready": False, "serving": False, "terminating": False},
                "targetRef": reference(1, uid_of(made)),
                "nodeName": "n1",
                "zone": "z1",
            }
        ]
        assert piece["metadata"]["labels"] == {
            "tier": "front",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        assert piece["metadata"]["ownerReferences"][0]["name"] == "web"

        await bench.set_status(PODS, pod(1), conditions=[{"type": "Ready", "status": "True"}])
        await bench.settle()
        assert (await slices(bench))[0]["endpoints"][0]["conditions"]["ready"]
        assert len((await bench.get(ENDPOINTS, "web"))["subsets"][0]["addresses"]) == 1

        await bench.client.delete(SERVICES, "web", "default")
        await bench.settle()
        assert await slices(bench) == []
        assert [name_of(left) for left in await bench.all(ENDPOINTS)] == ["kubernetes"]


async def test_what_does_not_matter_writes_nothing() -> None:
    async with running(EndpointsController, EndpointSlices) as bench:
        await bench.create(SERVICES, service())
        await bench.create(PODS, pod(1))
        before = len(bench.requests.writes())
        await bench.client.patch(PODS, "web-001", "default", {"metadata": {"annotations": {"a": "b"}}})
        await bench.settle()
        assert len(bench.requests.writes()) == before + 1


async def test_a_service_without_selector_is_left_to_others() -> None:
    async with running(EndpointsController, EndpointSlices) as bench:
        await bench.create(SERVICES, service(selector=None))
        mine = {
            "metadata": {"name": "web", "namespace": "default"},
            "subsets": [{"addresses": [{"ip": "10.9.9.9"}]}],
        }
        await bench.create(ENDPOINTS, mine)
        await bench.create(PODS, pod(1))
        assert (await bench.get(ENDPOINTS, "web"))["subsets"] == mine["subsets"]
        assert await slices(bench) == []


def in_zone(name: str, zone: str) -> Object:
    return {"metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}}}


async def test_a_nodes_zone_concerns_the_services_with_pods_on_it_alone() -> None:
    other = service(selector={"app": "other"})
    other["metadata"] = {**other["metadata"], "name": "other", "uid": "o"}
    other["spec"]["clusterIP"] = "10.96.0.11"
    before = [(SERVICES, service()), (SERVICES, other), (PODS, pod(1))]
    async with running(EndpointSlices, before=before) as bench:
        (controller,) = bench.controllers.controllers
        looked_at: list[str] = []
        sync = controller.sync

        async def noting(key: str) -> float | None:
            looked_at.append(key)
            return await sync(key)

        controller.sync = noting  # type: ignore[method-assign]
        await bench.create(NODES, in_zone("n2", "z2"))
        assert looked_at == []
        await bench.create(NODES, in_zone("n1", "z1"))
        assert set(looked_at) == {"default/web"}
        pieces = {piece["metadata"]["name"]: piece for piece in await slices(bench)}
        zones = [entry.get("zone") for piece in pieces.values() for entry in piece.get("endpoints") or ()]
        assert zones == ["z1"]
