"""A stand-in for etcd: it answers that it is well, and keeps nothing."""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NoReturn
from urllib.parse import urlsplit

from wherry.cluster.alone.flags import SWITCH, Flag, FlagError, help_text, idle, parse

IN_THE_CLEAR = "this one speaks in the clear, to this machine; leave the flag out"
FLAGS = (
    Flag("listen-client-urls", "Where its health is answered.", default="http://localhost:2379"),
    *idle("advertise-client-urls", "data-dir", "listen-peer-urls", why="nothing is kept here"),
    *idle("unsafe-no-fsync", kind=SWITCH, why="nothing is kept here"),
    *(
        Flag(name, refused=IN_THE_CLEAR)
        for name in ("cert-file", "client-cert-auth", "key-file", "trusted-ca-file", "auto-tls", "auth-token")
    ),
)
HELP = help_text(
    "Stands in for etcd where a test starts one; the API server keeps its objects itself.", FLAGS
)


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
    try:
        listen = parse("etcd", FLAGS, sys.argv[1:]).text("listen-client-urls")
    except FlagError as error:
        sys.exit(f"etcd: {error}")
    url = urlsplit(listen.partition(",")[0])
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        server = ThreadingHTTPServer((url.hostname or "localhost", url.port or 2379), Health)
    except OSError as error:
        sys.exit(f"etcd: cannot listen on {url.netloc}: {error.strerror or error}")
    server.serve_forever(poll_interval=3600.0)
    sys.exit(0)


def _end(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
