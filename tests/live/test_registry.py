"""Pulling from a registry: by tag and digest, policies, secrets, and what a failed pull looks like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.cluster import BUSYBOX, LiveCluster
from tests.live.registry import PASSWORD, USER, Registry, serving
from wherry.images.pack import pack_image


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with serving() as found:
        yield found


def create(cluster: LiveCluster, namespace: str, name: str, image: str, **spec: Any) -> None:
    """A pod that ends at once, if its image can be pulled."""
    container = {"name": "c", "image": image, "command": ["echo", "pulled"], **spec.pop("container", {})}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }
    cluster.kubectl("create", "-n", namespace, "-f", "-", stdin=json.dumps(pod))


def succeeded(cluster: LiveCluster, namespace: str, name: str) -> Any:
    """Its container status, once it ran."""
    cluster.kubectl(
        *("wait", "-n", namespace, f"pod/{name}", "--timeout=60s"),
        "--for=jsonpath={.status.phase}=Succeeded",
    )
    assert cluster.kubectl("logs", "-n", namespace, name) == "pulled\n"
    return cluster.get("pod", name, "-n", namespace)["status"]["containerStatuses"][0]


def messages(cluster: LiveCluster, namespace: str, name: str, reason: str) -> list[str]:
    """What the events of one reason about a pod say."""
    fields = f"--field-selector=involvedObject.name={name},reason={reason}"
    return [event["message"] for event in cluster.get("events", "-n", namespace, fields)["items"]]


def test_an_image_is_pulled_once(
    cluster: LiveCluster, namespace: str, images: dict[str, Path], registry: Registry
) -> None:
    image = registry.add(images[BUSYBOX], "tools/busybox", "1")
    digest = registry.tags["tools/busybox:1"]
    create(cluster, namespace, "first", image)
    status = succeeded(cluster, namespace, "first")
    assert status["image"] == image
    assert status["imageID"] == f"{image.rpartition(':')[0]}@{digest}"
    assert messages(cluster, namespace, "first", "Pulling") == [f'Pulling image "{image}"']
    (pulled,) = messages(cluster, namespace, "first", "Pulled")
    assert pulled.startswith(f'Successfully pulled image "{image}" in ')
    create(cluster, namespace, "second", image)
    succeeded(cluster, namespace, "second")
    assert registry.manifests_asked.count("tools/busybox:1") == 1
    assert messages(cluster, namespace, "second", "Pulled") == [
        f'Container image "{image}" already present on machine and can be accessed by the pod'
    ]


def test_always_asks_the_registry_again(
    cluster: LiveCluster, namespace: str, images: dict[str, Path], registry: Registry
) -> None:
    image = registry.add(images[BUSYBOX], "tools/always", "1")
    for name in ("first", "second"):
        create(cluster, namespace, name, image, container={"imagePullPolicy": "Always"})
        succeeded(cluster, namespace, name)
    assert registry.manifests_asked.count("tools/always:1") == 2


def test_by_digest(cluster: LiveCluster, namespace: str, images: dict[str, Path], registry: Registry) -> None:
    image = registry.add(images[BUSYBOX], "tools/digest", "1").rpartition(":")[0]
    create(cluster, namespace, "pod", f"{image}@{registry.tags['tools/digest:1']}")
    succeeded(cluster, namespace, "pod")


def test_a_private_image_needs_its_secret(
    cluster: LiveCluster, namespace: str, images: dict[str, Path], registry: Registry
) -> None:
    image = registry.add(images[BUSYBOX], "private/busybox", "1")
    create(cluster, namespace, "without", image)
    cluster.kubectl(
        *("wait", "-n", namespace, "pod/without", "--timeout=60s"),
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff",
    )
    cluster.kubectl(
        *("create", "secret", "docker-registry", "pull", "-n", namespace),
        *(f"--docker-server=127.0.0.1:{registry.port}", f"--docker-username={USER}"),
        f"--docker-password={PASSWORD}",
    )
    create(cluster, namespace, "with", image, imagePullSecrets=[{"name": "pull"}])
    succeeded(cluster, namespace, "with")


def test_a_missing_image_backs_off_and_says_so(
    cluster: LiveCluster, namespace: str, registry: Registry
) -> None:
    image = f"127.0.0.1:{registry.port}/tools/absent:1"
    create(cluster, namespace, "pod", image)
    cluster.kubectl(
        *("wait", "-n", namespace, "pod/pod", "--timeout=60s"),
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ImagePullBackOff",
    )
    failed = messages(cluster, namespace, "pod", "Failed")
    assert any(text.startswith(f'Failed to pull image "{image}": ') for text in failed)
    assert "Error: ErrImagePull" in failed
    assert f'Back-off pulling image "{image}"' in messages(cluster, namespace, "pod", "BackOff")[0]


def test_never_pulls_nothing(
    cluster: LiveCluster, namespace: str, images: dict[str, Path], registry: Registry
) -> None:
    image = registry.add(images[BUSYBOX], "tools/never", "1")
    create(cluster, namespace, "pod", image, container={"imagePullPolicy": "Never"})
    cluster.kubectl(
        *("wait", "-n", namespace, "pod/pod", "--timeout=60s"),
        "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImageNeverPull",
    )
    assert "tools/never:1" not in registry.manifests_asked


def test_images_are_pulled_and_removed_by_hand(
    cluster: LiveCluster, namespace: str, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no other image has it")
    archive = tmp_path / "byhand.tar"
    pack_image(archive, "byhand", packages=["busybox-static"], files=[(tmp_path / "file", "/file")])
    image, other = (registry.add(archive, f"tools/{name}", "1") for name in ("byhand", "other"))
    cluster.wherry("image", "pull", image, other)
    assert {image, other} <= {*cluster.wherry("image", "list").split()}
    cluster.wherry("image", "rm", other)
    there = cluster.wherry("image", "list").split()
    assert (image in there, other in there) == (True, False)
    create(cluster, namespace, "user", image, container={"imagePullPolicy": "Never"})
    refused = cluster.try_wherry("image", "rm", image)
    assert (refused.code, refused.err) == (
        1,
        f"wherry: {image}: in use by pod {namespace}/user; delete it first\n",
    )
    cluster.kubectl("delete", "pod", "user", "-n", namespace, "--wait=true")
    cluster.wherry("image", "rm", image)
    assert image not in cluster.wherry("image", "list").split()
    gone = cluster.try_wherry("image", "rm", image)
    assert gone.err == f"wherry: there is no image {image!r}; see: wherry image list\n"
