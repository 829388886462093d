"""Registry credentials: of image pull secrets and of whatever else names registries as Docker does.

Pure. Both secret types are read (`kubernetes.io/dockerconfigjson`, the older `kubernetes.io/dockercfg`). All
that fit an image's name are found, those of the longest prefix first: an image is pulled with one after the
other. Source: pkg/credentialprovider (keyring.go, config.go), pkg/credentialprovider/secrets.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wherry.kubelet.pod import spec_of
from wherry.objects.meta import Object

DOCKER_HUB = "docker.io"
_HUB_NAMES = ("index.docker.io", "registry-1.docker.io", "docker.io")
_TYPES = {
    ".dockerconfigjson": "kubernetes.io/dockerconfigjson",
    ".dockercfg": "kubernetes.io/dockercfg",
}
_HASHED = (
    ("username", "username"),
    ("password", "password"),
    ("auth", "auth"),
    ("serverAddress", "server_address"),
    ("identityToken", "identity_token"),
    ("registryToken", "registry_token"),
)
"""The fields of upstream's AuthConfig in their order, and CRI's names of them."""
_GO_ESCAPES = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Source:
    """The object credentials are from: a Secret, or a ServiceAccount a plug-in gave them for."""

    kind: str
    uid: str
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Credential:
    """How to tell a registry who we are, with CRI's names (`username`, `password`, `identity_token`, ...).

    Without a `source` it is the node's own: all its pods may have what it gets.
    """

    auth: Mapping[str, str] = field(repr=False)
    source: Source | None = None

    @property
    def hash(self) -> str:
        """As upstream writes it into records of pulled images: SHA-256 of Go's JSON of its AuthConfig."""
        told = {name: self.auth[ours] for name, ours in _HASHED if self.auth.get(ours)}
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).translate(_GO_ESCAPES)
        return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def image_repository(reference: str) -> str:
    """`docker.io/library/nginx` for `nginx:1`: the full name without tag and digest."""
    name = reference.split("@", 1)[0]
    slash = name.rfind("/")
    colon = name.rfind(":")
    if colon > slash:
        name = name[:colon]
    first, slash_text, _ = name.partition("/")
    if not slash_text or not ("." in first or ":" in first or first == "localhost"):
        name = f"{DOCKER_HUB}/{name}" if slash_text else f"{DOCKER_HUB}/library/{name}"
    return name


def pull_secrets(pod: Object, lookup: Callable[[str], Object | None]) -> list[Object]:
    """The pod's image pull secrets that are there; `lookup` gives a Secret of its namespace by name."""
    names = [one.get("name") for one in spec_of(pod).get("imagePullSecrets") or ()]
    return [found for name in names if name and (found := lookup(name)) is not None]


def credentials_in_secrets(reference: str, secrets: Iterable[Mapping[str, Any]]) -> list[Credential]:
    """The credentials of secrets for an image, the ones to be tried first first."""
    entries = []
    for secret in secrets:
        meta = secret.get("metadata") or {}
        source = Source("Secret", *(str(meta.get(one) or "") for one in ("uid", "namespace", "name")))
        for registry, entry in _entries(secret).items():
            auth = _auth(entry) if isinstance(entry, dict) else {}
            if auth:
                entries.append((registry, Credential(auth, source)))
    return fitting(reference, entries)


def fitting(reference: str, entries: Iterable[tuple[str, Credential]]) -> list[Credential]:
    """Of credentials by registry (and path) those for an image, the longest names first."""
    repository = image_repository(reference)
    found = [
        (name, one) for registry, one in entries if (name := _normal(registry)) and matches(name, repository)
    ]
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [one for _, one in found]


def matches(pattern: str, target: str) -> bool:
    """Whether a name such as `*.example.com/team` is of a repository (URLsMatch): as many parts of a domain,
    each of them as the pattern's, the same port, a path that begins so."""
    host, _, path = pattern.partition("/")
    target_host, _, target_path = target.partition("/")
    name, _, port = host.partition(":")
    target_name, _, target_port = target_host.partition(":")
    parts, target_parts = name.split("."), target_name.split(".")
    return (
        port == target_port
        and len(parts) == len(target_parts)
        and all(fnmatch.fnmatchcase(had, one) for one, had in zip(parts, target_parts, strict=True))
        and target_path.startswith(path)
    )


def _entries(secret: Mapping[str, Any]) -> dict[str, Any]:
    data = secret.get("data") or {}
    for key, kind in _TYPES.items():
        if secret.get("type") != kind or not data.get(key):
            continue
        try:
            document = json.loads(base64.b64decode(data[key]))
        except (ValueError, binascii.Error):
            return {}
        document = document if isinstance(document, dict) else {}
        auths = document.get("auths") if key == ".dockerconfigjson" else document
        return auths if isinstance(auths, dict) else {}
    return {}


def _normal(registry: str) -> str:
    name = registry.removeprefix("https://").removeprefix("http://")
    host, _, path = name.partition("/")
    for version in ("v1", "v2"):
        path = "" if path == version else path.removeprefix(f"{version}/")
    host = DOCKER_HUB if host in _HUB_NAMES else host
    return f"{host}/{path}" if path else host


def _auth(entry: Mapping[str, Any]) -> dict[str, str]:
    auth = {k: str(v) for k, v in entry.items() if k in ("username", "password") and v}
    if entry.get("identitytoken"):
        auth["identity_token"] = str(entry["identitytoken"])
    if entry.get("registrytoken"):
        auth["registry_token"] = str(entry["registrytoken"])
    if entry.get("auth"):
        try:
            user, _, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
        except (ValueError, binascii.Error):
            return auth
        auth["username"], auth["password"] = user, password.rstrip("\x00")
    return auth
