"""The official Python client, typed and dynamic."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, stream, utils, watch
from kubernetes.client.exceptions import ApiException

from tests.live.clients.trials.base import POD, WEB, config_map, sleeping_deployment, sleeping_pod
from tests.live.cluster import BUSYBOX
from tests.timing import PATIENCE_S

WATCH_TIMEOUT_S = 60
# Streams that are broken off leave their sockets to the garbage collector, which this client means.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def api(kubeconfig: str) -> Iterator[client.ApiClient]:
    settings = client.Configuration()
    config.load_kube_config(kubeconfig, client_configuration=settings)
    with client.ApiClient(settings) as made:
        yield made
        made.rest_client.pool_manager.clear()
    gc.collect()


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


def names(items: list[Any]) -> list[str]:
    return [item.metadata.name for item in items]


def test_objects(core: client.CoreV1Api, namespace: str) -> None:
    """Create, read, replace, delete; refusals as `ApiException`."""
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c"), data={"a": "1"})
    made = core.create_namespaced_config_map(namespace, body)
    with pytest.raises(ApiException) as again:
        core.create_namespaced_config_map(namespace, body)
    assert (again.value.status, again.value.reason) == (409, "Conflict")
    made.data = {"a": "2"}
    core.replace_namespaced_config_map("c", namespace, made)
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("c", namespace, made)
    assert "the object has been modified" in stale.value.body
    assert core.read_namespaced_config_map("c", namespace).data == {"a": "2"}
    assert core.delete_namespaced_config_map("c", namespace)["status"] == "Success"
    with pytest.raises(ApiException) as gone:
        core.read_namespaced_config_map("c", namespace)
    assert gone.value.status == 404


def test_lists(core: client.CoreV1Api, namespace: str) -> None:
    """Selectors of both sorts, chunks with `continue`, deletion of a collection."""
    for n in range(5):
        labels = {"odd": str(n % 2)}
        body = client.V1Secret(metadata=client.V1ObjectMeta(name=f"s{n}", labels=labels))
        core.create_namespaced_secret(namespace, body)
    odd = core.list_namespaced_secret(namespace, label_selector="odd=1").items
    assert names(odd) == ["s1", "s3"]
    named = core.list_namespaced_secret(namespace, field_selector="metadata.name!=s0", label_selector="odd=0")
    assert names(named.items) == ["s2", "s4"]
    first = core.list_namespaced_secret(namespace, limit=2)
    assert first.metadata.remaining_item_count == 3
    token = first.metadata._continue
    rest = core.list_namespaced_secret(namespace, limit=10, _continue=token)
    assert names(first.items + rest.items) == [f"s{n}" for n in range(5)]
    core.delete_collection_namespaced_secret(namespace, label_selector="odd=1")
    assert names(core.list_namespaced_secret(namespace).items) == ["s0", "s2", "s4"]


def test_watch(core: client.CoreV1Api, namespace: str) -> None:
    """Events from a list's version on, in order."""
    version = core.list_namespaced_config_map(namespace).metadata.resource_version

    def change() -> None:
        core.create_namespaced_config_map(namespace, config_map("w", a="1"))
        core.patch_namespaced_config_map("w", namespace, {"data": {"a": "2"}})
        core.delete_namespaced_config_map("w", namespace)

    changing = threading.Thread(target=change)
    changing.start()
    events = watch.Watch()
    seen = []
    for event in events.stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=version,
        field_selector="metadata.name=w",
        timeout_seconds=WATCH_TIMEOUT_S,
    ):
        seen.append((event["type"], event["object"].data["a"]))
        if event["type"] == "DELETED":
            events.stop()
    changing.join()
    assert seen == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]


def test_watch_from_nowhere(core: client.CoreV1Api, namespace: str) -> None:
    """A watch from a version that is none is refused before it begins."""
    events = watch.Watch()
    with pytest.raises(ApiException) as refused:
        for _ in events.stream(
            core.list_namespaced_config_map, namespace, resource_version="x", timeout_seconds=2
        ):
            pass
    assert refused.value.status == 400


def test_patches(api: client.ApiClient, namespace: str) -> None:
    """Strategic, merge and JSON patches."""
    apps = client.AppsV1Api(api)
    apps.create_namespaced_deployment(namespace, sleeping_deployment("d", BUSYBOX, replicas=0))
    more = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": BUSYBOX}]}}}}
    strategic = "application/strategic-merge-patch+json"
    patched = apps.patch_namespaced_deployment("d", namespace, more, _content_type=strategic)
    assert {item.name for item in patched.spec.template.spec.containers} == {"main", "side"}
    merge = "application/merge-patch+json"
    label = {"metadata": {"labels": {"app": None, "x": "y"}}}
    assert apps.patch_namespaced_deployment("d", namespace, label, _content_type=merge).metadata.labels == {
        "x": "y"
    }
    operations = [{"op": "remove", "path": "/metadata/labels/x"}]
    assert not apps.patch_namespaced_deployment("d", namespace, operations).metadata.labels
    scaled = apps.patch_namespaced_deployment_scale("d", namespace, {"spec": {"replicas": 1}})
    assert scaled.spec.replicas == 1
    apps.delete_namespaced_deployment("d", namespace, propagation_policy="Foreground")


