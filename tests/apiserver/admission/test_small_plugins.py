"""The plugins that do one small thing each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, pod, running
from wherry.api.core.nodes import NODES
from wherry.api.core.persistent_volume_claims import PERSISTENT_VOLUME_CLAIMS
from wherry.api.core.persistent_volumes import PERSISTENT_VOLUMES
from wherry.api.core.pods import PODS
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.core.services import SERVICES
from wherry.api.networking.ingress_classes import INGRESS_CLASSES
from wherry.api.networking.ingresses import INGRESSES
from wherry.api.node.runtime_classes import RUNTIME_CLASSES
from wherry.api.scheduling.priority_classes import PRIORITY_CLASSES
from wherry.api.storage.storage_classes import STORAGE_CLASSES
from wherry.apiserver.admission.catalog import built_in_plugins, check_choice, plugin_names
from wherry.apiserver.admission.default_storage_class import choose_default
from wherry.apiserver.admission.metrics import WebhookMetrics
from wherry.apiserver.admission.runtime_class import includes, merge_tolerations
from wherry.apiserver.cached import Cached
from wherry.objects.errors import ApiError
from wherry.objects.meta import Object

DEFAULT = "storageclass.kubernetes.io/is-default-class"


@pytest.fixture
async def ready(rig: Rig) -> Rig:
    """A server whose default namespace has its service account."""
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    return rig


def claim(**spec: Any) -> Object:
    resources = {"requests": {"storage": "1Gi"}}
    return {
        "metadata": {"name": "c", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": resources, **spec},
    }


def storage_class(name: str, *, default: bool = True, created: str = "", **fields: Any) -> Object:
    meta: Object = {"name": name, "annotations": {DEFAULT: "true"} if default else {}}
    if created:
        meta["creationTimestamp"] = created
    return {"metadata": meta, "provisioner": "example.com/p", **fields}


async def test_claims_get_the_default_class_and_protection(rig: Rig) -> None:
    await rig.admin.create(STORAGE_CLASSES, storage_class("fast"))
    made = await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, claim())
    assert made["spec"]["storageClassName"] == "fast"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    none = claim(storageClassName="")
    none["metadata"]["name"] = "none"
    assert (await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, none))["spec"]["storageClassName"] == ""
    volume: Object = {
        "metadata": {"name": "v"},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/x"},
        },
    }
    made = await rig.admin.create(PERSISTENT_VOLUMES, volume)
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


def test_of_several_default_classes_the_youngest_counts() -> None:
    old = storage_class("a", created="2026-01-01T00:00:00Z")
    new = [storage_class(name, created="2026-01-02T00:00:00Z") for name in ("c", "b")]
    assert choose_default([old, *new, storage_class("z", default=False)]) == "b"
    assert choose_default([storage_class("z", default=False)]) == ""


async def test_claims_grow_where_their_class_lets_them(rig: Rig) -> None:
    await rig.admin.create(STORAGE_CLASSES, storage_class("fixed"))
    await rig.admin.create(
        STORAGE_CLASSES, storage_class("growing", default=False, allowVolumeExpansion=True)
    )
    for name in ("fixed", "growing"):
        obj = claim(storageClassName=name, volumeName="v")
        obj["metadata"]["name"] = name
        made = await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, obj)
        await rig.admin.update_status(PERSISTENT_VOLUME_CLAIMS, {**made, "status": {"phase": "Bound"}})
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    with pytest.raises(ApiError) as caught:
        await rig.admin.patch(PERSISTENT_VOLUME_CLAIMS, "fixed", "default", larger)
    assert caught.value.message == (
        'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and '
        "the storageclass that provisions the pvc must support resize"
    )
    made = await rig.admin.patch(PERSISTENT_VOLUME_CLAIMS, "growing", "default", larger)
    assert made["spec"]["resources"]["requests"]["storage"] == "2Gi"


async def test_ingresses_get_the_default_class_unless_there_are_two(rig: Rig) -> None:
    def ingress_class(name: str) -> Object:
        meta = {"name": name, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
        return {"metadata": meta, "spec": {"controller": "example.com/c"}}

    def ingress(name: str) -> Object:
        backend = {"service": {"name": "s", "port": {"number": 80}}}
        return {"metadata": {"name": name, "namespace": "default"}, "spec": {"defaultBackend": backend}}

    assert "ingressClassName" not in (await rig.admin.create(INGRESSES, ingress("none")))["spec"]
    await rig.admin.create(INGRESS_CLASSES, ingress_class("one"))
    assert (await rig.admin.create(INGRESSES, ingress("first")))["spec"]["ingressClassName"] == "one"
    await rig.admin.create(INGRESS_CLASSES, ingress_class("two"))
    with pytest.raises(ApiError) as caught:
        await rig.admin.create(INGRESSES, ingress("second"))
    assert caught.value.message == (
        'ingresses.networking.k8s.io "second" is forbidden: Internal error occurred: '
        "2 default IngressClasses were found, only 1 allowed"
    )


async def test_new_nodes_get_no_pods_until_somebody_saw_them_ready(rig: Rig) -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    assert (await rig.admin.create(NODES, {"metadata": {"name": "n"}}))["spec"]["taints"] == [taint]
    node: Object = {"metadata": {"name": "m"}, "spec": {"taints": [taint]}}
    assert (await rig.admin.create(NODES, node))["spec"]["taints"] == [taint]


async def test_pods_know_the_zone_of_their_node(ready: Rig) -> None:
    zone = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r", "other": "o"}
    await ready.admin.create(NODES, {"metadata": {"name": "n", "labels": zone}})
    made = await ready.admin.create(PODS, pod("placed", nodeName="n"))
    assert made["metadata"]["labels"] == {k: v for k, v in zone.items() if k != "other"}
    own = pod("own")
    own["metadata"]["labels"] = {"topology.kubernetes.io/zone": "mine"}
    await ready.admin.create(PODS, own)
    binding = {"metadata": {"name": "own"}, "target": {"kind": "Node", "name": "n"}}
    await ready.admin.create_subresource(PODS, "own", "default", "binding", binding)
    bound = await ready.admin.get(PODS, "own", "default")
    assert bound["metadata"]["labels"] == {
        "topology.kubernetes.io/zone": "mine",
        "topology.kubernetes.io/region": "r",
    }


async def test_a_runtime_class_brings_overhead_and_place(ready: Rig) -> None:
    runtime: Object = {
        "metadata": {"name": "vm"},
        "handler": "vm",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"vm": "yes"}, "tolerations": [{"key": "vm", "operator": "Exists"}]},
    }
    await ready.admin.create(RUNTIME_CLASSES, runtime)
    spec = (await ready.admin.create(PODS, pod("p", runtimeClassName="vm")))["spec"]
    assert spec["overhead"] == {"cpu": "250m"}
    assert spec["nodeSelector"] == {"vm": "yes"}
    assert {"key": "vm", "operator": "Exists"} in spec["tolerations"]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        ({"runtimeClassName": "vm", "overhead": {"cpu": "1"}},
         "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"),
        ({"overhead": {"cpu": "1"}},
         "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"),
        ({"runtimeClassName": "vm", "nodeSelector": {"vm": "no"}},
         "conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no"),
    ],
)  # fmt: skip
async def test_pods_a_runtime_class_refuses(ready: Rig, spec: Object, why: str) -> None:
    runtime: Object = {
        "metadata": {"name": "vm"},
        "handler": "vm",
        "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"vm": "yes"}},
    }
    await ready.admin.create(RUNTIME_CLASSES, runtime)
    with pytest.raises(ApiError) as caught:
        await ready.admin.create(PODS, pod("p", **spec))
    assert (caught.value.code, caught.value.message) == (403, f'pods "p" is forbidden: {why}')


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ({"operator": "Exists"}, {"key": "a", "operator": "Equal", "value": "b"}, True),
        ({"key": "a", "operator": "Exists"}, {"key": "a", "effect": "NoSchedule"}, True),
        ({"key": "a"}, {"key": "b"}, False),
        ({"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoExecute"}, False),
        ({"key": "a", "value": "x"}, {"key": "a", "operator": "Equal", "value": "x", "effect": "e"}, True),
        ({"key": "a", "effect": "NoExecute", "tolerationSeconds": 5},
         {"key": "a", "effect": "NoExecute"}, False),
        ({"key": "a", "effect": "NoExecute"},
         {"key": "a", "effect": "NoExecute", "tolerationSeconds": 5}, True),
    ],
)  # fmt: skip
def test_what_one_toleration_includes_of_another(wide: Object, narrow: Object, expected: bool) -> None:
    assert includes(wide, narrow) is expected


def test_tolerations_are_merged_without_what_others_include() -> None:
    a, b, everything = {"key": "a"}, {"key": "b"}, {"operator": "Exists"}
    assert merge_tolerations([a], [b]) == [a, b]
    assert merge_tolerations([a, b], [dict(a)]) == [b, a]
    assert merge_tolerations([everything], [a]) == [everything]


def service() -> Object:
    return {
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]},
    }


async def test_plugins_can_be_switched_on_and_off() -> None:
    async with running(
        enable_admission_plugins=("AlwaysPullImages", "DenyServiceExternalIPs"),
        disable_admission_plugins=("ServiceAccount", "TaintNodesByCondition"),
    ) as rig:
        made = await rig.admin.create(PODS, pod("p"))
        assert made["spec"]["containers"][0]["imagePullPolicy"] == "Always"
        assert "volumes" not in made["spec"]
        assert "spec" not in await rig.admin.create(NODES, {"metadata": {"name": "n"}})
        with pytest.raises(ApiError) as caught:
            await rig.admin.create(SERVICES, service())
        assert caught.value.message == (
            'services "s" is forbidden: Use of external IPs is denied by admission control.'
        )


async def test_what_is_off_by_default_does_nothing(ready: Rig) -> None:
    assert (await ready.admin.create(SERVICES, service()))["spec"]["externalIPs"] == ["192.0.2.1"]
    made = await ready.admin.create(PODS, pod("p"))
    assert made["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_a_choice_of_plugins_is_checked() -> None:
    with pytest.raises(
        ValueError, match=r"Nonsense is no admission plugin; use some of NamespaceLifecycle, "
    ):
        check_choice(["Nonsense"], [])
    with pytest.raises(ValueError, match="RBACEscalation is no admission plugin"):
        check_choice([], ["RBACEscalation"])
    with pytest.raises(ValueError, match="PodSecurity is both enabled and disabled; choose one"):
        check_choice(["PodSecurity"], ["PodSecurity"])
    check_choice(plugin_names(), [])


def test_quotas_come_last() -> None:
    names = [plugin.name for plugin in built_in_plugins(WebhookMetrics())]
    assert names[-1] == "ResourceQuota"
    assert "AlwaysPullImages" not in names


def volume(**source: Any) -> dict[str, Any]:
    """The part of a pod's spec with one volume."""
    return {"volumes": [{"name": "v", **source}]}


