"""The flags of kube-apiserver that are not followed: taken without effect, at one value alone, or refused.

Source: cmd/kube-apiserver/app/options and staging/src/k8s.io/apiserver/pkg/server/options.
"""

from __future__ import annotations

from wherry.cluster.alone.flags import (
    DURATION,
    LOGGING,
    METRICS,
    NAMES,
    NO_HTTP2,
    NUMBER,
    OTHER_CERTIFICATES,
    OTHER_LEVELS,
    SWITCH,
    idle,
    only,
    refused,
)

NOT_YET = "there is nothing like it yet; leave the flag out"
NO_AUDIT = "there are no audit logs yet"
NO_WEBHOOK = "no webhook is asked"
ONE_SERVER = "one API server alone has the store"
_BACKENDS = ("audit-log", "audit-webhook")
_BATCH = ("buffer-size", "max-size", "max-wait", "throttle-burst", "throttle-qps")
AUDIT = (
    *("audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize", "audit-log-path", "audit-policy-file"),
    *("audit-webhook-config-file", "audit-webhook-initial-backoff", "audit-log-format"),
    "audit-webhook-batch-initial-backoff",
    *(f"{backend}-batch-{name}" for backend in _BACKENDS for name in _BATCH),
    *(f"{backend}-truncate-max-{size}-size" for backend in _BACKENDS for size in ("batch", "event")),
    *(f"{backend}-{name}" for backend in _BACKENDS for name in ("mode", "version")),
)
AUDIT_SWITCHES = (
    "audit-log-compress",
    *(f"{backend}-{name}" for backend in _BACKENDS for name in ("batch-throttle-enable", "truncate-enabled")),
)
_OIDC = (
    *("ca-file", "client-id", "groups-claim", "groups-prefix", "issuer-url", "required-claim"),
    *("signing-algs", "username-claim", "username-prefix"),
)

UNFOLLOWED = (
    *idle(
        *("apiserver-count", "default-watch-cache-size", "delete-collection-workers", "external-hostname"),
        *("feature-gates", "kubelet-preferred-address-types", "kubelet-timeout"),
        *("lease-reuse-duration-seconds", "livez-grace-period", "shutdown-delay-duration"),
        *("shutdown-watch-termination-grace-period", "storage-initialization-timeout"),
        *("storage-media-type", "watch-cache-sizes"),
    ),
    *idle(
        *("contention-profiling", "enable-aggregator-routing", "enable-priority-and-fairness"),
        *("permit-address-sharing", "permit-port-sharing", "profiling", "shutdown-send-retry-after"),
        "watch-cache",
        kind=SWITCH,
    ),
    *idle("kubelet-port", "kubelet-read-only-port", kind=NUMBER, why="each node says its own port"),
    *idle("goaway-chance", why="there is no HTTP/2 here"),
    *NO_HTTP2,
    *idle(
        *("authentication-token-webhook-cache-ttl", "authentication-token-webhook-version"),
        *("authorization-webhook-cache-authorized-ttl", "authorization-webhook-cache-unauthorized-ttl"),
        "authorization-webhook-version",
        why=NO_WEBHOOK,
    ),
    *idle("peer-advertise-ip", "peer-advertise-port", "peer-ca-file", why=ONE_SERVER),
    *idle(
        *("coordinated-leadership-lease-duration", "coordinated-leadership-renew-deadline"),
        "coordinated-leadership-retry-period",
        why="candidates choose among themselves",
    ),
    *idle(
        "encryption-provider-config-automatic-reload",
        kind=SWITCH,
        why="there is no encryption of what is stored",
    ),
    only("aggregator-reject-forwarding-redirect", "true", "redirects are never followed", SWITCH),
    only("cors-allowed-origins", "", "browsers of other origins are not let in", NAMES),
    only("default-not-ready-toleration-seconds", "300", "pods stay so long", NUMBER),
    only("default-unreachable-toleration-seconds", "300", "pods stay so long", NUMBER),
    only("emulation-forward-compatible", "false", "one level of the API is served", SWITCH),
    only("enable-logs-handler", "false", "files of the machine are not served", SWITCH),
    only("kubernetes-service-node-port", "0", "the server's own Service has no node port", NUMBER),
    only("max-connection-bytes-per-sec", "0", "connections are as fast as they can be", NUMBER),
    only("runtime-config-emulation-forward-compatible", "false", "one level of the API is served", SWITCH),
    only("service-account-jwks-uri", "", "the keys are served here"),
    only("event-ttl", "1h0m0s", "events are kept for an hour", DURATION),
    *refused("emulated-version", "min-compatibility-version", why=OTHER_LEVELS),
    *refused("tls-sni-cert-key", why=OTHER_CERTIFICATES),
    *refused(
        *("admission-control-config-file", "authentication-config", "authorization-config"),
        *("authentication-token-webhook-config-file", "authorization-webhook-config-file"),
        *("authorization-policy-file", "debug-socket-path", "egress-selector-config-file"),
        *("service-account-signing-endpoint", "tracing-config-file"),
        *(f"oidc-{name}" for name in _OIDC),
        why=NOT_YET,
    ),
    *METRICS,
    *LOGGING,
)
