"""An unmodified kubectl with a definition and its objects."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.apiserver.customresources.samples import cron_tab, definition
from tests.apiserver.rig import running
from tests.apiserver.test_kubectl import Kubectl

pytestmark = pytest.mark.slow


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """kubectl, and a server it talks to."""
    async with running() as rig:
        yield Kubectl(rig, tmp_path)


async def test_a_kind_of_ones_own_from_definition_to_deletion(kubectl: Kubectl) -> None:
    crd = definition()
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["description"] = "What is to run, and when."
    spec["x-kubernetes-validations"] = [
        {"rule": "!has(self.replicas) || self.replicas != 7", "message": "seven is right out"}
    ]
    name = crd["metadata"]["name"]
    assert await kubectl("apply", "-f", "-", stdin=json.dumps(crd)) == (
        0,
        f"customresourcedefinition.apiextensions.k8s.io/{name} created\n",
    )
    assert (await kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s"))[0] == 0
    assert await kubectl("apply", "-f", "-", stdin=json.dumps(cron_tab("a", replicas=2))) == (
        0,
        "crontab.stable.example.com/a created\n",
    )
    assert (await kubectl.json("get", "ct", "a"))["spec"]["image"] == "busybox"
    _, text = await kubectl("get", "ct", "-o", "wide")
    assert text.splitlines()[0].split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    _, text = await kubectl("get", "all")
    assert "crontab.stable.example.com/a" in text
    _, text = await kubectl("explain", "ct.spec")
    assert "What is to run, and when." in text
    assert "cronSpec\t<string> -required-" in text
    assert await kubectl("scale", "ct/a", "--replicas=3") == (0, "crontab.stable.example.com/a scaled\n")
    code, _ = await kubectl("patch", "ct", "a", "--type=merge", "-p", '{"spec":{"color":"red"}}')
    assert code == 0
    code, text = await kubectl("patch", "ct", "a", "--type=merge", "-p", '{"spec":{"replicas":7}}')
    assert (code, "seven is right out" in text) == (1, True)
    code, text = await kubectl("apply", "-f", "-", stdin=json.dumps(cron_tab("b", typo=1)))
    assert (code, 'unknown field "spec.typo"' in text) == (1, True)
    code, text = await kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(cron_tab("b")))
    assert code == 0, text
    _, text = await kubectl("get", "apiservices", "v1.stable.example.com")
    assert "Local" in text
    assert await kubectl("delete", "ct", "b") == (
        0,
        'crontab.stable.example.com "b" deleted from default namespace\n',
    )
    code, text = await kubectl("delete", "crd", name)
    assert code == 0, text
    code, text = await kubectl("get", "crontabs.stable.example.com")
    assert (code, text.startswith('error: the server doesn\'t have a resource type "crontabs"')) == (1, True)