ISCSI = {"targetPortal": "192.0.2.1:3260", "iqn": "iqn.2001-04.com.x:s", "lun": 0, "secretRef": {"name": "s"}}


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"serviceAccountName": "default"}, "reference service accounts"),
        ({"imagePullSecrets": [{"name": "s"}]}, "reference secrets"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "reference secrets"),
        (volume(projected={"sources": [{"secret": {"name": "s"}}]}), "reference secrets"),
        (volume(csi={"driver": "d.example", "nodePublishSecretRef": {"name": "s"}}), "reference secrets"),
        (volume(rbd={"monitors": ["m"], "image": "i", "secretRef": {"name": "s"}}), "reference secrets"),
        (volume(cephfs={"monitors": ["m"], "secretRef": {"name": "s"}}), "reference secrets"),
        (volume(azureFile={"secretName": "s", "shareName": "x"}), "reference secrets"),
        (volume(cinder={"volumeID": "v", "secretRef": {"name": "s"}}), "reference secrets"),
        (volume(flexVolume={"driver": "a/b", "secretRef": {"name": "s"}}), "reference secrets"),
        (volume(iscsi=ISCSI), "reference secrets"),
        (
            volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
            "use ServiceAccountToken volume projections",
        ),
    ],
)  # fmt: skip
async def test_mirror_pods_get_at_nothing(ready: Rig, spec: Object, why: str) -> None:
    mirror = pod("m", nodeName="n", **spec)
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    with pytest.raises(ApiError) as caught:
        await ready.admin.create(PODS, mirror)
    assert caught.value.message == f'pods "m" is forbidden: a mirror pod may not {why}'
    del mirror["spec"][next(iter(spec))]
    await ready.admin.create(PODS, mirror)


