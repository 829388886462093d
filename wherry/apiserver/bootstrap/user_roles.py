"""Roles for people: cluster-admin, admin, edit, view, and what everybody may ask about.

admin, edit and view are aggregated: whoever labels a ClusterRole
`rbac.authorization.k8s.io/aggregate-to-view: "true"` adds to them. They begin with the rules a controller
would gather for them, in its order, so that it has nothing to write.
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.apiserver.bootstrap.policy import API, cluster_role, lines, urls
from wherry.objects.meta import Object

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
MONITORED_PATHS = (
    "/flagz",
    "/healthz",
    "/healthz/*",
    "/livez",
    "/livez/*",
    "/metrics",
    "/metrics/slis",
    "/readyz",
    "/readyz/*",
    "/statusz",
)

_SCALED = "deployments,deployments/scale,replicasets,replicasets/scale"
_PODS_BELOW = "pods/attach,pods/exec,pods/portforward,pods/proxy"

VIEW = lines(
    "read core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,"
    "replicationcontrollers,replicationcontrollers/scale,serviceaccounts,services,services/status",
    "read core bindings,events,limitranges,namespaces/status,pods/log,pods/status,"
    "replicationcontrollers/status,resourcequotas,resourcequotas/status",
    "read core namespaces",
    "read discovery.k8s.io endpointslices",
    f"read apps controllerrevisions,daemonsets,daemonsets/status,{_SCALED},deployments/status,"
    "replicasets/status,statefulsets,statefulsets/scale,statefulsets/status",
    "read autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status",
    "read batch cronjobs,cronjobs/status,jobs,jobs/status",
    f"read extensions daemonsets,daemonsets/status,{_SCALED},deployments/status,ingresses,ingresses/status,"
    "networkpolicies,replicasets/status,replicationcontrollers/scale",
    "read policy poddisruptionbudgets,poddisruptionbudgets/status",
    "read networking.k8s.io ingresses,ingresses/status,networkpolicies",
    "read resource.k8s.io resourceclaims,resourceclaims/status,resourceclaimtemplates",
)
EDIT = lines(
    f"read core {_PODS_BELOW},secrets,services/proxy",
    "impersonate core serviceaccounts",
    f"write core {_PODS_BELOW},pods",
    "create core pods/eviction",
    "write core configmaps,events,persistentvolumeclaims,replicationcontrollers,"
    "replicationcontrollers/scale,secrets,serviceaccounts,services,services/proxy",
    "create core serviceaccounts/token",
    f"write apps daemonsets,{_SCALED},deployments/rollback,statefulsets,statefulsets/scale",
    "write autoscaling horizontalpodautoscalers",
    "write batch cronjobs,jobs",
    f"write extensions daemonsets,{_SCALED},deployments/rollback,ingresses,networkpolicies,"
    "replicationcontrollers/scale",
    "write policy poddisruptionbudgets",
    "write networking.k8s.io ingresses,networkpolicies",
    "read,write coordination.k8s.io leases",
    "write resource.k8s.io resourceclaims,resourceclaimtemplates",
)
ADMIN = lines(
    "create authorization.k8s.io localsubjectaccessreviews",
    f"read,write {API} rolebindings,roles",
)


def _aggregated(name: str, rules: Sequence[Object], extra: dict[str, str] | None = None) -> Object:
    selector = {"matchLabels": {f"{API}/aggregate-to-{name}": "true"}}
    made = cluster_role(name, rules, extra)
    return {**made, "aggregationRule": {"clusterRoleSelectors": [selector]}}


def _aggregate(to: str, rules: Sequence[Object]) -> Object:
    return cluster_role(f"system:aggregate-to-{to}", rules, {f"{API}/aggregate-to-{to}": "true"})


def decision_roles() -> list[Object]:
    """Who may ask why pods are where they are: a role of its own, part of no other.

    The answers tell of all nodes (their taints, what they have left), which whoever may see the pods of one
    namespace need not know.
    """
    rules = lines("get wherry.dev poddecisions", "create wherry.dev poddecisionreviews")
    return [cluster_role("wherry:pod-decision-viewer", rules)]


def user_roles() -> list[Object]:
    """The ClusterRoles for people, and for everybody who is known at all."""
    everything: Object = {"verbs": ["*"], "nonResourceURLs": ["*"]}
    return [
        cluster_role("cluster-admin", [*lines("all * *"), everything]),
        _aggregate("view", VIEW),
        _aggregate("edit", EDIT),
        _aggregate("admin", ADMIN),
        _aggregated("view", VIEW, {f"{API}/aggregate-to-edit": "true"}),
        _aggregated("edit", [*EDIT, *VIEW], {f"{API}/aggregate-to-admin": "true"}),
        _aggregated("admin", [*EDIT, *VIEW, *ADMIN]),
        cluster_role("system:discovery", [urls(*DISCOVERY_PATHS)]),
        cluster_role("system:public-info-viewer", [urls(*OPEN_PATHS)]),
        cluster_role("system:monitoring", [urls(*MONITORED_PATHS)]),
        cluster_role(
            "system:basic-user",
            lines(
                "create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews",
                "create authentication.k8s.io selfsubjectreviews",
            ),
        ),
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
            "system:cluster-trust-bundle-discovery",
            lines("read certificates.k8s.io clustertrustbundles"),
        ),
    ]
