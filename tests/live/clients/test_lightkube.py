"""lightkube: models generated from the API, over httpx."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from lightkube import ApiError, Client, KubeConfig
from lightkube.codecs import load_all_yaml
from lightkube.generic_resource import load_in_cluster_generic_resources
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType

from tests.live.clients.trials.base import POD, sleeping_deployment, sleeping_pod
from tests.live.cluster import BUSYBOX
from tests.timing import PATIENCE_S

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
data: {a: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: second}
stringData: {b: "2"}
"""


# Streams that are broken off leave their sockets to the garbage collector, which this client means.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def lightkube(kubeconfig: str, namespace: str) -> Iterator[Any]:
    with Client(KubeConfig.from_file(kubeconfig), namespace=namespace, field_manager="light") as client:
        yield client
    gc.collect()


def config_map(name: str, **data: str) -> Any:
    return ConfigMap(metadata=ObjectMeta(name=name, labels={"n": name}), data=data)


def test_objects(lightkube: Any) -> None:
    """Create, get, replace, list in chunks and by labels, delete; refusals as `ApiError`."""
    for n in range(3):
        lightkube.create(config_map(f"c{n}", a=str(n)))
    with pytest.raises(ApiError) as again:
        lightkube.create(config_map("c0"))
    assert (again.value.status.code, again.value.status.reason) == (409, "AlreadyExists")
    found = lightkube.get(ConfigMap, "c0")
    found.data = {"a": "changed"}
    assert lightkube.replace(found).data == {"a": "changed"}
    own = {"metadata.name": "c1"}
    assert [item.metadata.name for item in lightkube.list(ConfigMap, fields=own)] == ["c1"]
    labelled = lightkube.list(ConfigMap, labels={"n": ["c0", "c2"]}, chunk_size=1)
    assert [item.metadata.name for item in labelled] == ["c0", "c2"]
    lightkube.delete(ConfigMap, "c2")
    lightkube.delete(ConfigMap, "c0")
    with pytest.raises(ApiError) as gone:
        lightkube.get(ConfigMap, "c0")
    assert gone.value.status.message == 'configmaps "c0" not found'


def test_patches(lightkube: Any) -> None:
    """Strategic, merge and JSON patches, and apply."""
    body = sleeping_deployment("d", BUSYBOX, replicas=0)
    applied = lightkube.apply(Deployment.from_dict(body))
    assert applied.metadata.managedFields[0].manager == "light"
    more = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": BUSYBOX}]}}}}
    strategic = lightkube.patch(Deployment, "d", more)
    assert {item.name for item in strategic.spec.template.spec.containers} == {"main", "side"}
    merged = lightkube.patch(
        Deployment, "d", {"metadata": {"labels": {"app": None}}}, patch_type=PatchType.MERGE
    )
    assert not merged.metadata.labels
    operations = [{"op": "add", "path": "/spec/paused", "value": True}]
    assert lightkube.patch(Deployment, "d", operations, patch_type=PatchType.JSON).spec.paused
    scaled = lightkube.patch(Deployment.Scale, "d", {"spec": {"replicas": 1}}, patch_type=PatchType.MERGE)
    assert scaled.spec.replicas == 1


def test_watch_and_wait(lightkube: Any) -> None:
    """Watch until a deletion; wait for a pod to be Ready and for a Deployment to be Available."""
    listed = lightkube.list(ConfigMap)
    assert [item.metadata.name for item in listed] == ["kube-root-ca.crt"]
    version = listed.resourceVersion

    def change() -> None:
        lightkube.create(config_map("w"))
        lightkube.delete(ConfigMap, "w")

    changing = threading.Thread(target=change)
    changing.start()
    seen = []
    for operation, item in lightkube.watch(
        ConfigMap, fields={"metadata.name": "w"}, resource_version=version
    ):
        seen.append((operation, item.metadata.name))
        if operation == "DELETED":
            break
    changing.join()
    assert seen == [("ADDED", "w"), ("DELETED", "w")]
    lightkube.create(Pod.from_dict(sleeping_pod("p", BUSYBOX)))
    assert lightkube.wait(Pod, "p", for_conditions=["Ready"]).status.phase == "Running"
    lightkube.create(Deployment.from_dict(sleeping_deployment("d", BUSYBOX)))
    lightkube.wait(Deployment, "d", for_conditions=["Available"])


def test_log_and_exec(lightkube: Any, furnished: str) -> None:
    """Logs, followed logs, and a command with input, both outputs and its exit code."""
    assert next(iter(lightkube.log(POD, namespace=furnished))) == "line 0\n"
    follower = lightkube.log(POD, namespace=furnished, follow=True, tail_lines=1, newlines=False)
    first, second = next(follower), next(follower)
    assert int(second.split()[1]) == int(first.split()[1]) + 1
    done = lightkube.exec(
        POD,
        namespace=furnished,
        command=["sh", "-c", "tr a-z A-Z; echo bad >&2; exit 3"],
        stdin="loud",
        stdout=True,
        stderr=True,
        timeout=PATIENCE_S,
    )
    assert (done.stdout, done.stderr, done.exit_code) == ("LOUD", "bad\n", 3)


def test_manifests(lightkube: Any) -> None:
    """The objects of a manifest applied, all of a kind deleted, custom kinds looked up."""
    for item in load_all_yaml(MANIFEST):
        lightkube.apply(item, field_manager="manifest")
    assert lightkube.get(ConfigMap, "first").data == {"a": "1"}
    lightkube.deletecollection(ConfigMap)
    with pytest.raises(ApiError):
        lightkube.get(ConfigMap, "first")
    load_in_cluster_generic_resources(lightkube)