async def test_of_many_classes_only_default_ones_are_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.admin.create(SERVICE_ACCOUNTS, account())
    for index in range(10):
        await rig.admin.create(PRIORITY_CLASSES, priority_class(f"c{index}", 9 - index))
        await rig.admin.create(STORAGE_CLASSES, storage_class(f"s{index}", default=not index))
    await rig.admin.create(PRIORITY_CLASSES, priority_class("default", 1, globalDefault=True))
    read: list[str] = []
    decode = Cached.decode

    def decoded(item: Cached) -> Object:
        read.append(item.name)
        return decode(item)

    monkeypatch.setattr(Cached, "decode", decoded)
    for name in ("first", "second"):  # the index is made for the first
        read.clear()
        made = await rig.admin.create(PODS, pod(name))
        assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("default", 1)
    assert not [name for name in read if name.startswith("c")]
    for name in ("first", "second"):
        wanted = claim()
        wanted["metadata"]["name"] = name
        read.clear()
        made = await rig.admin.create(PERSISTENT_VOLUME_CLAIMS, wanted)
        assert made["spec"]["storageClassName"] == "s0"
    assert [name for name in read if name.startswith("s")] == ["s0"]
    await rig.admin.delete(PRIORITY_CLASSES, "default")
    await rig.admin.create(PRIORITY_CLASSES, priority_class("later", 5, globalDefault=True))
    assert (await rig.admin.create(PODS, pod("last")))["spec"]["priority"] == 5


def priority_class(name: str, value: int, **more: Any) -> Object:
    return {"metadata": {"name": name}, "value": value, **more}
