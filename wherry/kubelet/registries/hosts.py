"""What containerd is told of registries: a `hosts.toml` for each, and credentials in its configuration.

Source: https://github.com/containerd/containerd/blob/main/docs/hosts.md, and docs/cri/registry.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from wherry.kit.trees import remove_tree
from wherry.kubelet.registries.registries import EVERY, Registries, Tls, endpoint_host

DOCKER_HUB, DOCKER_HUB_SERVER = "docker.io", "https://registry-1.docker.io"
EVERY_OTHER = "_default"
"""containerd's name for registries without a folder of their own."""
PULLS = ["pull", "resolve"]


def hosts_files(registries: Registries) -> dict[str, str]:
    """The text of each `hosts.toml`, by the folder it lies in.

    Mirrors that rename are left out: containerd knows no other names (see `rewriting`).
    """
    plain = {host for host, mirror in registries.mirrors.items() if not mirror.rewrites}
    # A mirror that renames is asked by its own name, which must lead to the same endpoint.
    renaming = {
        endpoint_host(endpoint): endpoint
        for mirror in registries.mirrors.values()
        for endpoint in mirror.endpoints
        if mirror.rewrites
    }
    found = {}
    for host in sorted(plain | registries.tls.keys() | renaming.keys()):
        text = "".join(_hosts_toml(host, registries, renaming.get(host, "")))
        found[EVERY_OTHER if host == EVERY else host] = text
    return found


def write_hosts(folder: Path, registries: Registries) -> None:
    """Have `folder` (containerd's `config_path`) say what `registries` says. Raises OSError."""
    wanted = hosts_files(registries)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for entry in folder.iterdir():
        if entry.name not in wanted:
            remove_tree(entry)
    for host, text in wanted.items():
        file = folder / host / "hosts.toml"
        file.parent.mkdir(exist_ok=True, mode=0o700)
        partial = file.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(file)


def auth_tables(registries: Registries) -> dict[str, Mapping[str, str]]:
    """The credentials of registries, by host, as fields of containerd's configuration."""
    return {
        host: {
            name: value
            for name, value in (
                ("username", auth.username),
                ("password", auth.password),
                ("auth", auth.auth),
                ("identitytoken", auth.identity_token),
            )
            if value
        }
        for host, auth in sorted(registries.auth.items())
    }


def _hosts_toml(host: str, registries: Registries, itself: str) -> Iterator[str]:
    """`itself` is the URL of a mirror of that name, "" for a registry that is one."""
    if host != EVERY:
        server = itself or (DOCKER_HUB_SERVER if host == DOCKER_HUB else f"https://{host}")
        parts = urlsplit(server)
        yield f"server = {json.dumps(f'{parts.scheme}://{parts.netloc}')}\n"
        yield from _tls(registries.tls.get(host))
    mirror = registries.mirrors.get(host)
    for endpoint in mirror.endpoints if mirror is not None and not mirror.rewrites else ():
        yield f"\n[host.{json.dumps(endpoint)}]\n"
        yield f"capabilities = {json.dumps(PULLS)}\n"
        if urlsplit(endpoint).path:
            yield "override_path = true\n"
        yield from _tls(registries.tls.get(endpoint_host(endpoint)))


def _tls(tls: Tls | None) -> Iterator[str]:
    if tls is None:
        return
    if tls.ca_file:
        yield f"ca = {json.dumps(tls.ca_file)}\n"
    if tls.cert_file:
        yield f"client = {json.dumps([[tls.cert_file, tls.key_file]])}\n"
    if tls.insecure_skip_verify:
        yield "skip_verify = true\n"
