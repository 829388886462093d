"""Giving image archives to a containerd: what an archive holds, importing it, what is there.

`ctr` does the import: it comes with containerd, speaks its content and lease services, and knows
OCI layouts as well as Docker's format. An archive is looked at first, so that a wrong file is
refused in words a person understands.
"""

from __future__ import annotations

import asyncio
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = "k8s.io"
"""containerd's namespace of everything made through CRI."""


class NotAnImage(Exception):
    """The file is no image archive; the text says what is wrong with it."""


class ImportFailed(Exception):
    """containerd did not take the archive; the text is its complaint."""


@dataclass(frozen=True, slots=True)
class ImageStore:
    """A containerd to load into: the `ctr` program, its socket, the snapshotter it unpacks with."""

    ctr: str
    socket: Path
    snapshotter: str = "overlayfs"


def read_names(archive: Path) -> list[str]:
    """The image names in an archive, an OCI layout or Docker's format. Raises NotAnImage."""
    try:
        with tarfile.open(archive) as tar:
            documents = _documents(tar)
    except FileNotFoundError:
        raise NotAnImage(f"{archive}: no such file") from None
    except IsADirectoryError:
        raise NotAnImage(f"{archive}: is a directory; give an archive as `docker save` writes it") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise NotAnImage(f"{archive}: not an image archive: {error}") from error
    except ValueError as error:
        raise NotAnImage(f"{archive}: not an image archive: damaged JSON: {error}") from error
    if not documents:
        raise NotAnImage(f"{archive}: not an image archive: has neither index.json nor manifest.json")
    try:
        return _names(documents)
    except (AttributeError, TypeError) as error:
        raise NotAnImage(f"{archive}: not an image archive: its index has an unknown shape") from error


async def load_image(store: ImageStore, archive: Path) -> list[str]:
    """Import `archive` into `store`; the names of the images it holds.

    Raises NotAnImage, ImportFailed.
    """
    names = await asyncio.to_thread(read_names, archive)
    await _ctr(store, "images", "import", "--snapshotter", store.snapshotter, str(archive))
    return names


async def list_images(store: ImageStore) -> list[str]:
    """The names of all images in `store`, ids and digests left out. Raises ImportFailed."""
    output = await _ctr(store, "images", "list", "--quiet")
    return sorted(line for line in output.splitlines() if line and "sha256:" not in line)


async def _ctr(store: ImageStore, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        store.ctr,
        "--address",
        str(store.socket),
        "--namespace",
        NAMESPACE,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        complaint = errors.decode(errors="replace").strip() or output.decode(errors="replace").strip()
        raise ImportFailed(f"ctr {' '.join(arguments[:2])}: {complaint}")
    return output.decode(errors="replace")


def _documents(tar: tarfile.TarFile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in tar:
        name = member.name.removeprefix("./")
        if name in ("index.json", "manifest.json") and member.isfile():
            stream = tar.extractfile(member)
            if stream is not None:
                found[name] = json.load(stream)
    return found


def _names(documents: dict[str, Any]) -> list[str]:
    names: list[str] = []
    for image in documents.get("manifest.json") or ():
        names += image.get("RepoTags") or ()
    for manifest in documents.get("index.json", {}).get("manifests") or ():
        annotations = manifest.get("annotations") or {}
        name = annotations.get("io.containerd.image.name") or ""
        if name:
            names.append(name)
    return _unique(names)


def _unique(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
