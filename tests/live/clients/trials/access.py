"""Trials of the commands about who may do what, and of the client's own configuration."""

from __future__ import annotations

import base64
import json
import shutil

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live.clients.trials.base import Bench, Trial


def can_i(bench: Bench) -> None:
    """Yes for the administrator, no for a service account, and the list."""
    assert bench.run("auth", "can-i", "delete", "pods") == "yes\n"
    account = f"--as=system:serviceaccount:{bench.namespace}:default"
    assert bench.attempt("auth", "can-i", "delete", "pods", account).out == "no\n"
    assert "selfsubjectreviews" in bench.run("auth", "can-i", "--list", account)


def whoami(bench: Bench) -> None:
    """The user's groups, one's own and somebody else's."""
    groups = json.loads(bench.run("auth", "whoami", "-o", "json"))["status"]["userInfo"]["groups"]
    assert "system:authenticated" in groups
    other = json.loads(bench.run("auth", "whoami", "-o", "json", "--as=jane", "--as-group=devs"))
    assert other["status"]["userInfo"]["username"] == "jane"


def reconcile(bench: Bench) -> None:
    """Rules missing in a role are added."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        # kubectl takes the namespace of this one file from nowhere else.
        "metadata": {"name": "reconciled", "namespace": bench.namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    }
    bench.run("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    role["rules"] = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    bench.run("auth", "reconcile", "-f", "-", stdin=json.dumps(role))
    verbs = {verb for rule in bench.get("role", "reconciled")["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list"}


def _signing_request(bench: Bench, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM)
    bench.apply(
        {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {
                "request": base64.b64encode(pem).decode(),
                "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": ["client auth"],
            },
        }
    )


def approve(bench: Bench) -> None:
    """A signing request is marked approved."""
    name = f"{bench.namespace}-approved"
    _signing_request(bench, name)
    assert "Pending" in bench.run("get", "csr", name)
    assert "approved" in bench.run("certificate", "approve", name)
    assert "Approved" in bench.run("get", "csr", name)
    bench.run("delete", "csr", name)


def deny(bench: Bench) -> None:
    """A signing request is marked denied."""
    name = f"{bench.namespace}-denied"
    _signing_request(bench, name)
    assert "denied" in bench.run("certificate", "deny", name)
    assert "Denied" in bench.run("get", "csr", name)
    bench.run("delete", "csr", name)


def config(bench: Bench) -> None:
    """Every subcommand, on a copy of the file `wherry up` wrote."""
    copy = bench.directory / "kubeconfig"
    shutil.copy(bench.cluster.environment["KUBECONFIG"], copy)
    own = bench.where(KUBECONFIG=str(copy)).cluster
    assert "certificate-authority" in own.kubectl("config", "view")
    first = own.kubectl("config", "current-context").strip()
    assert first in own.kubectl("config", "get-contexts", "-o", "name").split()
    own.kubectl("config", "set-cluster", "more", "--server=https://127.0.0.1:1")
    own.kubectl("config", "set-credentials", "jane", "--token=t")
    own.kubectl("config", "set-context", "second", "--cluster=more", "--user=jane")
    assert "more" in own.kubectl("config", "get-clusters")
    assert "jane" in own.kubectl("config", "get-users")
    own.kubectl("config", "rename-context", "second", "third")
    own.kubectl("config", "use-context", "third")
    own.kubectl("config", "set", "contexts.third.namespace", "elsewhere")
    own.kubectl("config", "unset", "contexts.third.namespace")
    own.kubectl("config", "use-context", first)
    own.kubectl("config", "delete-context", "third")
    own.kubectl("config", "delete-cluster", "more")
    own.kubectl("config", "delete-user", "jane")
    assert own.kubectl("get", "namespace", bench.namespace, "-o", "name") == f"namespace/{bench.namespace}\n"


def kuberc(bench: Bench) -> None:
    """A default flag set there is used."""
    preferences = "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n"
    own = bench.where(KUBERC=bench.file("kuberc", preferences))
    own.cluster.kubectl("kuberc", "set", "--section=defaults", "--command=get", "--option=output=name")
    assert "output" in own.cluster.kubectl("kuberc", "view")
    assert own.run("get", "serviceaccount", "default") == "serviceaccount/default\n"


ACCESS: tuple[Trial, ...] = (
    Trial("auth can-i", can_i),
    Trial("auth whoami", whoami),
    Trial("auth reconcile", reconcile),
    Trial("certificate approve", approve),
    Trial("certificate deny", deny),
    Trial("config", config),
    Trial("kuberc set, view", kuberc),
)
