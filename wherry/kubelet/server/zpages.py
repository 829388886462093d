"""`/statusz` and `/flagz`: what runs here since when, and with which flags.

Source: apiserver/pkg/server/{statusz,flagz} (KEP-4827, KEP-4828: on by default since v1.36). Plain text, or
the kinds of `config.k8s.io` for who asks for them by `as`, `v` and `g` in the Accept header.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime

from wherry.kit.clock import Clock
from wherry.kit.httpd.message import Request, Response
from wherry.kubelet.config import KUBELET_VERSION
from wherry.kubelet.masked import shown_flags
from wherry.kubelet.server.answers import TEXT, NotServed, json_of
from wherry.objects.meta import Object, format_time

COMPONENT = "kubelet"
GROUP = "config.k8s.io"
VERSIONS = ("v1alpha1", "v1beta1")
_WARNING = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees "
    "and is for debugging purposes only.\n"
)


class Zpages:
    """Both pages of one server. `paths` are those it serves."""

    def __init__(self, clock: Clock, flags: Mapping[str, str], paths: Sequence[str]) -> None:
        self._clock = clock
        self._flags = shown_flags(flags)
        self._paths = sorted(paths)
        self._began: datetime = clock.now()

    async def statusz(self, request: Request) -> Response:
        """`/statusz`. Raises NotServed."""
        version = wanted_version(request.headers.get("accept", ""), "Statusz")
        up_s = max(int((self._clock.now() - self._began).total_seconds()), 0)
        language = f"python{platform.python_version()}"
        if version:
            told = {
                "startTime": format_time(self._began),
                "uptimeSeconds": up_s,
                "goVersion": language,
                "binaryVersion": KUBELET_VERSION,
                "emulationVersion": KUBELET_VERSION.removeprefix("v").rpartition(".")[0],
                "paths": self._paths,
            }
            return json_of({**_head("Statusz", version), **told})
        lines = (
            f"Started: {self._began:%a %b %e %H:%M:%S UTC %Y}",
            f"Up: {up_s // 3600} hr {up_s // 60 % 60:02d} min {up_s % 60:02d} sec",
            f"Go version: {language}",
            f"Binary version: {KUBELET_VERSION}",
            f"Emulation version: {KUBELET_VERSION.removeprefix('v').rpartition('.')[0]}",
            f"Paths: {' '.join(self._paths)}",
        )
        return _plain("statusz", "\n" + "".join(f"{line}\n" for line in lines))

    async def flagz(self, request: Request) -> Response:
        """`/flagz`. Raises NotServed."""
        version = wanted_version(request.headers.get("accept", ""), "Flagz")
        if version:
            return json_of({**_head("Flagz", version), "flags": dict(self._flags)})
        return _plain("flagz", "".join(f"{name}={value}\n" for name, value in sorted(self._flags.items())))


def wanted_version(accept: str, kind: str) -> str:
    """The version of `kind` an Accept header asks for, "" for plain text. Raises NotServed (406)."""
    if not accept.strip():
        return ""
    for part in accept.split(","):
        media, *parameters = (word.strip() for word in part.split(";"))
        if media in ("*/*", "text/*", "text/plain"):
            return ""
        found = dict(word.partition("=")[::2] for word in parameters)
        is_kind = found.get("as") == kind and found.get("g") == GROUP and found.get("v") in VERSIONS
        if media == "application/json" and is_kind:
            return found["v"]
    raise NotServed("only the following media types are accepted: application/json, text/plain", 406)


def _head(kind: str, version: str) -> Object:
    return {"kind": kind, "apiVersion": f"{GROUP}/{version}", "metadata": {"name": COMPONENT}}


def _plain(name: str, body: str) -> Response:
    return Response(f"\n{COMPONENT} {name}\n{_WARNING}{body}".encode(), content_type=TEXT)
