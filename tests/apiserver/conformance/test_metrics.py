"""/metrics: upstream's names and labels, in text the official parser reads."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.apiserver.conformance.asking import APPLY, DEPLOYMENTS, MAPS, deployment
from tests.apiserver.rig import Rig, config_map
from tests.timing import PATIENCE_S

SECRETS = MAPS.replace("configmaps", "secrets")
REQUEST_LABELS = {"verb", "dry_run", "group", "version", "resource", "subresource", "scope", "component"}


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


async def families(rig: Rig) -> dict[str, Any]:
    _, text, headers = await rig.http("GET", "/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(family: Any, name: str, **labels: str) -> float:
    """The one sample with these labels."""
    (found,) = [
        sample.value
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return float(found)


async def test_names(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    found = await families(rig)
    assert found.keys() >= {
        "apiserver_request",
        "apiserver_request_duration_seconds",
        "apiserver_current_inflight_requests",
        "apiserver_longrunning_requests",
        "apiserver_dropped_requests",
        "apiserver_watch_events",
        "apiserver_storage_objects",
        "apiserver_resource_objects",
        "etcd_request_duration_seconds",
        "etcd_requests",
        "rest_client_requests",
        "process_cpu_seconds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    }
    assert found["apiserver_request"].type == "counter"
    assert found["apiserver_request_duration_seconds"].type == "histogram"
    assert set(found["apiserver_request"].samples[0].labels) == REQUEST_LABELS | {"code"}
    bounds = {
        sample.labels["le"]
        for sample in found["apiserver_request_duration_seconds"].samples
        if sample.name.endswith("_bucket")
    }
    assert {"0.005", "0.025", "1.25", "60", "+Inf"} <= bounds


async def test_verbs_are_upstreams(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    await rig.http("PUT", f"{MAPS}/a?dryRun=All", config_map("a", x="1"))
    await rig.http(
        "PATCH",
        f"{DEPLOYMENTS}/web?fieldManager=m",
        deployment(),
        headers={"Content-Type": APPLY},
    )
    await rig.http("GET", MAPS)
    await rig.http("DELETE", MAPS)
    await rig.http("GET", f"{MAPS}/none")
    requests = (await families(rig))["apiserver_request"]
    total = "apiserver_request_total"
    assert value(requests, total, verb="POST", resource="configmaps", code="201") == 1
    assert value(requests, total, verb="PUT", resource="configmaps", dry_run="All", scope="resource") == 1
    assert value(requests, total, verb="APPLY", group="apps", resource="deployments", code="201") == 1
    assert value(requests, total, verb="LIST", resource="configmaps", scope="namespace") == 1
    assert value(requests, total, verb="DELETECOLLECTION", resource="configmaps") == 1
    assert value(requests, total, verb="GET", resource="configmaps", code="404") == 1


async def test_watches(rig: Rig) -> None:
    await rig.http("POST", MAPS, config_map("a"))
    headers = {"Authorization": "Bearer admin-token"}
    async with rig.session.get(f"{rig.server.url}{MAPS}?watch=1", headers=headers) as watching:
        assert b"ADDED" in await watching.content.readline()
        await rig.http("POST", MAPS, config_map("b"))
        assert b"ADDED" in await asyncio.wait_for(watching.content.readline(), PATIENCE_S)
        found = await families(rig)
        assert (
            value(
                found["apiserver_longrunning_requests"],
                "apiserver_longrunning_requests",
                verb="WATCH",
                resource="configmaps",
            )
            == 1
        )
    events = found["apiserver_watch_events"]
    assert value(events, "apiserver_watch_events_total", resource="configmaps", version="v1") == 2


async def test_the_store(rig: Rig) -> None:
    await rig.http("POST", SECRETS, secret("a"))
    await rig.http("PUT", f"{SECRETS}/a", secret("a", x="MQ=="))
    await rig.http("DELETE", f"{SECRETS}/a")
    await rig.http("POST", SECRETS, secret("b"))
    found = await families(rig)
    requests = found["etcd_requests"]
    for operation, number in (("create", 2), ("update", 1), ("delete", 1)):
        labels = {"operation": operation, "resource": "secrets", "group": ""}
        assert value(requests, "etcd_requests_total", **labels) == number
        duration = found["etcd_request_duration_seconds"]
        assert value(duration, "etcd_request_duration_seconds_count", **labels) == number
    objects = found["apiserver_storage_objects"]
    assert value(objects, "apiserver_storage_objects", resource="secrets") == 1
