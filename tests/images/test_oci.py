"""Archives: what is in them, and that the same input gives the same bytes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from wherry.images.load import NotAnImage, read_names
from wherry.images.oci import Entry, ImageConfig, UnsupportedMachine, machine_architecture, write_image

NAME = "example.com/app:1"


def entries(tmp_path: Path) -> dict[str, Entry]:
    source = tmp_path / "tool"
    source.write_bytes(b"#!/bin/sh\n")
    return {
        "usr/bin/tool": Entry(source=source, uid=7),
        "/etc/motd": Entry(mode=0o644, data=b"hello"),
        "bin": Entry(target="usr/bin"),
        "tmp": Entry(mode=0o1777),
    }


def write(tmp_path: Path) -> tuple[Path, str]:
    config = ImageConfig(
        entrypoint=("/usr/bin/tool",),
        cmd=("-v",),
        env={"A": "1"},
        user="7",
        workdir="/srv",
        ports=("80/tcp",),
        stop_signal="SIGQUIT",
    )
    output = tmp_path / "app.tar"
    return output, write_image(output, NAME, entries(tmp_path), config, architecture="arm64")


def read(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        streams = {member.name: tar.extractfile(member) for member in tar}
        return {name: stream.read() for name, stream in streams.items() if stream is not None}


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    data = files["blobs/" + descriptor["digest"].replace(":", "/")]
    assert len(data) == descriptor["size"]
    return data


def test_the_index_leads_to_manifest_config_and_layer(tmp_path: Path) -> None:
    archive, digest = write(tmp_path)
    files = read(archive)
    (top,) = json.loads(files["index.json"])["manifests"]
    assert top["digest"] == digest
    assert top["annotations"]["io.containerd.image.name"] == NAME
    assert top["annotations"]["org.opencontainers.image.ref.name"] == "1"
    manifest = json.loads(blob(files, top))
    config = json.loads(blob(files, manifest["config"]))
    assert config["architecture"] == "arm64"
    assert config["config"] == {
        "Entrypoint": ["/usr/bin/tool"],
        "Cmd": ["-v"],
        "Env": ["A=1"],
        "User": "7",
        "WorkingDir": "/srv",
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGQUIT",
    }
    (layer,) = manifest["layers"]
    assert json.loads(files["manifest.json"])[0]["RepoTags"] == [NAME]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(files, layer)))) as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["bin", "etc", "etc/motd", "tmp", "usr", "usr/bin", "usr/bin/tool"]
    assert members["usr/bin/tool"].uid == 7
    assert members["bin"].linkname == "usr/bin"
    assert members["tmp"].mode == 0o1777
    assert {member.mtime for member in members.values()} == {0}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert first[1] == second[1]
    assert first[0].read_bytes() == second[0].read_bytes()


def test_names_are_read_from_an_archive(tmp_path: Path) -> None:
    archive, _ = write(tmp_path)
    assert read_names(archive) == [NAME]


def tar_with(path: Path, name: str, data: bytes) -> Path:
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return path


def test_what_is_no_image_is_refused_in_words(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a tar archive")
    cases = {
        text: "not an image archive",
        tmp_path / "missing": "no such file",
        tmp_path: "is a directory",
        tar_with(tmp_path / "other.tar", "readme", b"x"): "neither index.json nor manifest.json",
        tar_with(tmp_path / "broken.tar", "index.json", b"{"): "damaged JSON",
        tar_with(tmp_path / "shape.tar", "index.json", b'{"manifests": [3]}'): "unknown shape",
    }
    for path, expected in cases.items():
        with pytest.raises(NotAnImage, match=expected):
            read_names(path)


def test_architectures() -> None:
    assert machine_architecture("x86_64") == "amd64"
    assert machine_architecture("aarch64") == "arm64"
    with pytest.raises(UnsupportedMachine, match="riscv64"):
        machine_architecture("riscv64")
