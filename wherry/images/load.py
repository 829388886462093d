"""Giving image archives to a containerd: what an archive holds, importing it, what is there.

`ctr` does the import: it comes with containerd, speaks its content and lease services, and knows
OCI layouts as well as Docker's format. An archive is looked at first, so that a wrong file is
refused in words a person understands, and given to it through a pipe: it may be compressed, and its
name is nobody's option.
"""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import orjson

from wherry.images.archive import Damaged, TooLarge, open_archive
from wherry.images.names import is_image_name

NAMESPACE = "k8s.io"
"""containerd's namespace of everything made through CRI."""


LARGEST = 1 << 40
"""How many bytes an archive may hold where nobody knows how much room there is."""
LARGEST_INDEX = 4 << 20


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


def read_names(archive: Path, limit: int = LARGEST) -> list[str]:
    """The image names in an archive, an OCI layout or Docker's format. Raises NotAnImage.

    `limit` is how many bytes it may hold once it is decompressed.
    """
    try:
        with (
            open_archive(archive, limit) as content,
            tarfile.open(fileobj=cast("IO[bytes]", content), mode="r|") as tar,
        ):
            documents = _documents(tar)
    except FileNotFoundError:
        raise NotAnImage(f"{archive}: no such file") from None
    except IsADirectoryError:
        raise NotAnImage(f"{archive}: is a directory; give an archive as `docker save` writes it") from None
    except TooLarge:
        raise NotAnImage(
            f"{archive}: holds more than {limit >> 20} MiB, for which there is no room; free some disk space"
        ) from None
    except Damaged:
        raise NotAnImage(f"{archive}: not an image archive: damaged, or cut off") from None
    except (tarfile.TarError, EOFError) as error:
        raise NotAnImage(f"{archive}: not an image archive: no tar file, or cut off") from error
    except OSError as error:
        raise NotAnImage(f"{archive}: cannot be read: {error.strerror or 'unknown reason'}") from error
    except ValueError as error:
        raise NotAnImage(f"{archive}: not an image archive: damaged JSON") from error
    if not documents:
        raise NotAnImage(f"{archive}: not an image archive: has neither index.json nor manifest.json")
    try:
        names = _names(documents)
        wrong = next((name for name in names if not is_image_name(name)), None)
    except (AttributeError, TypeError) as error:
        raise NotAnImage(f"{archive}: not an image archive: its index has an unknown shape") from error
    if wrong is not None:
        raise NotAnImage(
            f"{archive}: {wrong[:80]!a} in its index is no image name, such as example.com/app:1"
        )
    return names


async def load_image(store: ImageStore, archive: Path, limit: int = LARGEST) -> list[str]:
    """Import `archive` into `store`; the names of the images it holds.

    `limit` is how many bytes it may hold once it is decompressed. Raises NotAnImage, ImportFailed.
    """
    names = await asyncio.to_thread(read_names, archive, limit)
    arguments = ("images", "import", "--snapshotter", store.snapshotter, "-")
    process = await _start_ctr(store, *arguments, stdin=asyncio.subprocess.PIPE)
    feeding = asyncio.create_task(_feed(process, archive, limit))
    try:
        await _ended(process, *arguments)
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])
    return names


async def _feed(process: asyncio.subprocess.Process, archive: Path, limit: int) -> None:
    """Write the archive's bytes to the process, as it takes them."""
    stdin = process.stdin
    if stdin is None:
        raise ImportFailed("ctr takes no input")
    try:
        with open_archive(archive, limit) as content:
            while piece := await asyncio.to_thread(content.read):
                stdin.write(piece)
                await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has ended, and says itself why
    except (OSError, TooLarge, Damaged):
        process.kill()  # the file changed since its names were read: what came so far is not the archive
    finally:
        stdin.close()


async def tag_image(store: ImageStore, name: str, other: str) -> None:
    """Call an image by another name, too; whatever was called so is no longer. Raises ImportFailed."""
    await _ctr(store, "images", "tag", "--force", name, other)


async def untag_image(store: ImageStore, names: Sequence[str]) -> None:
    """Call an image by these names no longer. Raises ImportFailed."""
    await _ctr(store, "images", "rm", "--sync", *names)


async def list_images(store: ImageStore) -> list[str]:
    """The names of all images in `store`, ids and digests left out. Raises ImportFailed."""
    output = await _ctr(store, "images", "list", "--quiet")
    return sorted(line for line in output.splitlines() if line and "sha256:" not in line)


async def _ctr(store: ImageStore, *arguments: str) -> str:
    return await _ended(await _start_ctr(store, *arguments), *arguments)


async def _start_ctr(
    store: ImageStore, *arguments: str, stdin: int = asyncio.subprocess.DEVNULL
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        store.ctr,
        "--address",
        str(store.socket),
        "--namespace",
        NAMESPACE,
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _ended(process: asyncio.subprocess.Process, *arguments: str) -> str:
    """What it wrote. Raises ImportFailed when it failed."""
    if process.stdout is None or process.stderr is None:
        raise ImportFailed("ctr has no output")
    output, errors = await asyncio.gather(process.stdout.read(), process.stderr.read())
    await process.wait()
    if process.returncode:
        complaint = errors.decode(errors="replace").strip() or output.decode(errors="replace").strip()
        raise ImportFailed(f"ctr {' '.join(arguments[:2])}: {complaint}")
    return output.decode(errors="replace")


def _documents(tar: tarfile.TarFile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in tar:
        name = member.name.removeprefix("./")
        if name in ("index.json", "manifest.json") and member.isfile():
            if member.size > LARGEST_INDEX:
                raise ValueError(name)
            stream = tar.extractfile(member)
            if stream is not None:
                found[name] = orjson.loads(stream.read())
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
