"""A stand-in for etcd: it answers that it is well, and keeps nothing."""

from __future__ import annotations

import signal
import sys
import threading
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


def address_of(text: str) -> tuple[str, int]:
    """Host and port of a URL to listen on. Raises ValueError for what etcd refuses, and for what is not HTTP.

    Source: etcd's client/pkg/types, NewURLs.
    """
    text = text.strip()
    try:
        url = urlsplit(text)
    except ValueError as error:  # brackets that do not match, say
        raise ValueError(f"{text} is no URL: {error}; give http://host:port") from None
    if url.scheme not in ("http", "https", "unix", "unixs"):
        raise ValueError(f"URL scheme must be http, https, unix, or unixs: {text}")
    if url.scheme != "http":
        raise ValueError(f"{text}: this one answers plain HTTP alone; give http://host:port")
    try:
        port = url.port
    except ValueError as error:
        raise ValueError(f"{text}: {error}; give a port of 0 to 65535") from None
    if port is None:
        raise ValueError(f'URL address does not have the form "host:port": {text}')
    if url.path:
        raise ValueError(f"URL must not contain a path: {text}")
    return url.hostname or "", port


def main() -> NoReturn:
    """Serve until a signal comes."""
    try:
        listen = parse("etcd", FLAGS, sys.argv[1:]).text("listen-client-urls")
    except FlagError as error:
        sys.exit(f"etcd: {error}")
    try:
        (host, port), *_ = [address_of(url) for url in listen.split(",")]
    except ValueError as error:
        sys.exit(f"etcd: --listen-client-urls: {error}")
    # Blocked from here on, in all threads: a signal that came just before a wait would else not end it.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        server = ThreadingHTTPServer((host, port), Health)
    except OSError as error:
        sys.exit(f"etcd: cannot listen on {host}:{port}: {error.strerror or error}")
    threading.Thread(target=server.serve_forever, args=(3600.0,), daemon=True).start()
    signal.sigwait(signals)
    sys.exit(0)


if __name__ == "__main__":
    main()
