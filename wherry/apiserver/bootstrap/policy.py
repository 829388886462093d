"""How bootstrap roles and bindings are said: `lines` reads rules off short texts, the rest makes objects.

A line is verbs, groups, resources and, if it is about named objects, names; each a list with commas.
`core` stands for the core group, `read` and `write` for the verbs that go by these names.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.objects.meta import Object

API = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {AUTOUPDATE: "true"}
READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
VERBS = {"read": READ, "write": WRITE, "all": ("*",)}
EVENTS = "create,patch,update core,events.k8s.io events"


def lines(*texts: str) -> list[Object]:
    """A PolicyRule for each line."""
    return [_rule(*text.split()) for text in texts]


def _rule(verbs: str, groups: str, resources: str, names: str = "") -> Object:
    spelt = {verb for word in verbs.split(",") for verb in VERBS.get(word, (word,))}
    made: Object = {
        "verbs": sorted(spelt),
        "apiGroups": ["" if group == "core" else group for group in groups.split(",")],
        "resources": sorted(resources.split(",")),
    }
    if names:
        made["resourceNames"] = names.split(",")
    return made


def urls(*paths: str) -> Object:
    """A PolicyRule to GET paths."""
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


def _metadata(name: str, namespace: str = "", labels: dict[str, str] | None = None) -> Object:
    made: Object = {"name": name}
    if namespace:
        made["namespace"] = namespace
    return {**made, "labels": {**LABELS, **(labels or {})}, "annotations": dict(ANNOTATIONS)}


def cluster_role(name: str, rules: Sequence[Object], labels: dict[str, str] | None = None) -> Object:
    """A bootstrap ClusterRole."""
    return {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRole",
        "metadata": _metadata(name, labels=labels),
        "rules": list(rules),
    }


def role(namespace: str, name: str, rules: Sequence[Object]) -> Object:
    """A bootstrap Role."""
    return {
        "apiVersion": f"{API}/v1",
        "kind": "Role",
        "metadata": _metadata(name, namespace),
        "rules": list(rules),
    }


def user(name: str) -> Object:
    """A user as the subject of a binding."""
    return {"kind": "User", "apiGroup": API, "name": name}


def group(name: str) -> Object:
    """A group as the subject of a binding."""
    return {"kind": "Group", "apiGroup": API, "name": name}


def account(name: str, namespace: str = "kube-system") -> Object:
    """A service account as the subject of a binding."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def cluster_binding(name: str, *subjects: Object) -> Object:
    """A bootstrap ClusterRoleBinding to the role of the same name."""
    made: Object = {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": _metadata(name),
        "roleRef": {"apiGroup": API, "kind": "ClusterRole", "name": name},
    }
    return {**made, "subjects": list(subjects)} if subjects else made


def binding(namespace: str, name: str, role_name: str, *subjects: Object) -> Object:
    """A bootstrap RoleBinding to a Role of its namespace."""
    return {
        "apiVersion": f"{API}/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(name, namespace),
        "roleRef": {"apiGroup": API, "kind": "Role", "name": role_name},
        "subjects": list(subjects),
    }
