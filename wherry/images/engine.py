"""Images straight from a running Docker or Podman: over its API, without the layers that are there already.

Source: https://docs.docker.com/reference/api/engine/ (ImageInspect, ImageGet), Podman's libpod API
(ImageExportLibpod), https://github.com/opencontainers/image-spec/blob/main/image-layout.md. What comes is an
OCI layout in a tar, or Docker's older format; it goes through here to `ctr`, without a file between. Blobs
are called by their digests there, so those containerd's content store has are left out.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from wherry.images.load import LARGEST, LARGEST_INDEX, NAMESPACE, ImageStore, ImportFailed

DOCKER, PODMAN = "docker", "podman"
CALLED = {DOCKER: "Docker", PODMAN: "Podman"}
VARIABLES = {DOCKER: "DOCKER_HOST", PODMAN: "CONTAINER_HOST"}
UNIX = "unix://"
TIMEOUT_S = 60.0
"""How long an engine may say nothing."""
PIECE = 1 << 20
LARGEST_ANSWER = 4 << 20
NAME_ANNOTATION = "io.containerd.image.name"

Progress = Callable[[int, int], None]
"""Told now and then how many bytes were sent, and how many were there."""


class EngineFailed(Exception):
    """No image is to be had from there; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running Docker or Podman (`kind`), by its socket."""

    kind: str
    socket: Path

    @property
    def called(self) -> str:
        """How it is called in messages."""
        return CALLED[self.kind]


@dataclass(slots=True)
class Sent:
    """What became of an image: its name on the node, the bytes that went there, and those that were there."""

    name: str
    sent: int = 0
    skipped: int = 0


def sockets(kind: str, environ: Mapping[str, str]) -> list[Path]:
    """Where an engine may listen: where its variable says, else where it does for root and for users.

    Raises EngineFailed for one that listens on no socket of this machine.
    """
    said = environ.get(VARIABLES[kind], "")
    if said:
        if not said.startswith(UNIX):
            raise EngineFailed(
                f"{VARIABLES[kind]} is {said.partition('@')[2] or said!r}: only sockets of this machine are "
                f"asked, {UNIX}/PATH; or write the image to a file with `{kind} save`, and load that"
            )
        return [Path(said.removeprefix(UNIX))]
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if kind == DOCKER:
        own = [Path(runtime) / "docker.sock"] if runtime else []
        return [Path("/var/run/docker.sock"), *own, Path.home() / ".docker/run/docker.sock"]
    own = [Path(runtime) / "podman/podman.sock"] if runtime else []
    return [Path("/run/podman/podman.sock"), *own]


def find_engine(kind: str, environ: Mapping[str, str] = os.environ) -> Engine:
    """The engine that runs. Raises EngineFailed."""
    tried = sockets(kind, environ)
    try:
        found = next((path for path in tried if path.is_socket()), None)
    except PermissionError as error:
        raise EngineFailed(f"{error.filename}: permission denied; run it again as root") from None
    if found is not None:
        return Engine(kind, found)
    start = "systemctl start docker" if kind == DOCKER else "systemctl start podman.socket"
    raise EngineFailed(
        f"{CALLED[kind]} does not run: there is no socket at {' or '.join(map(str, tried))}; "
        f"start it ({start}), or say where it listens with {VARIABLES[kind]}={UNIX}/PATH"
    )


def load_from(
    engine: Engine, image: str, store: ImageStore, limit: int = LARGEST, progress: Progress = lambda *_: None
) -> Sent:
    """Have an image of the engine on the node. `limit` is how many bytes may be sent.

    Raises EngineFailed, ImportFailed. It blocks.
    """
    name = _name_of(engine, image)
    present = present_blobs(store)
    connection, answer = _asked(engine, _export_path(engine, name))
    try:
        return _through(engine, cast("IO[bytes]", answer), store, Sent(name), present, limit, progress)
    finally:
        connection.close()


def present_blobs(store: ImageStore) -> set[str]:
    """The digests of what is in containerd's content store. Raises ImportFailed."""
    command = [*_ctr(store), "content", "list", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImportFailed(f"ctr content list: {done.stderr.strip()}")
    return set(done.stdout.split())


def _ctr(store: ImageStore) -> list[str]:
    return [store.ctr, "--address", str(store.socket), "--namespace", NAMESPACE]


def _name_of(engine: Engine, image: str) -> str:
    """What the engine calls an image, with registry and tag. Raises EngineFailed."""
    connection, answer = _asked(engine, f"/images/{quote(image, safe='/:@')}/json", image)
    try:
        told = json.loads(answer.read(LARGEST_ANSWER))
        tags = [str(tag) for tag in told.get("RepoTags") or ()]
    except (ValueError, AttributeError, http.client.HTTPException, OSError) as error:
        raise EngineFailed(f"{engine.called} at {engine.socket} gave no answer about {image}") from error
    finally:
        connection.close()
    if not tags:
        raise EngineFailed(f"{image}: has no name in {engine.called}; give it one: {engine.kind} tag")
    wanted = {full_name(image), full_name(f"localhost/{image}")}
    return next((name for tag in tags if (name := full_name(tag)) in wanted), full_name(tags[0]))


def full_name(name: str) -> str:
    """`docker.io/library/nginx:latest` for `nginx`."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _export_path(engine: Engine, name: str) -> str:
    quoted = quote(name, safe="/:@")
    if engine.kind == PODMAN:
        return f"/v4.0.0/libpod/images/{quoted}/get?format=oci-archive"
    return f"/images/{quoted}/get"


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect. Raises OSError."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def _asked(engine: Engine, path: str, image: str = "") -> tuple[_Connection, http.client.HTTPResponse]:
    """A good answer, not yet read. Raises EngineFailed."""
    connection = _Connection(engine.socket)
    at = f"{engine.called} at {engine.socket}"
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status == http.client.OK:
            return connection, answer
        said = answer.read(LARGEST_ANSWER)
    except PermissionError as error:
        connection.close()
        raise EngineFailed(f"{at} may not be asked: Permission denied; run it again as root") from error
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        why = getattr(error, "strerror", None) or str(error) or "no answer"
        raise EngineFailed(f"{at} does not answer: {why}; see that it runs") from error
    connection.close()
    if answer.status == http.client.NOT_FOUND and image:
        raise EngineFailed(f"there is no image {image!r} in {engine.called}; see: {engine.kind} images")
    raise EngineFailed(f"{at} answered {answer.status}: {_message(said)}")


def _message(said: bytes) -> str:
    """What an engine says of a failure, in one line."""
    try:
        told = json.loads(said)
        text = str(told.get("message") or told.get("cause") or "") if isinstance(told, dict) else ""
    except ValueError:
        text = said.decode(errors="replace")
    return " ".join(text.split())[:300] or "nothing more"


def _through(
    engine: Engine,
    source: IO[bytes],
    store: ImageStore,
    sent: Sent,
    present: Collection[str],
    limit: int,
    progress: Progress,
) -> Sent:
    """Hand the archive to `ctr`, but for what is there."""
    command = [*_ctr(store), "images", "import", "--snapshotter", store.snapshotter, "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        if process.stdin is None or process.stderr is None:
            raise ImportFailed("ctr has no pipes")
        try:
            _copy(engine, source, process.stdin, sent, present, limit, progress)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended, and says itself why
        except BaseException:
            process.kill()  # what came so far is not the archive
            raise
        complaint = process.stderr.read().decode(errors="replace").strip()
        if process.wait():
            raise ImportFailed(f"ctr images import: {complaint or 'it failed'}")
    return sent


def _copy(
    engine: Engine,
    source: IO[bytes],
    target: IO[bytes],
    sent: Sent,
    present: Collection[str],
    limit: int,
    progress: Progress,
) -> None:
    """The archive from `source` to `target`. Raises EngineFailed, BrokenPipeError."""
    try:
        with (
            tarfile.open(fileobj=source, mode="r|", bufsize=PIECE) as come,
            tarfile.open(fileobj=target, mode="w|", bufsize=PIECE, format=tarfile.PAX_FORMAT) as go,
        ):
            for member in come:
                if digest_of(member) in present:
                    sent.skipped += member.size
                    progress(sent.sent, sent.skipped)
                    continue
                sent.sent += member.size
                if sent.sent > limit:
                    raise EngineFailed(
                        f"{sent.name}: is larger than {limit >> 20} MiB, for which there is no room; "
                        "free some disk space"
                    )
                content = come.extractfile(member) if member.isfile() else None
                if content is not None and member.name == "index.json":
                    _add_index(go, member, content, sent.name)
                else:
                    go.addfile(member, content)
                progress(sent.sent, sent.skipped)
            _read_out(source)
    except (tarfile.TarError, EOFError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise EngineFailed(f"{engine.called} cut {sent.name} off; look at its log, and try again") from error


def _read_out(answer: IO[bytes]) -> None:
    """Read what is left of an answer. Raises EOFError when that is not all of it: tar does not tell."""
    while answer.read(PIECE):
        pass
    if getattr(answer, "length", None):
        raise EOFError


def digest_of(member: tarfile.TarInfo) -> str:
    """What a blob of an OCI layout has for a digest, "" for what is none."""
    parts = member.name.removeprefix("./").split("/")
    is_blob = member.isfile() and len(parts) == 3 and parts[0] == "blobs"
    return f"{parts[1]}:{parts[2]}" if is_blob else ""


def _add_index(go: tarfile.TarFile, member: tarfile.TarInfo, content: IO[bytes], name: str) -> None:
    """The index, with the whole name of the one image in it, which engines leave out. Raises EngineFailed."""
    if member.size > LARGEST_INDEX:
        raise EngineFailed(f"{name}: its index is larger than {LARGEST_INDEX} bytes")
    data = content.read()
    try:
        index: Any = json.loads(data)
        manifests = index["manifests"]
        if len(manifests) == 1:
            manifests[0].setdefault("annotations", {})[NAME_ANNOTATION] = name
            data = json.dumps(index).encode()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineFailed(f"{name}: its index has an unknown shape") from error
    member.size = len(data)
    go.addfile(member, io.BytesIO(data))
