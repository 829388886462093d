"""The pod's /etc/hosts: written by the kubelet, with the pod's own name and its host aliases.

Pure rendering; a pod on the host's network gets the host's file with its aliases after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.pod import spec_of
from wherry.objects.meta import name_of, namespace_of

HEADER = "# Kubernetes-managed hosts file.\n"
HOST_HEADER = "# Kubernetes-managed hosts file (host network).\n"
LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::\tip6-localnet
fe00::\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""
MAX_HOSTNAME = 63


def pod_hostname(pod: Mapping[str, Any]) -> str:
    """The name the pod's processes see as their machine's."""
    spec = spec_of(pod)
    name: str = spec.get("hostnameOverride") or spec.get("hostname") or name_of(pod)
    if len(name) > MAX_HOSTNAME and not spec.get("hostnameOverride"):
        name = name[:MAX_HOSTNAME].rstrip("-.")
    return name


def pod_domain(pod: Mapping[str, Any], cluster_domain: str) -> str:
    """The domain of a pod with a subdomain (`web-0.web.ns.svc.cluster.local`), else ""."""
    subdomain = spec_of(pod).get("subdomain")
    return f"{subdomain}.{namespace_of(pod)}.svc.{cluster_domain}" if subdomain else ""


def render_hosts(pod: Mapping[str, Any], ips: Sequence[str], cluster_domain: str) -> str:
    """The hosts file of a pod with its own network."""
    hostname, domain = pod_hostname(pod), pod_domain(pod, cluster_domain)
    names = f"{hostname}.{domain}\t{hostname}" if domain else hostname
    lines = "".join(f"{ip}\t{names}\n" for ip in ips)
    return HEADER + LOCAL + lines + _aliases(pod)


def render_host_network_hosts(pod: Mapping[str, Any], host_file: str) -> str:
    """The hosts file of a pod on the host's network."""
    return HOST_HEADER + host_file + _aliases(pod)


def _aliases(pod: Mapping[str, Any]) -> str:
    aliases = spec_of(pod).get("hostAliases") or ()
    if not aliases:
        return ""
    lines = "".join("\t".join([a["ip"], *(a.get("hostnames") or ())]) + "\n" for a in aliases)
    return "\n# Entries added by HostAliases.\n" + lines
