"""Admission policies as kubectl meets them, and a webhook that runs in a pod behind a Service."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.live.cluster import LiveCluster, until
from wherry.cluster.leaves import Subject
from wherry.cluster.pki import Pki

API = "admissionregistration.k8s.io/v1"
PYTHON = "docker.io/library/python:3.11"
SERVER = """
import base64, http.server, json, ssl

class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review.pop("request")
        response = {"uid": request["uid"], "allowed": True}
        if self.path.startswith("/mutate"):
            patch = [{"op": "add", "path": "/metadata/annotations", "value": {"seen-by": "pod"}}]
            response["patchType"] = "JSONPatch"
            response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
        elif (request["object"].get("data") or {}).get("bad"):
            response["allowed"] = False
            response["status"] = {"message": "bad data", "code": 403, "reason": "Forbidden"}
        body = json.dumps({**review, "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server = http.server.ThreadingHTTPServer(("", 8443), Hook)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def apply(cluster: LiveCluster, *items: Any) -> None:
    """Apply objects."""
    body = {"apiVersion": "v1", "kind": "List", "items": list(items)}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(body))


def here(namespace: str) -> dict[str, Any]:
    """The selector of one namespace."""
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def item(kind: str, name: str, **parts: Any) -> dict[str, Any]:
    """An object of the group."""
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name}, **parts}


def rules(group: str, resource: str) -> dict[str, Any]:
    """Writes of a resource."""
    rule = {
        "apiGroups": [group],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [resource],
    }
    return {"resourceRules": [rule]}


def test_validating_policy(cluster: LiveCluster, namespace: str) -> None:
    """A policy on the replicas of Deployments refuses, in upstream's words, what breaks it."""
    name = f"replicas-{namespace}"
    expression = "object.spec.replicas <= 2"
    validation = {
        "expression": expression,
        "messageExpression": "'at most 2, not ' + string(object.spec.replicas)",
    }
    spec = {"matchConstraints": rules("apps", "deployments"), "validations": [validation]}
    match = {"namespaceSelector": here(namespace)}
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": match}
    apply(
        cluster,
        item("ValidatingAdmissionPolicy", name, spec=spec),
        item("ValidatingAdmissionPolicyBinding", name, spec=bound),
    )
    create = ("create", "deployment", "web", "-n", namespace, "--image=none/none:1")
    done = cluster.try_kubectl(*create, "--replicas=5")
    assert done.code == 1
    assert done.err.strip() == (
        f'error: failed to create deployment: deployments.apps "web" is forbidden: ValidatingAdmissionPolicy '
        f"'{name}' with binding '{name}' denied request: at most 2, not 5"
    )
    cluster.kubectl(*create, "--replicas=1")
    for change in ("--replicas=3", "--replicas=2"):
        cluster.try_kubectl("scale", "deployment/web", "-n", namespace, change)
    patch = '{"spec":{"replicas":7}}'
    done = cluster.try_kubectl("patch", "deployment", "web", "-n", namespace, "-p", patch)
    assert "at most 2, not 7" in done.err
    checked = "--for=jsonpath={.status.observedGeneration}=1"
    cluster.kubectl("wait", "validatingadmissionpolicy", name, checked, "--timeout=60s")
    cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def test_mutating_policy(cluster: LiveCluster, namespace: str) -> None:
    """A policy adds a label to every pod, those of a Deployment's ReplicaSet too."""
    name = f"label-{namespace}"
    expression = 'Object{metadata: Object.metadata{labels: Object.metadata.labels{team: "blue"}}}'
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}
    spec = {
        "matchConstraints": rules("", "pods"),
        "mutations": [mutation],
        "reinvocationPolicy": "Never",
    }
    bound = {"policyName": name, "matchResources": {"namespaceSelector": here(namespace)}}
    apply(
        cluster,
        item("MutatingAdmissionPolicy", name, spec=spec),
        item("MutatingAdmissionPolicyBinding", name, spec=bound),
    )
    cluster.kubectl("create", "deployment", "web", "-n", namespace, "--image=none/none:1")
    until(lambda: len(cluster.get("pods", "-n", namespace, "-l", "team=blue,app=web")["items"]) == 1)
    cluster.kubectl("delete", "mutatingadmissionpolicy,mutatingadmissionpolicybinding", name)


def test_webhook_in_a_pod(cluster: LiveCluster, namespace: str, tmp_path: Path) -> None:
    """A server in the cluster is asked through its Service, and its absence is told."""
    archive = tmp_path / "python.tar"
    packages = ("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib")
    cluster.wherry("image", "pack", *packages, "--name", PYTHON, "--output", str(archive))
    cluster.wherry("image", "load", str(archive))
    pki = Pki(tmp_path / "pki", datetime.now(UTC))
    pair = pki.leaf("hook", Subject(common_name="hook", hosts=(f"hook.{namespace}.svc",)))
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    at = ("-n", namespace)
    cluster.kubectl("create", "configmap", "code", *at, f"--from-file={script}")
    cluster.kubectl("create", "secret", "tls", "tls", *at, f"--cert={pair.cert}", f"--key={pair.key}")
    volumes = [
        {"name": "code", "configMap": {"name": "code"}},
        {"name": "tls", "secret": {"secretName": "tls"}},
    ]
    container = {
        "name": "hook",
        "image": PYTHON,
        "command": ["/usr/bin/python3.11", "/code/server.py"],
        "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
        "volumeMounts": [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in volumes],
    }
    meta = {"name": "hook", "namespace": namespace, "labels": {"app": "hook"}}
    pod = {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}
    ports = [{"port": 443, "targetPort": 8443}]
    apply(
        cluster,
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": "hook"}, "ports": ports},
        },
    )
    cluster.kubectl("wait", "pod/hook", *at, "--for=condition=Ready", "--timeout=60s")
    configure(cluster, namespace, pki.authority.cert.read_bytes())
    cluster.kubectl("create", "configmap", "good", *at, "--from-literal=a=b")
    good = cluster.get("configmap", "good", *at)
    assert good["metadata"]["annotations"] == {"seen-by": "pod"}
    done = cluster.try_kubectl("create", "configmap", "bad", *at, "--from-literal=bad=yes")
    assert 'admission webhook "check.example.com" denied the request: bad data' in done.err
    cluster.kubectl("delete", "pod", "hook", *at)
    done = cluster.try_kubectl("create", "configmap", "later", *at)
    assert 'failed calling webhook "complete.example.com": failed to call webhook: Post' in done.err
    for kind in ("mutating", "validating"):
        cluster.kubectl("delete", f"{kind}webhookconfiguration", f"hook-{namespace}")
    cluster.kubectl("create", "configmap", "later", *at)


def configure(cluster: LiveCluster, namespace: str, authority: bytes) -> None:
    """Webhooks for the config maps of the namespace."""
    rule = {**rules("", "configmaps")["resourceRules"][0], "operations": ["CREATE"]}

    def webhook(name: str, path: str) -> dict[str, Any]:
        service = {"namespace": namespace, "name": "hook", "path": path}
        return {
            "name": f"{name}.example.com",
            "clientConfig": {"service": service, "caBundle": base64.b64encode(authority).decode()},
            "rules": [rule],
            "namespaceSelector": here(namespace),
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }

    name = f"hook-{namespace}"
    apply(
        cluster,
        item("MutatingWebhookConfiguration", name, webhooks=[webhook("complete", "/mutate")]),
        item("ValidatingWebhookConfiguration", name, webhooks=[webhook("check", "/validate")]),
    )
