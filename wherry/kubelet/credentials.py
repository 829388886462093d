"""Registry credentials from image pull secrets.

Pure. Both secret types are read (`kubernetes.io/dockerconfigjson`, the older `kubernetes.io/dockercfg`);
an image takes the credentials of the longest registry prefix that matches its name.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import Any

DOCKER_HUB = "docker.io"
_HUB_NAMES = ("index.docker.io", "registry-1.docker.io", "docker.io")


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


def find_credentials(reference: str, secrets: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """`username`, `password` (and the like) for pulling the image, None when no secret fits."""
    repository = image_repository(reference)
    best: tuple[int, dict[str, str]] | None = None
    for secret in secrets:
        for registry, entry in _entries(secret).items():
            prefix = _normal(registry)
            if _matches(prefix, repository) and (best is None or len(prefix) > best[0]):
                best = (len(prefix), _auth(entry))
    return best[1] if best is not None else None


def _entries(secret: Mapping[str, Any]) -> dict[str, Any]:
    data = secret.get("data") or {}
    for key in (".dockerconfigjson", ".dockercfg"):
        if key not in data:
            continue
        try:
            document = json.loads(base64.b64decode(data[key]))
        except (ValueError, binascii.Error):
            return {}
        auths = document.get("auths") if key == ".dockerconfigjson" else document
        return auths if isinstance(auths, dict) else {}
    return {}


def _normal(registry: str) -> str:
    name = registry.removeprefix("https://").removeprefix("http://").rstrip("/")
    for suffix in ("/v1", "/v2"):
        name = name.removesuffix(suffix)
    host, slash, path = name.partition("/")
    return f"{DOCKER_HUB if host in _HUB_NAMES else host}{slash}{path}"


def _matches(prefix: str, repository: str) -> bool:
    host, _, path = prefix.partition("/")
    image_host, _, image_path = repository.partition("/")
    if len(host.split(".")) != len(image_host.split(".")) or not fnmatch.fnmatchcase(image_host, host):
        return False
    return not path or image_path == path or image_path.startswith(f"{path}/")


def _auth(entry: Mapping[str, Any]) -> dict[str, str]:
    auth = {k: str(v) for k, v in entry.items() if k in ("username", "password", "auth") and v}
    if entry.get("identitytoken"):
        auth["identity_token"] = str(entry["identitytoken"])
    if entry.get("registrytoken"):
        auth["registry_token"] = str(entry["registrytoken"])
    if "auth" in auth and "username" not in auth:
        try:
            user, _, password = base64.b64decode(auth["auth"]).decode().partition(":")
        except (ValueError, binascii.Error):
            return auth
        auth["username"], auth["password"] = user, password
    return auth
