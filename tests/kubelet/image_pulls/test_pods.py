"""Pods that ask for an image somebody else pulled, through a whole agent."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.kubelet.rig import Node, node, state, waiting
from wherry.api.core.pods import PODS
from wherry.api.core.secrets import SECRETS
from wherry.kubelet.runtimes.failures import RuntimeFailure
from wherry.kubelet.runtimes.images import Image

PRIVATE = "reg.example/private:1"
SPEC = {"imagePullSecrets": [{"name": "pull"}]}


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as running:
        running.runtime.pullable[PRIVATE] = Image("sha256:" + "d" * 64, (PRIVATE,), 7)
        auths = {"auths": {"reg.example": {"username": "u", "password": "p"}}}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "pull", "namespace": "default"},
            "type": "kubernetes.io/dockerconfigjson",
            "data": {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()},
        }
        await running.admin.create(SECRETS, secret)
        yield running


async def test_a_cached_private_image_is_for_those_who_could_pull_it(made: Node) -> None:
    container = {"image": PRIVATE, "imagePullPolicy": "IfNotPresent"}
    await made.create("first", container, **SPEC)
    await made.ready("first")
    assert made.runtime.auths[-1] == {"username": "u", "password": "p"}
    await made.create("second", container, **SPEC)
    await made.ready("second")
    assert made.runtime.calls["pull_image"] == 1
    await made.said(
        "Pulled", f'Container image "{PRIVATE}" already present on machine and can be accessed by the pod'
    )
    made.runtime.failures["pull_image"] = [RuntimeFailure("401 Unauthorized", "ErrImagePull")]
    await made.create("stranger", container)
    status = await made.until("stranger", lambda s: waiting(s) == "ErrImagePull")
    assert state(status)["waiting"]["message"] == "401 Unauthorized"
    assert not made.runtime.auths[-1]

    async def backs_off() -> bool:
        await made.clock.advance(1)
        return waiting(await made.status("stranger")) == "ImagePullBackOff"

    await eventually(backs_off)
    shown = state(await made.status("stranger"))["waiting"]["message"]
    assert shown == f'Back-off pulling image "{PRIVATE}": ErrImagePull: 401 Unauthorized'


async def test_what_a_pod_pulled_that_went_meanwhile_is_nobody_elses(made: Node) -> None:
    made.runtime.gates["pull_image"] = asyncio.Event()
    await made.create("first", {"image": PRIVATE}, **SPEC)
    await eventually(lambda: made.runtime.calls["pull_image"] == 1)
    await made.admin.delete(PODS, "first", "default", grace_period_s=0)
    await eventually(lambda: made.gone("first"))
    made.runtime.gates.pop("pull_image").set()

    async def is_there() -> bool:
        return await made.runtime.image(PRIVATE) is not None

    await eventually(is_there)
    made.runtime.failures["pull_image"] = [RuntimeFailure("401 Unauthorized", "ErrImagePull")]
    await made.create("stranger", {"image": PRIVATE, "imagePullPolicy": "IfNotPresent"})
    await made.until("stranger", lambda s: waiting(s) == "ErrImagePull")


async def test_never_does_not_tell_strangers_that_an_image_is_there(made: Node) -> None:
    await made.create("first", {"image": PRIVATE}, **SPEC)
    await made.ready("first")
    await made.create("stranger", {"image": PRIVATE, "imagePullPolicy": "Never"})
    status = await made.until("stranger", lambda s: waiting(s) == "ErrImageNeverPull")
    message = f'Container image "{PRIVATE}" is not present with pull policy of Never'
    assert state(status)["waiting"]["message"] == message
    await made.create("friend", {"image": PRIVATE, "imagePullPolicy": "Never"}, **SPEC)
    await made.ready("friend")


async def test_it_holds_after_a_restart_of_the_agent(made: Node) -> None:
    await made.create("first", {"image": PRIVATE}, **SPEC)
    await made.ready("first")
    await made.restart()
    await made.create("stranger", {"image": PRIVATE, "imagePullPolicy": "Never"})
    await made.until("stranger", lambda s: waiting(s) == "ErrImageNeverPull")
