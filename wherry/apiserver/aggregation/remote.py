"""One group version served elsewhere: `Remote`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wherry.apiserver.config import ApiServerConfig
from wherry.apiserver.endpoints import pem_of
from wherry.apiserver.outbound import Trust
from wherry.objects.meta import Object


class Verdict(NamedTuple):
    """The Available condition: status, reason, message."""

    status: str
    reason: str
    message: str

    @property
    def is_available(self) -> bool:
        """Whether requests may be passed on."""
        return self.status == "True"


UNCHECKED = Verdict("Unknown", "", "not checked yet")
PASSED = Verdict("True", "Passed", "all checks passed")


@dataclass(slots=True)
class Remote:
    """What is known of one APIService with a service behind it."""

    name: str
    spec: Mapping[str, Any]
    uid: str = ""
    """The APIService's: one deleted and made again is another, even if it says the same."""
    verdict: Verdict = UNCHECKED
    resources: list[Object] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, str]:
        """(group, version)."""
        return self.spec.get("group") or "", self.spec.get("version") or ""

    @property
    def path(self) -> str:
        """Where its discovery is."""
        group, version = self.place
        return f"/apis/{group}/{version}"

    @property
    def service(self) -> tuple[str, str, int]:
        """(namespace, name, port) of the service behind it."""
        service = self.spec["service"]
        return service.get("namespace") or "", service.get("name") or "", service.get("port") or 443

    def trust(self, config: ApiServerConfig, server_name: str) -> Trust:
        """How to talk to it: as the front proxy, and only to whom the caBundle vouches for as `server_name`.

        Raises Unreachable when the caBundle is unreadable.
        """
        return Trust(
            ca_pem=pem_of(self.spec.get("caBundle")),
            insecure=bool(self.spec.get("insecureSkipTLSVerify")),
            server_name=server_name,
            cert_file=config.proxy_client_cert_file,
            key_file=config.proxy_client_key_file,
        )

    def discovered(self) -> Object:
        """The version as aggregated discovery lists it."""
        group, version = self.place
        is_current = self.verdict.is_available
        return {
            "version": version,
            "resources": [_discovered(entry, group, version, self.resources) for entry in self._listed()],
            "freshness": "Current" if is_current else "Stale",
        }

    def _listed(self) -> list[Object]:
        return [entry for entry in self.resources if "/" not in (entry.get("name") or "/")]


def _discovered(entry: Object, group: str, version: str, all_entries: list[Object]) -> Object:
    """One APIResourceDiscovery from an APIResource and its subresources."""

    def kind(of: Object) -> Object:
        return {
            "group": of.get("group") or group,
            "version": of.get("version") or version,
            "kind": of.get("kind") or "",
        }

    made: Object = {
        "resource": entry["name"],
        "responseKind": kind(entry),
        "scope": "Namespaced" if entry.get("namespaced") else "Cluster",
        "singularResource": entry.get("singularName") or "",
        "verbs": entry.get("verbs") or [],
    }
    for field_name in ("shortNames", "categories"):
        if entry.get(field_name):
            made[field_name] = entry[field_name]
    below = [
        {
            "subresource": other["name"].partition("/")[2],
            "responseKind": kind(other),
            "verbs": other.get("verbs") or [],
        }
        for other in all_entries
        if (other.get("name") or "").startswith(f"{entry['name']}/")
    ]
    if below:
        made["subresources"] = below
    return made
