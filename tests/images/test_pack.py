"""Packing files of the user's: what lands where, and what is refused."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from wherry.images.pack import PackFailed, pack_image
from wherry.images.recipes import directory_entries


def layer_of(archive: Path) -> dict[str, tarfile.TarInfo]:
    """Members of the image's only layer, by path."""
    with tarfile.open(archive) as outer:

        def read(name: str) -> bytes:
            member = outer.extractfile(name)
            assert member is not None
            return member.read()

        def blob(digest: str) -> bytes:
            return read("blobs/" + digest.replace(":", "/"))

        index = json.loads(read("index.json"))
        manifest = json.loads(blob(index["manifests"][0]["digest"]))
        (layer,) = manifest["layers"]
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as inner:
            return {member.name.strip("/"): member for member in inner.getmembers()}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    (root / "conf").mkdir(parents=True)
    (root / "run.sh").write_text("#!/bin/sh\necho hello\n")
    (root / "run.sh").chmod(0o755)
    (root / "conf" / "a.conf").write_text("a=1\n")
    (root / "latest").symlink_to("conf/a.conf")
    return root


def test_a_directory_is_taken_with_all_below_it(source: Path) -> None:
    entries = directory_entries(source, "/app/")
    assert sorted(entries) == ["app", "app/conf", "app/conf/a.conf", "app/latest", "app/run.sh"]
    assert entries["app/run.sh"].mode == 0o755
    assert entries["app/latest"].target == "conf/a.conf"


def test_files_land_in_the_image(source: Path, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    files = [(source, "/app"), (source / "run.sh", "/bin/run"), (source, "/")]
    pack_image(archive, "example.com/app:1", files=files)
    members = layer_of(archive)
    assert members["app/run.sh"].mode == 0o755
    assert members["app/run.sh"].size == len("#!/bin/sh\necho hello\n")
    assert members["app/latest"].linkname == "conf/a.conf"
    assert members["conf/a.conf"].isfile()
    # /bin is a link into /usr in every image, so the program lies where the link leads.
    assert members["bin"].linkname == "usr/bin"
    assert members["usr/bin/run"].isfile()


def test_a_root_directory_leaves_the_links_into_usr(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("x")
    archive = tmp_path / "image.tar"
    pack_image(archive, "tool", files=[(root, "/")])
    members = layer_of(archive)
    assert members["bin"].issym()
    assert members["usr/bin/tool"].isfile()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(PackFailed, match=f"{absent}: No such file or directory"):
        pack_image(tmp_path / "image.tar", "app", files=[(absent, "/app")])
    assert not (tmp_path / "image.tar").exists()
