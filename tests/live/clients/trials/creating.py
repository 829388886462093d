"""Trials of `kubectl create`: each generator makes its object, read back from the server."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Callable
from typing import Any

from tests.live.clients.trials.base import Bench, Trial, config_map
from tests.live.cluster import BUSYBOX


def file(bench: Bench) -> None:
    """Objects from standard input; again is refused."""
    text = json.dumps(config_map("filed", a="1"))
    assert bench.run("create", "-f", "-", stdin=text) == "configmap/filed created\n"
    again = bench.attempt("create", "-f", "-", stdin=text)
    assert "Error from server (AlreadyExists): " in again.err
    assert 'configmaps "filed" already exists' in again.err


def dry_run(bench: Bench) -> None:
    """The server checks and fills in, and keeps nothing."""
    shown = bench.run("create", "deployment", "dry", f"--image={BUSYBOX}", "--dry-run=server", "-o", "json")
    assert json.loads(shown)["spec"]["revisionHistoryLimit"] == 10
    assert "NotFound" in bench.attempt("get", "deployment", "dry").err


def namespace(bench: Bench) -> None:
    """A namespace, deleted afterwards."""
    name = f"{bench.namespace}-more"
    bench.cluster.kubectl("create", "namespace", name)
    assert bench.get("namespace", name)["status"]["phase"] == "Active"
    bench.cluster.kubectl("delete", "namespace", name, "--timeout=60s")


def secret_generic(bench: Bench) -> None:
    """A secret from a literal and a file."""
    path = bench.file("token", "xyz")
    bench.run("create", "secret", "generic", "gen", "--from-literal=a=b", f"--from-file={path}")
    data = bench.get("secret", "gen")["data"]
    assert {key: base64.b64decode(value) for key, value in data.items()} == {"a": b"b", "token": b"xyz"}


def secret_registry(bench: Bench) -> None:
    """Credentials of a registry."""
    bench.run(
        *("create", "secret", "docker-registry", "reg", "--docker-server=registry.invalid"),
        *("--docker-username=u", "--docker-password=p"),
    )
    found = bench.get("secret", "reg")
    assert found["type"] == "kubernetes.io/dockerconfigjson"
    assert b"registry.invalid" in base64.b64decode(found["data"][".dockerconfigjson"])


def secret_tls(bench: Bench) -> None:
    """A certificate with its key."""
    config = json.loads(bench.cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    user = config["users"][0]["user"]
    pair = []
    for name in ("client-certificate", "client-key"):
        inline = user.get(f"{name}-data")
        pair.append(bench.file(name, base64.b64decode(inline).decode()) if inline else user[name])
    bench.run("create", "secret", "tls", "tls", f"--cert={pair[0]}", f"--key={pair[1]}")
    assert set(bench.get("secret", "tls")["data"]) == {"tls.crt", "tls.key"}


def token(bench: Bench) -> None:
    """A token of a service account, which the server takes."""
    made = bench.run("create", "token", "default", "--duration=10m").strip()
    who = bench.cluster.kubectl(
        "get", "--raw", "/api", f"--token={made}", "--kubeconfig=/dev/null", *_server(bench)
    )
    assert "v1" in who


def _server(bench: Bench) -> tuple[str, str]:
    config = json.loads(bench.cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    return f"--server={config['clusters'][0]['cluster']['server']}", "--insecure-skip-tls-verify"


def generated(kind: str, name: str, arguments: str, facts: dict[str, Any], bench: Bench) -> None:
    """Run the generator and compare `facts`, keyed by dotted paths, with what the server has."""
    bench.run("create", *arguments.split())
    found = bench.get(kind, name)
    for path, wanted in facts.items():
        value = found
        for step in path.split("."):
            value = value[int(step)] if step.isdigit() else value[step]
        assert value == wanted, f"{path} is {value!r}"


def _generator(command: str, tried: str, kind: str, arguments: str, facts: dict[str, Any]) -> Trial:
    name = arguments.split()[command.count(" ") + 1]
    attempt: Callable[[Bench], None] = functools.partial(generated, kind, name, arguments, facts)
    attempt.__doc__ = tried
    return Trial(f"create {command}", attempt)


CREATING: tuple[Trial, ...] = (
    Trial("create -f", file),
    Trial("create --dry-run=server", dry_run),
    Trial("create namespace", namespace),
    Trial("create secret generic", secret_generic),
    Trial("create secret docker-registry", secret_registry),
    Trial("create secret tls", secret_tls),
    Trial("create token", token),
    _generator(
        "clusterrole",
        "A cluster role by verbs and kinds",
        "clusterrole",
        "clusterrole trial-reader --verb=get,list --resource=pods",
        {"rules.0.verbs": ["get", "list"], "rules.0.resources": ["pods"]},
    ),
    _generator(
        "clusterrolebinding",
        "A user bound to a cluster role",
        "clusterrolebinding",
        "clusterrolebinding trial-binding --clusterrole=view --user=jane",
        {"roleRef.name": "view", "subjects.0.name": "jane"},
    ),
    _generator(
        "configmap", "Data from a literal", "configmap", "configmap lit --from-literal=a=b", {"data.a": "b"}
    ),
    _generator(
        "cronjob",
        "A schedule",
        "cronjob",
        f"cronjob nightly --image={BUSYBOX} --schedule=@daily -- true",
        {"spec.schedule": "@daily", "spec.jobTemplate.spec.template.spec.containers.0.command": ["true"]},
    ),
    _generator(
        "deployment",
        "A Deployment with replicas and a port",
        "deployment",
        f"deployment made --image={BUSYBOX} --replicas=0 --port=80",
        {"spec.replicas": 0, "spec.template.spec.containers.0.ports.0.containerPort": 80},
    ),
    _generator(
        "ingress",
        "A rule with a host; stored, not acted on yet",
        "ingress",
        "ingress front --rule=example.invalid/*=web:80",
        {"spec.rules.0.host": "example.invalid", "spec.rules.0.http.paths.0.pathType": "Prefix"},
    ),
    _generator(
        "job",
        "A Job with a command",
        "job",
        f"job once --image={BUSYBOX} -- true",
        {"spec.completions": 1, "spec.template.spec.restartPolicy": "Never"},
    ),
    _generator(
        "poddisruptionbudget",
        "A budget by selector",
        "poddisruptionbudget",
        "poddisruptionbudget budget --selector=app=nothing --min-available=1",
        {"spec.minAvailable": 1},
    ),
    _generator(
        "priorityclass",
        "A priority",
        "priorityclass",
        "priorityclass trial-high --value=1000",
        {"value": 1000, "preemptionPolicy": "PreemptLowerPriority"},
    ),
    _generator("quota", "Hard limits", "quota", "quota few --hard=secrets=50", {"spec.hard.secrets": "50"}),
    _generator(
        "role",
        "A role by verbs and kinds of a group",
        "role",
        "role editor --verb=update --resource=deployments.apps",
        {"rules.0.apiGroups": ["apps"], "rules.0.resources": ["deployments"]},
    ),
    _generator(
        "rolebinding",
        "A service account bound to a cluster role",
        "rolebinding",
        "rolebinding viewers --clusterrole=view --serviceaccount=default:default",
        {"subjects.0.kind": "ServiceAccount", "roleRef.name": "view"},
    ),
    _generator(
        "service clusterip",
        "A ClusterIP is allocated",
        "service",
        "service clusterip inner --tcp=80:8080",
        {"spec.type": "ClusterIP", "spec.ports.0.targetPort": 8080},
    ),
    _generator(
        "service externalname",
        "A name outside",
        "service",
        "service externalname outer --external-name=example.invalid",
        {"spec.externalName": "example.invalid"},
    ),
    _generator(
        "service loadbalancer",
        "A Service of type LoadBalancer; stored, not acted on yet",
        "service",
        "service loadbalancer balanced --tcp=80",
        {"spec.type": "LoadBalancer", "spec.allocateLoadBalancerNodePorts": True},
    ),
    _generator(
        "service nodeport",
        "A Service of type NodePort",
        "service",
        "service nodeport noded --tcp=80",
        {"spec.type": "NodePort", "spec.externalTrafficPolicy": "Cluster"},
    ),
    _generator("serviceaccount", "A service account", "serviceaccount", "serviceaccount robot", {}),
)
