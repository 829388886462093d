"""A kopf operator with admission handlers: it configures its own webhooks and serves them on loopback."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.live.clients.operators import operator
from tests.live.clients.trials.base import config_map
from tests.live.cluster import LiveCluster, until
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki

OPERATOR = """
import os

import kopf


@kopf.on.startup()
def configure(settings, **_):
    settings.admission.managed = "trial.kopf.dev"
    settings.admission.server = kopf.WebhookServer(
        addr="127.0.0.1", host="localhost",
        certfile=os.environ["CERT"], pkeyfile=os.environ["KEY"], cafile=os.environ["CA"],
    )


@kopf.on.mutate("configmaps", labels={"admitted": kopf.PRESENT})
def completed(body, patch, **_):
    patch["data"] = {**body.get("data", {}), "completed": "yes"}


@kopf.on.validate("configmaps", labels={"admitted": kopf.PRESENT}, operation="CREATE")
def checked(body, warnings, userinfo, dryrun, **_):
    warnings.append(f"{userinfo['username']} made it")
    if body["data"].get("color") == "red":
        raise kopf.AdmissionError("red is not a color here", code=451)


@kopf.on.validate("configmaps", labels={"admitted": kopf.PRESENT}, operation="DELETE")
def kept(body, **_):
    if body["data"].get("color") == "gold":
        raise kopf.AdmissionError("gold stays", code=403)
"""


@pytest.fixture(scope="module")
def admitted(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace while the operator runs."""
    name = f"admitted-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    directory = tmp_path_factory.mktemp("operator")
    with operator(cluster, name, directory, OPERATOR, **certificates(directory)):
        for kind in ("mutating", "validating"):
            what = f"{kind}webhookconfiguration/trial.kopf.dev"
            path = "--for=jsonpath={.webhooks[0].clientConfig.url}"
            until(partial(_is_there, cluster, what))
            cluster.kubectl("wait", what, path, "--timeout=60s")
        yield name
        cluster.kubectl("delete", "configmap", "--all", "-n", name)
    for kind in ("mutating", "validating"):
        cluster.kubectl("delete", f"{kind}webhookconfiguration", "trial.kopf.dev", "--ignore-not-found")
    cluster.kubectl("delete", "namespace", name, "--timeout=90s")


def _is_there(cluster: LiveCluster, what: str) -> bool:
    return cluster.try_kubectl("get", what).code == 0


def certificates(directory: Path) -> dict[str, str]:
    """Variables that name what the operator serves its webhooks with."""
    pki = Pki(directory / "pki", datetime.now(UTC))
    pair = pki.leaf("webhook", Subject(common_name="webhook", hosts=("localhost", "127.0.0.1")))
    return {"CERT": str(pair.cert), "KEY": str(pair.key), "CA": str(pki.authority.cert)}


def create(cluster: LiveCluster, namespace: str, name: str, color: str, *more: str) -> tuple[int, str]:
    """Create a config map with a color; exit code, and what went to stderr."""
    made = config_map(name, color=color)
    made["metadata"]["labels"] = {"admitted": "yes"}
    done = cluster.try_kubectl("create", "-n", namespace, "-f", "-", *more, stdin=json.dumps(made))
    return done.code, done.err


def test_mutation(cluster: LiveCluster, admitted: str) -> None:
    """What the handler adds is stored, and its warning reaches kubectl."""
    code, err = create(cluster, admitted, "blue", "blue")
    assert (code, err.strip()) == (0, "Warning: kubernetes-admin made it")
    assert cluster.get("configmap", "blue", "-n", admitted)["data"] == {"color": "blue", "completed": "yes"}


def test_refusals(cluster: LiveCluster, admitted: str) -> None:
    """What the handlers refuse is not created, and not deleted; a dry run is asked about as well."""
    for flags in ((), ("--dry-run=server",)):
        code, err = create(cluster, admitted, "red", "red", *flags)
        assert code == 1
        assert 'admission webhook "checked.trial.kopf.dev" denied the request: red is not a color here' in err
    create(cluster, admitted, "gold", "gold")
    done = cluster.try_kubectl("delete", "configmap", "gold", "-n", admitted)
    assert done.code == 1
    assert 'admission webhook "kept.trial.kopf.dev" denied the request: gold stays' in done.err
    patch = '{"data":{"color":"grey"}}'
    cluster.kubectl("patch", "configmap", "gold", "-n", admitted, "--type=merge", "-p", patch)
    cluster.kubectl("delete", "configmap", "gold", "-n", admitted)
