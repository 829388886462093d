"""Making what a proxied server answers lead back through the proxy: redirects, and links in pages.

A page that links to `/style.css` means its own server; behind `.../services/web/proxy` that is
`.../services/web/proxy/style.css`. Links that are relative, or lead elsewhere, stay as they are.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

LINKS = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
"""Which attributes of which HTML elements hold addresses."""
_TAG = re.compile(
    r"""<([a-zA-Z][a-zA-Z0-9]{0,32})"""
    r"""((?:\s(?:[^<>"']{1,4096}+|"[^"]{0,65536}"|'[^']{0,65536}'){0,64}+)?+)(>?)"""
)
"""A tag, or the beginning of one (without ">"). Nothing is looked at twice and no tag is endless, so that a
page takes linear time, and no tag longer than a portion: one of a hundred attributes may stay as it is.
"""
PORTION_CHARACTERS = 65536
_ATTRIBUTE = re.compile(r"""(\s([a-zA-Z-]++)\s*+=\s*+)("[^"]*"|'[^']*'|[^\s"'=<>`]+)""")


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Where the proxy is: `scheme` and `host` as its client knows them, and the path (`prefix`) below it.

    `upstream` is the host (with port) of the server behind it.
    """

    scheme: str
    host: str
    prefix: str
    upstream: str

    def address(self, address: str) -> str:
        """An address the server named, as the proxy's client has to ask for it."""
        try:
            parts = urlsplit(address)
        except ValueError:
            return address
        is_elsewhere = bool(parts.netloc) and parts.netloc not in (self.upstream, self.host)
        if is_elsewhere or not parts.path.startswith("/") or parts.path.startswith(self.prefix):
            return address
        scheme, host = (self.scheme, self.host) if parts.netloc else ("", "")
        return urlunsplit(SplitResult(scheme, host, self.prefix + parts.path, parts.query, parts.fragment))

    async def page(self, html: str) -> str:
        """An HTML page with its links rewritten; others have their turn after every portion of it."""
        parts: list[str] = []
        done, pause_at = 0, PORTION_CHARACTERS
        for found in _TAG.finditer(html):
            parts += (html[done : found.start()], self._tag(found))
            done = found.end()
            if done >= pause_at:
                pause_at = done + PORTION_CHARACTERS
                await asyncio.sleep(0)
        parts.append(html[done:])
        return "".join(parts)

    def _tag(self, found: re.Match[str]) -> str:
        names = LINKS.get(found.group(1).lower())
        if names is None or not found.group(2) or not found.group(3):
            return found.group(0)

        def attribute(pair: re.Match[str]) -> str:
            if pair.group(2).lower() not in names:
                return pair.group(0)
            quote = pair.group(3)[0] if pair.group(3)[0] in "\"'" else ""
            value = pair.group(3)[1:-1] if quote else pair.group(3)
            return f"{pair.group(1)}{quote}{self.address(value)}{quote}"

        return f"<{found.group(1)}{_ATTRIBUTE.sub(attribute, found.group(2))}>"
