"""managedFields of objects that are applied and written in several versions, and through their Scale."""

from __future__ import annotations

from typing import Any

from tests.apiserver.rig import Rig
from tests.conftest import eventually
from wherry.objects.meta import Object

INGRESSES = "/apis/networking.k8s.io/{}/namespaces/default/ingresses/a"
DEPLOYMENTS = "/apis/{}/namespaces/default/deployments/d"
APPLY = "application/apply-patch+yaml"


async def apply(rig: Rig, path: str, body: Object, manager: str, *, force: bool = False) -> tuple[int, Any]:
    query = f"?fieldManager={manager}{'&force=true' if force else ''}"
    status, answer, _ = await rig.http("PATCH", path + query, body, headers={"Content-Type": APPLY})
    return status, answer


async def get(rig: Rig, path: str) -> Any:
    status, answer, _ = await rig.http("GET", path)
    assert status == 200, answer
    return answer


def owners(obj: Object) -> dict[tuple[str, str, str], Any]:
    """Fields by manager, operation and version."""
    return {
        (entry["manager"], entry["operation"], entry["apiVersion"]): entry["fieldsV1"]
        for entry in obj["metadata"]["managedFields"]
    }


def old_ingress(service: str, **spec: Any) -> Object:
    backend = {"serviceName": service, "servicePort": 80}
    return {
        "apiVersion": "networking.k8s.io/v1beta1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {"backend": backend, **spec},
    }


def ingress(service: str) -> Object:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a"},
        "spec": {"defaultBackend": backend},
    }


OLD, NEW = INGRESSES.format("v1beta1"), INGRESSES.format("v1")
IN_OLD: Object = {"f:spec": {"f:backend": {"f:serviceName": {}, "f:servicePort": {}}}}
IN_NEW: Object = {"f:spec": {"f:defaultBackend": {"f:service": {"f:name": {}, "f:port": {}}}}}


