"""Archives come compressed, damaged, too large, and with names that mean harm."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.timing import PATIENCE_S
from wherry.images.load import ImageStore, ImportFailed, NotAnImage, load_image, read_names
from wherry.images.names import is_image_name

NAME = "docker.io/library/app:1"


def archive(index: bytes, size: int = 0) -> bytes:
    """A tar with a manifest and `size` bytes of something else before it."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name, data in (("blob", bytes(size)), ("manifest.json", index)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def index_of(name: object) -> bytes:
    return json.dumps([{"RepoTags": [name]}]).encode()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_names_are_read_whatever_it_is_compressed_with(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"app.{ending}"
    path.write_bytes(COMPRESSIONS[ending](archive(index_of(NAME))))
    assert read_names(path) == [NAME]


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_what_is_cut_off_is_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"app.{ending}"
    whole = COMPRESSIONS[ending](archive(index_of(NAME), 300_000))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotAnImage, match="not an image archive"):
        read_names(path)


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_it_is_never_read_further_than_there_is_room(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"app.{ending}"
    path.write_bytes(COMPRESSIONS[ending](archive(index_of(NAME), 8 << 20)))
    with pytest.raises(NotAnImage, match="more than 4 MiB, for which there is no room"):
        read_names(path, limit=4 << 20)


@pytest.mark.parametrize(
    ("index", "why"),
    [
        (index_of("\x1b]0;owned\x07"), r"'\\x1b\]0;owned\\x07' in its index is no image name"),
        (index_of("--all"), "no image name"),
        (index_of(7), "unknown shape"),
        (b"[" * 100_000 + b"]" * 100_000, "damaged JSON"),
        (b" " * (5 << 20), "damaged JSON"),
    ],
    ids=["escapes", "option", "number", "deep", "long"],
)
def test_indexes_that_mean_harm(index: bytes, why: str, tmp_path: Path) -> None:
    path = tmp_path / "app.tar"
    path.write_bytes(archive(index))
    with pytest.raises(NotAnImage, match=why):
        read_names(path)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("app", True),
        ("app:1", True),
        ("localhost:5000/a/b_c__d-e.f:v1.2_3-x", True),
        ("[::1]:5000/app", True),
        ("app@sha256:" + "a" * 64, True),
        ("app:1@sha256:" + "a" * 64, True),
        ("App", False),
        ("app:", False),
        ("app:-x", False),
        ("app:" + "x" * 129, False),
        ("a/../b", False),
        ("-x", False),
        ("app\n", False),
        ("a/" * 127 + "app", False),
        ("a" * 100_000, False),
        ("", False),
    ],
)
def test_image_names(name: str, is_one: bool) -> None:
    assert is_image_name(name) is is_one


def store_with(script: str, tmp_path: Path) -> ImageStore:
    """A store whose `ctr` is a script."""
    program = tmp_path / "ctr"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return ImageStore(str(program), tmp_path / "socket")


@pytest.mark.slow
async def test_the_content_comes_through_a_pipe_and_the_name_of_the_file_nowhere(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    store = store_with(f'echo "$@" > {tmp_path}/arguments; cat > {taken}', tmp_path)
    path = tmp_path / "--all.tar.gz"
    content = archive(index_of(NAME), 3 << 20)
    path.write_bytes(gzip.compress(content))
    assert await load_image(store, path) == [NAME]
    assert taken.read_bytes() == content
    said = (tmp_path / "arguments").read_text().split()
    assert said[-5:] == ["images", "import", "--snapshotter", "overlayfs", "-"]


@pytest.mark.slow
async def test_a_program_that_takes_nothing_is_believed(tmp_path: Path) -> None:
    store = store_with("exec 0<&-; echo 'no space left' >&2; exit 1", tmp_path)
    path = tmp_path / "app.tar"
    path.write_bytes(archive(index_of(NAME), 3 << 20))
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(ImportFailed, match="no space left"):
            await load_image(store, path)