def test_pod(core: client.CoreV1Api, namespace: str) -> None:
    """A pod from creation to deletion with a grace period, its events, an eviction."""
    for name in ("p", "q"):
        core.create_namespaced_pod(namespace, sleeping_pod(name, BUSYBOX))
    events = watch.Watch()
    ready = set()
    for event in events.stream(core.list_namespaced_pod, namespace, timeout_seconds=WATCH_TIMEOUT_S):
        conditions = event["object"].status.conditions or []
        if any(item.type == "Ready" and item.status == "True" for item in conditions):
            ready.add(event["object"].metadata.name)
        if ready == {"p", "q"}:
            events.stop()
    assert ready == {"p", "q"}
    told = core.list_namespaced_event(namespace, field_selector="involvedObject.name=p,reason=Started")
    assert told.items[0].message == "Container started"
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name="q", namespace=namespace))
    core.create_namespaced_pod_eviction("q", namespace, body)
    asked = core.delete_namespaced_pod("p", namespace, grace_period_seconds=1)
    assert asked.metadata.deletion_grace_period_seconds == 1
    gone = set()
    for event in events.stream(core.list_namespaced_pod, namespace, timeout_seconds=WATCH_TIMEOUT_S):
        if event["type"] == "DELETED":
            gone.add(event["object"].metadata.name)
        if gone == {"p", "q"}:
            events.stop()
    assert core.list_namespaced_pod(namespace).items == []


def test_logs(core: client.CoreV1Api, furnished: str) -> None:
    """Logs at once, and followed line by line."""
    assert core.read_namespaced_pod_log(POD, furnished).startswith("line 0\n")
    assert len(core.read_namespaced_pod_log(POD, furnished, tail_lines=1).splitlines()) == 1
    follow = watch.Watch()
    numbers = []
    for line in follow.stream(core.read_namespaced_pod_log, POD, furnished, tail_lines=1, follow=True):
        numbers.append(int(line.split()[1]))
        if len(numbers) == 2:
            break
    follow.stop()
    assert numbers[1] == numbers[0] + 1


def test_exec(core: client.CoreV1Api, furnished: str) -> None:
    """Commands over WebSockets: both outputs, standard input, the exit code."""
    command = ["sh", "-c", "read x; echo got $x; echo bad >&2; exit 4"]
    running = stream.stream(
        *(core.connect_get_namespaced_pod_exec, POD, furnished),
        command=command,
        stdin=True,
        stdout=True,
        stderr=True,
        _preload_content=False,
    )
    running.write_stdin("this\n")
    running.run_forever(timeout=PATIENCE_S)
    assert running.read_stdout() == "got this\n"
    assert running.read_stderr() == "bad\n"
    assert running.returncode == 4
    running.close()


def test_port_forward(core: client.CoreV1Api, furnished: str) -> None:
    """A socket to a port of a pod."""
    (pod, *_) = names(core.list_namespaced_pod(furnished, label_selector=f"app={WEB}").items)
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, pod, furnished, ports="80")
    socket = forward.socket(80)
    socket.settimeout(PATIENCE_S)
    socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = b""
    while piece := socket.recv(4096):
        answer += piece
    socket.close()
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert forward.error(80) is None


def test_proxy(core: client.CoreV1Api, furnished: str) -> None:
    """A page of a Service through the API server."""
    assert "nginx" in core.connect_get_namespaced_service_proxy_with_path(
        f"{WEB}:80", furnished, "index.html"
    )


def test_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    """The dynamic client finds kinds by discovery, applies server-side, deletes."""
    kinds = dynamic.DynamicClient(api)
    maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
    body = config_map("applied", a="1")
    applied = maps.server_side_apply(body=body, namespace=namespace, field_manager="one")
    assert applied.data.to_dict() == {"a": "1"}
    with pytest.raises(ApiException) as conflict:
        maps.server_side_apply(body=config_map("applied", a="2"), namespace=namespace, field_manager="two")
    assert conflict.value.status == 409
    forced = maps.server_side_apply(
        body=config_map("applied", a="2"), namespace=namespace, field_manager="two", force_conflicts=True
    )
    assert forced.data.a == "2"
    maps.delete(name="applied", namespace=namespace)
    assert maps.get(namespace=namespace, field_selector="metadata.name=applied").items == []
    assert kinds.version["kubernetes"]["minor"] == "37"


def test_create_from_dictionaries(api: client.ApiClient, namespace: str) -> None:
    """`create_from_dict` with a list of several kinds."""
    items = [config_map("one", a="1"), sleeping_deployment("two", BUSYBOX, replicas=0)]
    utils.create_from_dict(api, {"kind": "List", "apiVersion": "v1", "items": items}, namespace=namespace)
    assert client.AppsV1Api(api).read_namespaced_deployment("two", namespace).spec.replicas == 0


def test_access(api: client.ApiClient, namespace: str) -> None:
    """Access reviews, and a service account's token as the only identity."""
    review = client.V1SelfSubjectAccessReview(
        spec=client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=client.V1ResourceAttributes(verb="delete", resource="nodes")
        )
    )
    assert client.AuthorizationV1Api(api).create_self_subject_access_review(review).status.allowed
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    core = client.CoreV1Api(api)
    core.create_namespaced_service_account(
        namespace, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="robot"))
    )
    token = core.create_namespaced_service_account_token("robot", namespace, request).status.token
    settings = client.Configuration(host=api.configuration.host)
    settings.ssl_ca_cert = api.configuration.ssl_ca_cert
    settings.api_key = {"authorization": f"Bearer {token}"}
    with client.ApiClient(settings) as robot:
        with pytest.raises(ApiException) as forbidden:
            client.CoreV1Api(robot).list_namespaced_pod(namespace)
        who = client.AuthenticationV1Api(robot).create_self_subject_review({})
        robot.rest_client.pool_manager.clear()
    said = json.loads(forbidden.value.body)["message"]
    assert f'User "system:serviceaccount:{namespace}:robot" cannot list resource "pods"' in said
    assert who.status.user_info.username == f"system:serviceaccount:{namespace}:robot"