async def test_an_entry_keeps_the_words_of_its_version(rig: Rig) -> None:
    assert (await apply(rig, OLD, old_ingress("s"), "team"))[0] == 201
    assert owners(await get(rig, NEW)) == {("team", "Apply", "networking.k8s.io/v1beta1"): IN_OLD}
    # Somebody labels it in the other version: what the team has stays the team's.
    patch = {"metadata": {"labels": {"x": "y"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    status, _, _ = await rig.http("PATCH", NEW + "?fieldManager=labels", patch, headers=headers)
    assert status == 200
    assert owners(await get(rig, NEW))["team", "Apply", "networking.k8s.io/v1beta1"] == IN_OLD


async def test_a_conflict_is_found_in_the_owners_version(rig: Rig) -> None:
    await apply(rig, OLD, old_ingress("s"), "team")
    status, refused = await apply(rig, NEW, ingress("other"), "rival")
    assert status == 409
    assert refused["message"] == (
        'Apply failed with 1 conflict: conflict with "team": .spec.backend.serviceName'
    )
    status, taken = await apply(rig, NEW, ingress("other"), "rival", force=True)
    assert status == 200
    assert owners(taken) == {
        ("rival", "Apply", "networking.k8s.io/v1"): IN_NEW,
        ("team", "Apply", "networking.k8s.io/v1beta1"): {"f:spec": {"f:backend": {"f:servicePort": {}}}},
    }


async def test_the_same_configuration_in_a_later_version_moves_the_entry(rig: Rig) -> None:
    await apply(rig, OLD, old_ingress("s"), "team")
    status, moved = await apply(rig, NEW, ingress("s"), "team")
    assert status == 200
    assert owners(moved) == {("team", "Apply", "networking.k8s.io/v1"): IN_NEW}
    assert moved["spec"] == ingress("s")["spec"]


async def test_what_was_given_up_in_another_version_goes(rig: Rig) -> None:
    tls = [{"hosts": ["a.example.com"]}]
    await apply(rig, OLD, old_ingress("s", ingressClassName="c", tls=tls), "team")
    status, left = await apply(rig, NEW, ingress("s"), "team")
    assert status == 200
    assert left["spec"] == ingress("s")["spec"]


async def test_what_others_hold_in_another_version_stays(rig: Rig) -> None:
    await apply(rig, NEW, ingress("s"), "team")
    assert (await apply(rig, OLD, old_ingress("s", ingressClassName="c"), "other"))[0] == 200
    bare = {**ingress("s"), "spec": {"ingressClassName": "c"}}
    status, left = await apply(rig, NEW, bare, "team")
    assert status == 200, left
    assert left["spec"] == {**ingress("s")["spec"], "ingressClassName": "c"}
    assert owners(left)["team", "Apply", "networking.k8s.io/v1"] == {"f:spec": {"f:ingressClassName": {}}}


async def test_an_update_takes_fields_in_the_owners_words(rig: Rig) -> None:
    await apply(rig, OLD, old_ingress("s"), "team")
    obj = await get(rig, NEW)
    obj["spec"]["defaultBackend"]["service"]["name"] = "t"
    status, written, _ = await rig.http("PUT", NEW + "?fieldManager=editor", obj)
    assert status == 200
    assert owners(written) == {
        ("team", "Apply", "networking.k8s.io/v1beta1"): {"f:spec": {"f:backend": {"f:servicePort": {}}}},
        ("editor", "Update", "networking.k8s.io/v1"): {
            "f:spec": {"f:defaultBackend": {"f:service": {"f:name": {}}}}
        },
    }


def deployment(api_version: str = "apps/v1", **spec: Any) -> Object:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    return {
        "apiVersion": api_version,
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec},
    }


def scale(replicas: int, api_version: str = "autoscaling/v1") -> Object:
    return {
        "apiVersion": api_version,
        "kind": "Scale",
        "metadata": {"name": "d"},
        "spec": {"replicas": replicas},
    }


def replica_owners(obj: Object) -> list[tuple[str, str, str, str]]:
    return [
        (entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        for entry in obj["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    ]


async def test_applying_a_scale_moves_the_replicas(rig: Rig) -> None:
    path = DEPLOYMENTS.format("apps/v1")
    await apply(rig, path, deployment(replicas=1), "team")
    status, refused = await apply(rig, path + "/scale", scale(3), "scaler")
    assert status == 409
    assert refused["message"] == 'Apply failed with 1 conflict: conflict with "team": .spec.replicas'
    status, scaled = await apply(rig, path + "/scale", scale(3), "scaler", force=True)
    assert (status, scaled["spec"]) == (200, {"replicas": 3})
    assert "managedFields" not in scaled["metadata"]
    found = await get(rig, path)
    assert replica_owners(found) == [("scaler", "Apply", "apps/v1", "scale")]
    # The team may now leave the replicas out, and they stay what they are.
    status, kept = await apply(rig, path, deployment(), "team")
    assert (status, kept["spec"]["replicas"]) == (200, 3)
    status, refused = await apply(rig, path, deployment(replicas=1), "team")
    assert status == 409
    assert refused["message"] == (
        'Apply failed with 1 conflict: conflict with "scaler" with subresource "scale": .spec.replicas'
    )


async def test_updating_and_patching_a_scale(rig: Rig) -> None:
    path = DEPLOYMENTS.format("apps/v1")
    await apply(rig, path, deployment(replicas=1), "team")
    status, _, _ = await rig.http("PUT", path + "/scale?fieldManager=hpa", scale(2))
    assert status == 200
    assert replica_owners(await get(rig, path)) == [("hpa", "Update", "apps/v1", "scale")]
    headers = {"Content-Type": "application/merge-patch+json"}
    await rig.http("PATCH", path + "/scale?fieldManager=kubectl", {"spec": {"replicas": 2}}, headers=headers)
    assert replica_owners(await get(rig, path)) == [("hpa", "Update", "apps/v1", "scale")], "nothing changed"
    await rig.http("PATCH", path + "/scale?fieldManager=kubectl", {"spec": {"replicas": 5}}, headers=headers)
    assert replica_owners(await get(rig, path)) == [("kubectl", "Update", "apps/v1", "scale")]


async def test_the_owner_of_the_replicas_may_be_of_another_version(rig: Rig) -> None:
    path = DEPLOYMENTS.format("apps/v1")
    await apply(
        rig, DEPLOYMENTS.format("extensions/v1beta1"), deployment("extensions/v1beta1", replicas=1), "old"
    )
    status, _ = await apply(rig, path + "/scale", scale(1), "scaler")
    assert status == 200, "the same value is no conflict"
    assert replica_owners(await get(rig, path)) == [
        ("old", "Apply", "extensions/v1beta1", ""),
        ("scaler", "Apply", "apps/v1", "scale"),
    ]


async def test_the_scale_of_a_custom_kind(rig: Rig) -> None:
    status_of = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    fleet = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"fleet": fleet}}, "status": status_of},
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.fleet.size", "statusReplicasPath": ".status.size"},
        },
    }
    names = {"plural": "boats", "kind": "Boat"}
    spec = {"group": "sea.example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    body = {"metadata": {"name": "boats.sea.example.com"}, "spec": spec}
    await rig.http("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    path = "/apis/sea.example.com/v1/namespaces/default/boats/d"
    boat = {
        "apiVersion": "sea.example.com/v1",
        "kind": "Boat",
        "metadata": {"name": "d"},
        "spec": {"fleet": {"size": 1}},
    }

    async def created() -> bool:
        return (await apply(rig, path, boat, "team"))[0] == 201

    await eventually(created)
    assert (await apply(rig, path + "/scale", scale(4), "scaler"))[0] == 409
    status, scaled = await apply(rig, path + "/scale", scale(4), "scaler", force=True)
    assert (status, scaled["spec"]["replicas"]) == (200, 4)
    found = await get(rig, path)
    assert found["spec"]["fleet"]["size"] == 4
    (entry,) = found["metadata"]["managedFields"]
    assert (entry["manager"], entry["subresource"]) == ("scaler", "scale")
    assert entry["fieldsV1"] == {"f:spec": {"f:fleet": {"f:size": {}}}}


async def test_versions_of_a_custom_kind(rig: Rig) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    versions = [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": schema}}
        for name in ("v1", "v1beta1")
    ]
    names = {"plural": "boats", "kind": "Boat"}
    spec = {"group": "sea.example.com", "scope": "Namespaced", "names": names, "versions": versions}
    body = {"metadata": {"name": "boats.sea.example.com"}, "spec": spec}
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await rig.http("POST", crds, body)
    path = "/apis/sea.example.com/{}/namespaces/default/boats/d"

    def boat(version: str, **fields: Any) -> Object:
        api_version = f"sea.example.com/{version}"
        return {"apiVersion": api_version, "kind": "Boat", "metadata": {"name": "d"}, "spec": fields}

    async def created() -> bool:
        return (await apply(rig, path.format("v1beta1"), boat("v1beta1", size=1, color="red"), "team"))[
            0
        ] == 201

    await eventually(created)
    status, _ = await apply(rig, path.format("v1"), boat("v1", size=2), "rival")
    assert status == 409
    status, left = await apply(rig, path.format("v1"), boat("v1", size=1), "team")
    assert (status, left["spec"]) == (200, {"size": 1})
    assert owners(left) == {("team", "Apply", "sea.example.com/v1"): {"f:spec": {".": {}, "f:size": {}}}}
