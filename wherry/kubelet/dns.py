"""How a pod resolves names: its dnsPolicy, dnsConfig and the cluster's DNS, as resolv.conf lines.

Without a cluster DNS address ClusterFirst falls back to the node's own resolv.conf, as upstream
does (and says in an event).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wherry.kubelet.pod import describe, spec_of, uses_host_network
from wherry.network.resolv_conf import Resolver, parse_resolv_conf
from wherry.objects.meta import namespace_of

MAX_SERVERS = 3
MAX_SEARCHES = 32


NO_RESOLVER = Resolver(("127.0.0.1",), (".",))
"""Of pods with the node's resolver where that is none: whom libraries ask without one, and nothing is found.

Source: pkg/kubelet/network/dns, GetPodDNS.
"""


def read_resolv_conf(path: Path | None) -> Resolver | None:
    """The node's resolver, None where pods are to have none of it; an empty one without the file."""
    if path is None:
        return None
    try:
        return parse_resolv_conf(path.read_text())
    except FileNotFoundError:
        return Resolver()


def pod_resolver(
    pod: Mapping[str, Any], host: Resolver | None, cluster_dns: Sequence[str], cluster_domain: str
) -> Resolver:
    """What the pod's resolv.conf is to say."""
    spec = spec_of(pod)
    policy = _effective_policy(pod, cluster_dns)
    if policy == "None":
        base = Resolver()
    elif policy == "ClusterFirst":
        domains = [f"{namespace_of(pod)}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain]
        base = Resolver(
            tuple(cluster_dns), [*domains, *(host.searches if host is not None else ())], ["ndots:5"]
        )
    else:
        base = NO_RESOLVER if host is None else host
    return _with_config(base, spec.get("dnsConfig") or {})


def falls_back(pod: Mapping[str, Any], cluster_dns: Sequence[str]) -> bool:
    """Whether the pod wanted the cluster's DNS and there is none."""
    wanted = spec_of(pod).get("dnsPolicy") or "ClusterFirst"
    if wanted == "ClusterFirst" and uses_host_network(pod):
        return False
    return wanted in ("ClusterFirst", "ClusterFirstWithHostNet") and not cluster_dns


def fall_back_message(pod: Mapping[str, Any]) -> str:
    """The MissingClusterDNS event's text."""
    policy = spec_of(pod).get("dnsPolicy") or "ClusterFirst"
    return (
        f'pod: "{describe(pod)}". kubelet does not have ClusterDNS IP configured and cannot create Pod '
        f'using "{policy}" policy. Falling back to "Default" policy.'
    )


def _effective_policy(pod: Mapping[str, Any], cluster_dns: Sequence[str]) -> str:
    policy = spec_of(pod).get("dnsPolicy") or "ClusterFirst"
    if policy == "None":
        return "None"
    if policy == "ClusterFirst" and uses_host_network(pod):
        return "Default"
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and cluster_dns:
        return "ClusterFirst"
    return "Default"


def _with_config(base: Resolver, config: Mapping[str, Any]) -> Resolver:
    servers = _unique([*base.servers, *(config.get("nameservers") or ())])[:MAX_SERVERS]
    searches = _unique([*base.searches, *(config.get("searches") or ())])[:MAX_SEARCHES]
    options: dict[str, str] = {}
    for text in base.options:
        name, _, value = text.partition(":")
        options[name] = value
    for option in config.get("options") or ():
        options[option["name"]] = option.get("value") or ""
    lines = [f"{name}:{value}" if value else name for name, value in options.items()]
    return Resolver(servers, searches, lines)


def _unique(items: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(items))
