"""A stand-in for etcd: it answers that it is well, and keeps nothing."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn
from urllib.parse import urlsplit

LISTEN = "--listen-client-urls"
DEFAULT = "http://localhost:2379"


class Health(BaseHTTPRequestHandler):
    """GET /health and /readyz, as etcd answers them."""

    def do_GET(self) -> None:
        """Answer one request."""
        is_known = self.path.partition("?")[0] in ("/health", "/readyz", "/livez")
        body = b'{"health":"true","reason":""}' if is_known else b"404 page not found\n"
        self.send_response(200 if is_known else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nothing of it is worth a line."""


def main() -> NoReturn:
    """Serve until a signal comes."""
    url = urlsplit(_listen_url(sys.argv[1:]))
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        server = ThreadingHTTPServer((url.hostname or "localhost", url.port or 2379), Health)
    except OSError as error:
        sys.exit(f"etcd: cannot listen on {url.netloc}: {error.strerror or error}")
    server.serve_forever(poll_interval=3600.0)
    sys.exit(0)


def _listen_url(arguments: list[str]) -> str:
    for number, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == LISTEN:
            found = value if equals else "".join(arguments[number + 1 : number + 2])
            return found.partition(",")[0] or DEFAULT
    return DEFAULT


def _end(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
