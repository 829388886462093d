"""A container registry on loopback that serves the images of OCI archives, for tests of pulling.

Just enough of the distribution specification for a pull: manifests by tag or digest, blobs, and
basic authentication for repositories below `private/`. It keeps what was asked for.
"""

from __future__ import annotations

import base64
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "reader", "letmein"


@dataclass
class Registry:
    """Blobs by digest, and which digest a `repository:tag` is."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    manifests_asked: list[str] = field(default_factory=list)

    def add(self, archive: Path, repository: str, tag: str) -> str:
        """Serve the image of an OCI archive; the reference to pull it by."""
        with tarfile.open(archive) as layout:
            for member in layout.getmembers():
                if member.isfile() and member.name.startswith("blobs/sha256/"):
                    content = layout.extractfile(member)
                    assert content is not None
                    self.blobs["sha256:" + member.name.rpartition("/")[2]] = content.read()
            index = layout.extractfile("index.json")
            assert index is not None
            (manifest,) = json.load(index)["manifests"]
        self.kinds[manifest["digest"]] = manifest["mediaType"]
        self.tags[f"{repository}:{tag}"] = manifest["digest"]
        return f"127.0.0.1:{self.port}/{repository}:{tag}"


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry that answers until the block ends."""
    registry = Registry()

    class Handler(_Handler):
        serves = registry

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        registry.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    serves: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = self.path.split("?")[0].strip("/").split("/")
        repository, sort, reference = "/".join(parts[1:-2]), parts[-2] if len(parts) > 2 else "", parts[-1]
        if parts == ["v2"]:
            self._answer(200, b"{}", "application/json")
        elif repository.startswith("private/") and not self._may_read():
            self._answer(401, b"{}", "application/json")
        elif sort == "manifests":
            self.serves.manifests_asked.append(f"{repository}:{reference}")
            digest = self.serves.tags.get(f"{repository}:{reference}", reference)
            self._blob(digest, self.serves.kinds.get(digest, ""))
        elif sort == "blobs":
            self._blob(reference, "application/octet-stream")
        else:
            self._answer(404, b"{}", "application/json")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _may_read(self) -> bool:
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def _blob(self, digest: str, kind: str) -> None:
        content = self.serves.blobs.get(digest)
        if content is None or not kind:
            code = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            self._answer(404, json.dumps(code).encode(), "application/json")
        else:
            self._answer(200, content, kind, digest)

    def _answer(self, code: int, body: bytes, kind: str, digest: str = "") -> None:
        self.send_response(code)
        if code == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Keep standard error for the tests."""
