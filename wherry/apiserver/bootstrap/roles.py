"""Upstream's bootstrap policy, as far as this cluster's components and users need it.

admin, edit and view are aggregated: whoever labels a ClusterRole
`rbac.authorization.k8s.io/aggregate-to-view: "true"` adds to them.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.objects.meta import Object

API = "rbac.authorization.k8s.io"
LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
ANNOTATIONS = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")
ALL = ("*",)

EDITABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "",
        (
            "configmaps",
            "endpoints",
            "events",
            "persistentvolumeclaims",
            "pods",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "secrets",
            "serviceaccounts",
            "services",
            "services/proxy",
        ),
    ),
    (
        "apps",
        (
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "replicasets",
            "replicasets/scale",
            "statefulsets",
            "statefulsets/scale",
        ),
    ),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("batch", ("cronjobs", "jobs")),
    (
        "extensions",
        (
            "daemonsets",
            "deployments",
            "deployments/rollback",
            "deployments/scale",
            "ingresses",
            "networkpolicies",
            "replicasets",
            "replicasets/scale",
            "replicationcontrollers/scale",
        ),
    ),
    ("networking.k8s.io", ("ingresses", "networkpolicies")),
    ("policy", ("poddisruptionbudgets",)),
    ("coordination.k8s.io", ("leases",)),
    ("resource.k8s.io", ("resourceclaims", "resourceclaimtemplates")),
)
VIEWABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "",
        (
            "bindings",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "namespaces/status",
            "persistentvolumeclaims",
            "persistentvolumeclaims/status",
            "pods",
            "pods/log",
            "pods/status",
            "replicationcontrollers",
            "replicationcontrollers/scale",
            "replicationcontrollers/status",
            "resourcequotas",
            "resourcequotas/status",
            "serviceaccounts",
            "services",
            "services/status",
        ),
    ),
    (
        "apps",
        (
            "controllerrevisions",
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "statefulsets",
            "statefulsets/scale",
            "statefulsets/status",
        ),
    ),
    ("autoscaling", ("horizontalpodautoscalers", "horizontalpodautoscalers/status")),
    ("batch", ("cronjobs", "cronjobs/status", "jobs", "jobs/status")),
    ("discovery.k8s.io", ("endpointslices",)),
    (
        "extensions",
        (
            "daemonsets",
            "daemonsets/status",
            "deployments",
            "deployments/scale",
            "deployments/status",
            "ingresses",
            "ingresses/status",
            "networkpolicies",
            "replicasets",
            "replicasets/scale",
            "replicasets/status",
            "replicationcontrollers/scale",
        ),
    ),
    ("networking.k8s.io", ("ingresses", "ingresses/status", "networkpolicies")),
    ("policy", ("poddisruptionbudgets", "poddisruptionbudgets/status")),
    ("resource.k8s.io", ("resourceclaims", "resourceclaims/status", "resourceclaimtemplates")),
)


def rule(verbs: Sequence[str], group: str, resources: Sequence[str], names: Sequence[str] = ()) -> Object:
    """A PolicyRule for resources of one group."""
    made: Object = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}
    if names:
        made["resourceNames"] = list(names)
    return made


def urls(*paths: str) -> Object:
    """A PolicyRule to GET paths."""
    return {"verbs": ["get"], "nonResourceURLs": list(paths)}


EVENTS_RULES = [rule(("create", "patch", "update"), group, ("events",)) for group in ("", "events.k8s.io")]
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version", "/version/")
DISCOVERY_PATHS = (
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
)


def cluster_role(name: str, rules: Sequence[Object], labels: dict[str, str] | None = None) -> Object:
    """A bootstrap ClusterRole."""
    return {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": {**LABELS, **(labels or {})},
            "annotations": dict(ANNOTATIONS),
        },
        "rules": list(rules),
    }


def _aggregated(name: str, rules: Sequence[Object], extra: dict[str, str] | None = None) -> Object:
    selector = {"matchLabels": {f"{API}/aggregate-to-{name}": "true"}}
    role = cluster_role(name, rules, extra)
    return {**role, "aggregationRule": {"clusterRoleSelectors": [selector]}}


def _aggregate(to: str, rules: Sequence[Object]) -> Object:
    return cluster_role(f"system:aggregate-to-{to}", rules, {f"{API}/aggregate-to-{to}": "true"})


def _view_rules() -> list[Object]:
    return [rule(READ, group, resources) for group, resources in VIEWABLE]


def _edit_rules() -> list[Object]:
    return [
        rule(
            READ,
            "",
            ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"),
        ),
        rule(("impersonate",), "", ("serviceaccounts",)),
        rule(("create", *WRITE[1:]), "", ("pods/attach", "pods/exec", "pods/portforward", "pods/proxy")),
        rule(("create",), "", ("pods/eviction", "serviceaccounts/token")),
        *(rule(WRITE, group, resources) for group, resources in EDITABLE),
        rule(READ, "coordination.k8s.io", ("leases",)),
    ]


def _admin_rules() -> list[Object]:
    return [
        rule(("create",), "authorization.k8s.io", ("localsubjectaccessreviews",)),
        rule((*READ, *WRITE), API, ("rolebindings", "roles")),
    ]


def cluster_roles() -> list[Object]:
    """Every bootstrap ClusterRole."""
    view, edit, admin = _view_rules(), _edit_rules(), _admin_rules()
    return [
        cluster_role("cluster-admin", [rule(ALL, "*", ALL), {"verbs": ["*"], "nonResourceURLs": ["*"]}]),
        _aggregate("view", view),
        _aggregate("edit", edit),
        _aggregate("admin", admin),
        _aggregated("view", view, {f"{API}/aggregate-to-edit": "true"}),
        _aggregated("edit", [*edit, *view], {f"{API}/aggregate-to-admin": "true"}),
        _aggregated("admin", [*admin, *edit, *view]),
        cluster_role("system:discovery", [urls(*DISCOVERY_PATHS)]),
        cluster_role("system:public-info-viewer", [urls(*OPEN_PATHS)]),
        cluster_role("system:basic-user", _basic_user_rules()),
        cluster_role(
            "system:service-account-issuer-discovery",
            [
                urls(
                    "/.well-known/openid-configuration",
                    "/.well-known/openid-configuration/",
                    "/openid/v1/jwks",
                    "/openid/v1/jwks/",
                )
            ],
        ),
        cluster_role(
            "system:monitoring",
            [
                urls(
                    "/healthz",
                    "/healthz/*",
                    "/livez",
                    "/livez/*",
                    "/metrics",
                    "/metrics/slis",
                    "/readyz",
                    "/readyz/*",
                )
            ],
        ),
        cluster_role("system:auth-delegator", _delegator_rules()),
        cluster_role("system:node-proxier", _proxier_rules()),
        cluster_role("system:kube-scheduler", _scheduler_rules()),
        cluster_role("system:kube-controller-manager", _controller_rules()),
        cluster_role("system:node", []),
        cluster_role(
            "system:node-bootstrapper",
            [rule(("create", *READ), "certificates.k8s.io", ("certificatesigningrequests",))],
        ),
        cluster_role("system:kube-dns", [rule(("list", "watch"), "", ("endpoints", "services"))]),
        cluster_role("system:kubelet-api-admin", _kubelet_api_rules()),
    ]


def _basic_user_rules() -> list[Object]:
    return [
        rule(("create",), "authorization.k8s.io", ("selfsubjectaccessreviews", "selfsubjectrulesreviews")),
        rule(("create",), "authentication.k8s.io", ("selfsubjectreviews",)),
    ]


def _delegator_rules() -> list[Object]:
    return [
        rule(("create",), "authentication.k8s.io", ("tokenreviews",)),
        rule(("create",), "authorization.k8s.io", ("subjectaccessreviews",)),
    ]


def _kubelet_api_rules() -> list[Object]:
    return [
        rule(READ, "", ("nodes",)),
        rule(("proxy",), "", ("nodes",)),
        rule(ALL, "", ("nodes/log", "nodes/metrics", "nodes/proxy", "nodes/stats")),
    ]


def _proxier_rules() -> list[Object]:
    return [
        rule(("list", "watch"), "", ("endpoints", "services")),
        rule(READ, "", ("nodes",)),
        *EVENTS_RULES,
        rule(("list", "watch"), "discovery.k8s.io", ("endpointslices",)),
        rule(("list", "watch"), "networking.k8s.io", ("servicecidrs",)),
    ]


def _scheduler_rules() -> list[Object]:
    return [
        *EVENTS_RULES,
        rule(("create", "get", "list", "update", "watch", "patch"), "coordination.k8s.io", ("leases",)),
        rule(READ, "", ("namespaces", "nodes", "persistentvolumes", "replicationcontrollers", "services")),
        rule(("delete", *READ), "", ("pods",)),
        rule(("create",), "", ("bindings", "pods/binding")),
        rule(("patch", "update"), "", ("pods/status",)),
        rule((*READ, "update", "patch"), "", ("persistentvolumeclaims",)),
        rule(READ, "apps", ("replicasets", "statefulsets")),
        rule(READ, "policy", ("poddisruptionbudgets",)),
        rule(READ, "scheduling.k8s.io", ("priorityclasses",)),
        rule(
            READ,
            "storage.k8s.io",
            ("csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"),
        ),
        rule(READ, "resource.k8s.io", ("deviceclasses", "resourceclaims", "resourceslices")),
        rule(("update", "patch"), "resource.k8s.io", ("resourceclaims", "resourceclaims/status")),
        *_delegator_rules(),
    ]


def _controller_rules() -> list[Object]:
    """All that upstream's many controller roles allow together: they run as one user here."""
    return [
        *EVENTS_RULES,
        rule(READ, "*", ALL),
        urls("/api", "/api/*", "/apis", "/apis/*", "/version"),
        rule(("create", "delete", "deletecollection", "patch", "update"), "*", ALL),
    ]


