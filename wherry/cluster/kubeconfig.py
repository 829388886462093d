"""kubeconfig files: writing one of our own, and merging a context into the user's.

Merging touches only the entries named after the cluster and the current context, leaves everything
else as it was, and swaps the file in whole, with its mode kept (0600 for a new one).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from wherry.cluster.caller import Caller
from wherry.kit.user_files import keep_file


class KubeconfigError(Exception):
    """A kubeconfig file that cannot be read or written; the message names it and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a kubeconfig needs to reach a cluster: PEM contents, not paths."""

    context: str
    server: str
    authority_pem: bytes
    cert_pem: bytes
    key_pem: bytes


@dataclass(frozen=True, slots=True)
class UserKubeconfig:
    """Somebody's kubeconfig, read and written with their rights."""

    path: Path
    caller: Caller

    def absolute(self) -> UserKubeconfig:
        """The same file, wherever one stands."""
        return replace(self, path=self.path.absolute())

    def read(self) -> dict[str, Any]:
        """The file's content, empty when there is no file. Raises KubeconfigError."""
        with self.caller.acting():
            return read(self.path)

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace the file whole. Raises KubeconfigError."""
        self.check_place()
        with self.caller.acting():
            _make_directory(self.path)
            write(self.path, content)

    def has_context(self, context: str) -> bool:
        """Whether the file has that context. Raises KubeconfigError."""
        return any(entry.get("name") == context for entry in self.read().get("contexts") or [])

    def make_place(self) -> None:
        """Make the file's directory, as kubectl does when it writes there. Raises KubeconfigError."""
        with self.caller.acting():
            try:
                self.path.absolute().parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise KubeconfigError(
                    f"{self.path}: cannot be written ({error.strerror}); check KUBECONFIG"
                ) from error

    def check_place(self) -> None:
        """Raises KubeconfigError where the file cannot be: only `.kube` in one's home is ever made for it."""
        with self.caller.acting():
            directory = self.path.absolute().parent
            if not directory.is_dir() and directory != self.caller.home / ".kube":
                raise KubeconfigError(
                    f"{self.path}: there is no directory {directory}; make it, or point KUBECONFIG elsewhere"
                )


def user_kubeconfig(environ: Mapping[str, str], caller: Caller) -> UserKubeconfig:
    """The file kubectl itself would write to: the first of `$KUBECONFIG`, else `~/.kube/config`.

    What lies in the caller's home is used with their rights, any other place that was named with our own.
    """
    listed = [part for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    path = Path(listed[0]) if listed else caller.home / ".kube" / "config"
    is_theirs = path.absolute().is_relative_to(caller.home)
    return UserKubeconfig(path, caller if is_theirs else Caller(caller.home))


def read_notes(file: Path) -> list[UserKubeconfig]:
    """Which kubeconfigs `write_notes` wrote down; none where nothing was. Raises KubeconfigError."""
    try:
        return [
            UserKubeconfig(Path(path), Caller(Path(home), None if uid is None else (uid, gid)))
            for path, home, uid, gid in json.loads(file.read_text())
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise KubeconfigError(f"{file}: cannot be read ({error}); remove it") from error


def write_notes(file: Path, kubeconfigs: Sequence[UserKubeconfig]) -> None:
    """Write down which files they are, and with whose rights these are read and written.

    Raises KubeconfigError.
    """
    noted = [(str(one.path), str(one.caller.home), *(one.caller.ids or (None, None))) for one in kubeconfigs]
    try:
        keep_file(file, json.dumps(noted).encode())
    except OSError as error:
        raise KubeconfigError(f"{file}: cannot be written ({error.strerror})") from error


def render(access: Access) -> dict[str, Any]:
    """A whole kubeconfig for one cluster."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": access.context, "cluster": _cluster(access)}],
        "users": [{"name": access.context, "user": _user(access)}],
        "contexts": [{"name": access.context, "context": _context(access)}],
        "current-context": access.context,
    }


def merge(existing: dict[str, Any], access: Access) -> dict[str, Any]:
    """`existing` with the cluster's entries put in (or replaced) and its context made current."""
    merged = dict(existing) or {"apiVersion": "v1", "kind": "Config"}
    for section, field, value in (
        ("clusters", "cluster", _cluster(access)),
        ("users", "user", _user(access)),
        ("contexts", "context", _context(access)),
    ):
        others = [entry for entry in merged.get(section) or [] if entry.get("name") != access.context]
        merged[section] = [*others, {"name": access.context, field: value}]
    merged["current-context"] = access.context
    return merged


def without(existing: dict[str, Any], context: str) -> dict[str, Any]:
    """`existing` with every entry of the cluster taken out."""
    left = dict(existing)
    for section in ("clusters", "users", "contexts"):
        left[section] = [entry for entry in left.get(section) or [] if entry.get("name") != context]
    if left.get("current-context") == context:
        left["current-context"] = ""
    return left


def read(path: Path) -> dict[str, Any]:
    """The file's content, empty when there is no file. Raises KubeconfigError."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be read") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise _unusable(path, f"line {mark.line + 1} is not YAML" if mark else "not YAML") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise _unusable(path, "not a map")
    for section in ("clusters", "users", "contexts"):
        entries = content.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise _unusable(path, f"{section} is not a list of maps")
    return content


def _unusable(path: Path, why: str) -> KubeconfigError:
    return KubeconfigError(f"{path}: not a kubeconfig ({why}); repair it or point KUBECONFIG elsewhere")


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file whole. Raises KubeconfigError."""
    text = yaml.safe_dump(dict(content), sort_keys=False)
    try:
        keep_file(path, text.encode())
    except OSError as error:
        raise KubeconfigError(f"{path}: cannot be written ({error.strerror}); check KUBECONFIG") from error


def _make_directory(path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise KubeconfigError(f"{path}: cannot be written ({error.strerror}); check KUBECONFIG") from error


def _cluster(access: Access) -> dict[str, Any]:
    return {"server": access.server, "certificate-authority-data": _base64(access.authority_pem)}


def _user(access: Access) -> dict[str, Any]:
    return {
        "client-certificate-data": _base64(access.cert_pem),
        "client-key-data": _base64(access.key_pem),
    }


def _context(access: Access) -> dict[str, Any]:
    return {"cluster": access.context, "user": access.context}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
