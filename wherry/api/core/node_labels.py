"""Which labels a node may not give itself.

Source: plugin/pkg/admission/noderestriction; the kubelet's `--node-labels` goes by the same.
"""

from __future__ import annotations

KUBERNETES_DOMAINS = ("kubernetes.io", "k8s.io")
OPEN_LABEL_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
OPEN_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)
"""Labels in Kubernetes' own domains that a node may set on itself, beside those in the open domains."""


def is_closed_label(label: str) -> bool:
    """Whether a node may not put this label on itself."""
    domain, slash, _ = label.partition("/")
    if not slash or not _is_below(domain, KUBERNETES_DOMAINS):
        return False
    return label not in OPEN_LABELS and not _is_below(domain, OPEN_LABEL_DOMAINS)


def _is_below(domain: str, parents: tuple[str, ...]) -> bool:
    return domain in parents or domain.endswith(tuple(f".{parent}" for parent in parents))