def cluster_role_bindings() -> list[Object]:
    """Every bootstrap ClusterRoleBinding."""
    groups = {
        "cluster-admin": ("system:masters",),
        "system:discovery": ("system:authenticated",),
        "system:basic-user": ("system:authenticated",),
        "system:public-info-viewer": ("system:authenticated", "system:unauthenticated"),
        "system:service-account-issuer-discovery": ("system:serviceaccounts",),
        "system:monitoring": ("system:monitoring",),
    }
    users = {
        "system:node-proxier": "system:kube-proxy",
        "system:kube-scheduler": "system:kube-scheduler",
        "system:kube-controller-manager": "system:kube-controller-manager",
    }
    return [
        *(_binding(name, [_subject("Group", g) for g in members]) for name, members in groups.items()),
        *(_binding(name, [_subject("User", user)]) for name, user in users.items()),
        _binding("system:node", []),
        _binding(
            "system:kube-dns",
            [{"kind": "ServiceAccount", "name": "kube-dns", "namespace": "kube-system"}],
        ),
    ]


def _subject(kind: str, name: str) -> Object:
    return {"kind": kind, "apiGroup": API, "name": name}


def _binding(role: str, subjects: Sequence[Object]) -> Object:
    made: Object = {
        "apiVersion": f"{API}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role, "labels": dict(LABELS), "annotations": dict(ANNOTATIONS)},
        "roleRef": {"apiGroup": API, "kind": "ClusterRole", "name": role},
    }
    if subjects:
        made["subjects"] = list(subjects)
    return made


def roles() -> list[Object]:
    """Bootstrap Roles in namespaces."""
    return [
        {
            "apiVersion": f"{API}/v1",
            "kind": "Role",
            "metadata": {
                "name": "extension-apiserver-authentication-reader",
                "namespace": "kube-system",
                "labels": dict(LABELS),
                "annotations": dict(ANNOTATIONS),
            },
            "rules": [rule(READ, "", ("configmaps",), ("extension-apiserver-authentication",))],
        }
    ]


def role_bindings() -> list[Object]:
    """Bootstrap RoleBindings in namespaces."""
    return [
        {
            "apiVersion": f"{API}/v1",
            "kind": "RoleBinding",
            "metadata": {
                "name": "system::extension-apiserver-authentication-reader",
                "namespace": "kube-system",
                "labels": dict(LABELS),
                "annotations": dict(ANNOTATIONS),
            },
            "roleRef": {
                "apiGroup": API,
                "kind": "Role",
                "name": "extension-apiserver-authentication-reader",
            },
            "subjects": [
                _subject("User", "system:kube-controller-manager"),
                _subject("User", "system:kube-scheduler"),
            ],
        }
    ]
