"""Image archives: one layer, readable as an OCI layout and by `docker load` alike.

An archive is a function of its contents: times are zero, entries sorted, owners numeric. Packing
the same files twice gives the same digest, so importing again changes nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from wherry.kit.user_files import replace_file

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class UnsupportedMachine(Exception):
    """Images are made for x86-64 and 64-bit ARM only."""


def machine_architecture(machine: str = "") -> str:
    """The image architecture ("amd64", "arm64") of `machine`, this one by default.

    Raises UnsupportedMachine.
    """
    name = machine or platform.machine()
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise UnsupportedMachine(
            f"no images can be made for {name}; known: {sorted(ARCHITECTURES)}"
        ) from None


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an image's file system, at an absolute path in the archive without leading "/".

    Exactly one of `source` (a file to copy), `data` (its bytes), `target` (a symbolic link's) or
    none (a directory) is given.
    """

    mode: int = 0o755
    source: Path | None = None
    data: bytes | None = None
    target: str = ""
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What a container of the image runs unless told otherwise. `ports` like "80/tcp"."""

    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    ports: Sequence[str] = ()
    stop_signal: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def write_image(
    output: Path, name: str, entries: Mapping[str, Entry], config: ImageConfig, *, architecture: str = ""
) -> str:
    """Write the archive `output` of an image `name` (full, with tag); its manifest's digest.

    Raises OSError when a source cannot be read or the output not be written.
    """
    arch = architecture or machine_architecture()
    layer_tar = _layer(entries)
    layer = gzip.compress(layer_tar, compresslevel=1, mtime=0)
    config_blob = _json(_config_document(config, arch, _digest(layer_tar)))
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config_blob),
            "layers": [_descriptor(LAYER, layer)],
        }
    )
    top = {
        **_descriptor(MANIFEST, manifest),
        "platform": {"architecture": arch, "os": "linux"},
        "annotations": {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rpartition(":")[2],
        },
    }
    docker = [
        {"Config": _blob_path(config_blob), "RepoTags": [name], "Layers": [_blob_path(layer)]},
    ]
    files = {_blob_path(blob): blob for blob in (config_blob, layer, manifest)}
    files["index.json"] = _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": [top]})
    files["manifest.json"] = _json(docker)
    files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    _write_archive(output, {path: Entry(mode=0o644, data=data) for path, data in files.items()})
    return _digest(manifest)


def _write_archive(output: Path, entries: Mapping[str, Entry]) -> None:
    """Write `output` whole or not at all. Raises OSError that names it, whatever file failed."""
    replace_file(output, lambda stream: _write_tar(stream, entries), mode=0o644)


def _config_document(config: ImageConfig, architecture: str, diff_id: str) -> dict[str, object]:
    run: dict[str, object] = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Env": [f"{key}={value}" for key, value in config.env.items()],
        "User": config.user,
        "WorkingDir": config.workdir,
        "ExposedPorts": {port: {} for port in config.ports},
        "StopSignal": config.stop_signal,
        "Labels": dict(config.labels),
    }
    return {
        "architecture": architecture,
        "os": "linux",
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }


def _layer(entries: Mapping[str, Entry]) -> bytes:
    stream = io.BytesIO()
    _write_tar(stream, _with_parents(entries))
    return stream.getvalue()


def _with_parents(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """`entries` and the directories above them that nobody gave, as 0755 of root."""
    whole: dict[str, Entry] = {}
    for path, entry in entries.items():
        clean = path.strip("/")
        parts = clean.split("/")
        for depth in range(1, len(parts)):
            whole.setdefault("/".join(parts[:depth]), Entry())
        if clean not in whole or whole[clean] == Entry():
            whole[clean] = entry
    return whole


def _write_tar(stream: IO[bytes], entries: Mapping[str, Entry]) -> None:
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(entries):
            _add(tar, path, entries[path])


def _add(tar: tarfile.TarFile, path: str, entry: Entry) -> None:
    info = tarfile.TarInfo(path)
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    if entry.target:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
        tar.addfile(info)
    elif entry.data is not None:
        info.size = len(entry.data)
        tar.addfile(info, io.BytesIO(entry.data))
    elif entry.source is not None:
        info.size = entry.source.stat().st_size
        with entry.source.open("rb") as source:
            tar.addfile(info, source)
    else:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)


def _descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}


def _digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def _blob_path(blob: bytes) -> str:
    return "blobs/" + _digest(blob).replace(":", "/")


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
