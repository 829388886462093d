"""Making what a proxied server answers lead back through the proxy: redirects, and links in pages.

A page that links to `/style.css` means its own server; behind `.../services/web/proxy` that is
`.../services/web/proxy/style.css`. Links that are relative, or lead elsewhere, stay as they are.
"""

from __future__ import annotations

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
LONGEST_TAG = 65536
"""Characters of a tag; a longer one stays as it is."""
_TAG = re.compile(
    r"""<([a-zA-Z][a-zA-Z0-9]{0,32}+)"""
    r"""(?=((?:\s(?:[^<>"']{1,4096}+|"[^"]{0,65536}+"|'[^']{0,65536}+'){0,64})?))\2(>?)"""
)
"""A tag, or the beginning of one (without ">"). Nothing is looked at twice and no tag is endless, so that a
page takes linear time: one of a hundred attributes may stay as it is. What is looked ahead at is not given
back; a possessive group (`(...){0,64}+`) would say the same, and Python before 3.11.5 gets those wrong.
"""
_AGAIN_AFTER = 16
"""The beginning of a tag is looked at again when a 16th more of it has come."""
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

    def tag(self, found: re.Match[str]) -> str:
        """A tag (what `_TAG` found) with its links rewritten."""
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


class Page:
    """An HTML page on its way through: text goes in as it comes, and out with its links rewritten.

    What is held back is the beginning of a tag of which more may come, `LONGEST_TAG` characters at most.
    """

    def __init__(self, rewriter: Rewriter) -> None:
        self._rewriter = rewriter
        self._held: list[str] = []
        self._size = self._seen = 0
        """Characters held, and how many of them were looked at already."""

    def feed(self, text: str) -> str:
        """What can be told on after `text`, which should be a portion: it is looked at without a pause."""
        self._held.append(text)
        self._size += len(text)
        if (self._size - self._seen) * _AGAIN_AFTER < self._seen:
            return ""
        return self._rewritten(is_end=False)

    def end(self) -> str:
        """What is left of the page."""
        return self._rewritten(is_end=True)

    def _rewritten(self, *, is_end: bool) -> str:
        html = "".join(self._held)
        parts: list[str] = []
        done, stop = 0, len(html)
        for found in _TAG.finditer(html):
            start = found.start()
            if not found.group(3) and not is_end and len(html) - start < LONGEST_TAG:
                if self._is_open(html, found):
                    stop = start
                    break
                continue
            parts += (html[done:start], self._rewriter.tag(found))
            done = found.end()
        else:
            if html.endswith("<") and not is_end:
                stop -= 1
        parts.append(html[done:stop])
        self._held = [html[stop:]] if stop < len(html) else []
        self._size = self._seen = len(html) - stop
        return "".join(parts)

    @staticmethod
    def _is_open(html: str, found: re.Match[str]) -> bool:
        """Whether a tag without its end may have it in what is still to come."""
        rest = html[found.end() : found.end() + 1]
        return not rest or rest in "\"'"
