"""Records of pulled images on disk, in upstream's places and format: either kubelet reads the other's.

`image_manager/pulling/sha256-HASH` of an image's name stands from before it is pulled until it is known how
that went; `image_manager/pulled/sha256-HASH` of an image's id says with which credentials it was pulled, and
holds their hashes alone. Source: pkg/kubelet/images/pullmanager/fs_pullrecords.go, k8s.io/kubelet/config
(ImagePullIntent, ImagePulledRecord).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from wherry.kubelet.credentials import Source
from wherry.objects.meta import format_time, parse_time

log = logging.getLogger(__name__)

T = TypeVar("T")

API_VERSION = "kubelet.config.k8s.io/v1beta1"
READ_VERSIONS = (API_VERSION, "kubelet.config.k8s.io/v1alpha1")
PREFIX, PARTIAL = "sha256-", ".tmp"
LARGEST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use an image by one of its names: all pods of the node, or who shows what it was pulled with.

    `secrets` are the hashes of credentials by the Secret they were from.
    """

    everybody: bool = False
    secrets: Mapping[Source, str] = field(default_factory=dict)
    accounts: frozenset[Source] = frozenset()


@dataclass(frozen=True, slots=True)
class PulledRecord:
    """An image we pulled, by its id; who may use it, by its names without tag and digest."""

    image_ref: str
    updated: datetime
    access: Mapping[str, Access] = field(default_factory=dict)


class RecordFiles:
    """The files below a kubelet's directory. What they do raises OSError, and blocks."""

    def __init__(self, root: Path) -> None:
        self._pulling = root / "image_manager" / "pulling"
        self._pulled = root / "image_manager" / "pulled"

    def prepare(self) -> None:
        """Have the directories."""
        for directory in (self._pulling, self._pulled):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write_intent(self, image: str) -> None:
        """An image is about to be pulled."""
        told = {"kind": "ImagePullIntent", "apiVersion": API_VERSION, "image": image}
        _write(self._pulling / file_name(image), told)

    def remove_intent(self, image: str) -> None:
        """It is known how that went."""
        (self._pulling / file_name(image)).unlink(missing_ok=True)

    def write_pulled(self, record: PulledRecord) -> None:
        """An image was pulled."""
        _write(self._pulled / file_name(record.image_ref), _told(record))

    def remove_pulled(self, image_ref: str) -> None:
        """The image is gone."""
        (self._pulled / file_name(image_ref)).unlink(missing_ok=True)

    def intents(self) -> list[str]:
        """The images whose pull began, and is not known to have ended."""
        return [image for _, image in _read_all(self._pulling, _intent) if image]

    def pulled(self) -> dict[str, PulledRecord | None]:
        """The records by the names of their files (`file_name`), None for one that cannot be read."""
        return dict(_read_all(self._pulled, _record))


def file_name(text: str) -> str:
    """What the record of an image's name or id is called."""
    return PREFIX + hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _write(path: Path, told: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + PARTIAL)
    try:
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(told, separators=(",", ":"), ensure_ascii=False) + "\n")
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _read_all(directory: Path, read: Callable[[Any], T]) -> Iterator[tuple[str, T | None]]:
    for path in sorted(directory.iterdir()):
        if not path.name.startswith(PREFIX) or path.name.endswith(PARTIAL) or not path.is_file():
            continue
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise ValueError(f"larger than {LARGEST_BYTES} bytes")
            found = read(json.loads(path.read_text()))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s: not read, so images of it are asked for again: %s", path, error)
            yield path.name, None
        else:
            yield path.name, found


def _intent(told: Any) -> str:
    _check(told, "ImagePullIntent")
    return str(told["image"])


def _record(told: Any) -> PulledRecord:
    _check(told, "ImagePulledRecord")
    return PulledRecord(
        str(told["imageRef"]),
        parse_time(told["lastUpdatedTime"]),
        {str(name): _access(one) for name, one in (told.get("credentialMapping") or {}).items()},
    )


def _check(told: Any, kind: str) -> None:
    if told.get("kind") != kind or told.get("apiVersion") not in READ_VERSIONS:
        raise ValueError(f"no {kind} of {' or '.join(READ_VERSIONS)}")


def _access(told: Mapping[str, Any]) -> Access:
    return Access(
        told.get("nodePodsAccessible") is True,
        {
            _source("Secret", one): str(one.get("credentialHash") or "")
            for one in told.get("kubernetesSecrets") or ()
        },
        frozenset(_source("ServiceAccount", one) for one in told.get("kubernetesServiceAccounts") or ()),
    )


def _source(kind: str, told: Mapping[str, Any]) -> Source:
    return Source(kind, str(told["uid"]), str(told["namespace"]), str(told["name"]))


def _order(source: Source) -> tuple[str, str, str]:
    return source.namespace, source.name, source.uid


def _place(source: Source) -> dict[str, str]:
    return {"uid": source.uid, "namespace": source.namespace, "name": source.name}


def _told(record: PulledRecord) -> dict[str, Any]:
    mapping = {}
    for name, access in sorted(record.access.items()):
        one: dict[str, Any] = {}
        if access.secrets:
            one["kubernetesSecrets"] = [
                {**_place(source), "credentialHash": access.secrets[source]}
                for source in sorted(access.secrets, key=_order)
            ]
        if access.accounts:
            one["kubernetesServiceAccounts"] = [_place(one) for one in sorted(access.accounts, key=_order)]
        if access.everybody:
            one["nodePodsAccessible"] = True
        mapping[name] = one
    told: dict[str, Any] = {
        "kind": "ImagePulledRecord",
        "apiVersion": API_VERSION,
        "lastUpdatedTime": format_time(record.updated),
        "imageRef": record.image_ref,
    }
    return {**told, "credentialMapping": mapping} if mapping else told
