"""Images from a Docker or Podman of our own making, which answers the calls real ones are asked."""

from __future__ import annotations

import http.server
import io
import json
import os
import socketserver
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest

from wherry.images.engine import (
    DOCKER,
    PODMAN,
    Engine,
    EngineFailed,
    find_engine,
    full_name,
    load_from,
    sockets,
)
from wherry.images.load import ImageStore, ImportFailed
from wherry.images.oci import Entry, ImageConfig, write_image

NAME = "docker.io/library/app:1"


@dataclass
class FakeEngine:
    """What it has, by path, as (status, body); what it was asked."""

    socket: Path
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sends: float = 1.0
    """How much of an image it sends before it breaks off."""


@contextmanager
def serving(engine: FakeEngine) -> Iterator[FakeEngine]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            engine.asked.append(path)
            status, body = engine.answers.get(path, (404, b'{"message": "no such image"}'))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            share = engine.sends if "/get" in path else 1.0
            self.wfile.write(body[: int(len(body) * share)])

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None:
            pass

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(engine.socket), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Place:
    """A fake engine that has an image, and a `ctr` that keeps what it is given."""

    engine: FakeEngine
    store: ImageStore
    archive: bytes
    given: Path
    present: Path

    def blobs(self) -> dict[str, int]:
        """The sizes of the archive's blobs by digest."""
        with tarfile.open(fileobj=io.BytesIO(self.archive)) as tar:
            parts = {member.name: member.size for member in tar if member.name.startswith("blobs/")}
        return {name.removeprefix("blobs/").replace("/", ":"): size for name, size in parts.items()}

    def got(self) -> dict[str, bytes]:
        """What `ctr` was given, by name."""
        with tarfile.open(self.given) as tar:
            return {
                member.name: stream.read()
                for member in tar
                if (stream := tar.extractfile(member)) is not None
            }


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    given, present, ctr = tmp_path / "given", tmp_path / "present", tmp_path / "ctr"
    present.touch()
    ctr.write_text(
        f'#!/bin/sh\ncase "$*" in *"content list"*) cat {present};; *import*-) cat > {given};; '
        "*) echo wrong >&2; exit 1;; esac\n"
    )
    ctr.chmod(0o755)
    write_image(tmp_path / "app.tar", NAME, {"big": Entry(data=os.urandom(1 << 20))}, ImageConfig())
    archive = (tmp_path / "app.tar").read_bytes()
    told = json.dumps({"RepoTags": ["app:1", "other:2"]}).encode()
    answers = {"/images/app:1/json": (200, told), f"/images/{NAME}/get": (200, archive)}
    answers[f"/v4.0.0/libpod/images/{NAME}/get?format=oci-archive"] = (200, archive)
    with serving(FakeEngine(tmp_path / "engine.sock", answers)) as engine:
        yield Place(engine, ImageStore(str(ctr), tmp_path / "containerd.sock"), archive, given, present)


@pytest.mark.parametrize(
    ("kind", "export"),
    [
        (DOCKER, f"/images/{NAME}/get"),
        (PODMAN, f"/v4.0.0/libpod/images/{NAME}/get?format=oci-archive"),
    ],
)
def test_an_image_comes_straight_from_the_engine(place: Place, kind: str, export: str) -> None:
    steps: list[tuple[int, int]] = []
    sent = load_from(
        Engine(kind, place.engine.socket), "app:1", place.store, progress=lambda *one: steps.append(one)
    )
    assert place.engine.asked == ["/images/app:1/json", export]
    assert (sent.name, sent.skipped) == (NAME, 0)
    assert steps[-1] == (sent.sent, 0)
    got = place.got()
    assert {f"blobs/{digest.replace(':', '/')}" for digest in place.blobs()} <= got.keys()
    (manifest,) = json.loads(got["index.json"])["manifests"]
    assert manifest["annotations"]["io.containerd.image.name"] == NAME


def test_layers_that_are_there_are_not_sent(place: Place) -> None:
    blobs = place.blobs()
    layer = max(blobs, key=lambda digest: blobs[digest])
    whole = load_from(Engine(DOCKER, place.engine.socket), "app:1", place.store)
    place.present.write_text(f"sha256:{'0' * 64}\n{layer}\n")
    again = load_from(Engine(DOCKER, place.engine.socket), "app:1", place.store)
    assert again.skipped == blobs[layer]
    assert again.sent == whole.sent - blobs[layer]
    assert f"blobs/{layer.replace(':', '/')}" not in place.got()
    assert {"index.json", "oci-layout"} <= place.got().keys()


def test_what_is_not_there(place: Place) -> None:
    engine = Engine(DOCKER, place.engine.socket)
    with pytest.raises(EngineFailed, match=r"^there is no image 'none:1' in Docker; see: docker images$"):
        load_from(engine, "none:1", place.store)
    place.engine.answers["/images/app:1/json"] = (200, b'{"RepoTags": []}')
    with pytest.raises(EngineFailed, match="app:1: has no name in Docker; give it one: docker tag"):
        load_from(engine, "app:1", place.store)
    place.engine.answers["/images/app:1/json"] = (500, b'{"message": "disk\\nfull"}')
    with pytest.raises(EngineFailed, match="answered 500: disk full"):
        load_from(engine, "app:1", place.store)
    assert not place.given.exists()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_an_engine_that_breaks_off(place: Place, share: float) -> None:
    place.engine.sends = share
    with pytest.raises(EngineFailed, match=f"Docker cut {NAME} off"):
        load_from(Engine(DOCKER, place.engine.socket), "app:1", place.store)


def test_too_large(place: Place) -> None:
    with pytest.raises(EngineFailed, match="is larger than 0 MiB, for which there is no room"):
        load_from(Engine(DOCKER, place.engine.socket), "app:1", place.store, limit=1000)


def test_a_containerd_that_does_not_take_it(place: Place) -> None:
    Path(place.store.ctr).write_text(
        '#!/bin/sh\ncase "$*" in *content*) ;; *) echo full >&2; exit 1;; esac\n'
    )
    with pytest.raises(ImportFailed, match="ctr images import: full"):
        load_from(Engine(DOCKER, place.engine.socket), "app:1", place.store)


def test_engines_that_do_not_run(tmp_path: Path) -> None:
    told = {"DOCKER_HOST": f"unix://{tmp_path / 'none.sock'}"}
    with pytest.raises(
        EngineFailed, match=r"^Docker does not run: there is no socket at .*none.sock; start it"
    ):
        find_engine(DOCKER, told)
    with pytest.raises(EngineFailed, match="DOCKER_HOST is 'tcp://x:1': only sockets of this machine"):
        find_engine(DOCKER, {"DOCKER_HOST": "tcp://x:1"})
    with pytest.raises(EngineFailed) as caught:
        find_engine(DOCKER, {"DOCKER_HOST": "ssh://user:hunter2@x"})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(EngineFailed, match="does not answer: No such file or directory"):
        load_from(Engine(PODMAN, tmp_path / "none.sock"), "a", ImageStore("ctr", tmp_path))
    assert sockets(PODMAN, {"XDG_RUNTIME_DIR": "/run/user/7"}) == [
        Path("/run/podman/podman.sock"),
        Path("/run/user/7/podman/podman.sock"),
    ]


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("reg.example:5000/app", "reg.example:5000/app:latest"),
    ],
)
def test_whole_names(name: str, whole: str) -> None:
    assert full_name(name) == whole
