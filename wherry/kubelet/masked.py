"""What is shown of settings that may hold credentials: on pages, in logs. Pure.

Source: cmd/kubelet/app/server.go, which logs headers of `staticPodURLHeader` as `<masked>`. What precedes the
host in a URL (RFC 3986, section 3.2.1) is a name and a password, and is left out here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

MASKED = "<masked>"
HEADERS_FLAG = "manifest-url-header"
_USERINFO = re.compile(r"//(?:[^/?#\\\s]*@|[^/?#\\\s\[\]]*:(?!\d*(?:[/?#\s]|$))\S*@)")
"""The second: a password with a slash in it that was not escaped, which makes the URL one that is refused."""


def without_userinfo(text: str) -> str:
    """A URL, or a text with URLs in it, without the names and passwords in them."""
    return _USERINFO.sub("//", text)


def shown_headers(headers: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The names of headers, with nothing of what they say."""
    return {name: [MASKED for _ in values] for name, values in headers.items()}


def shown_flag(name: str, text: str) -> str:
    """The value of the flag `name` as anybody may see it."""
    if name != HEADERS_FLAG:
        return without_userinfo(text)
    names = (part.partition(":") for part in text.split(",") if part.strip())
    # Without a colon it may be the end of a value that has a comma in it.
    return ",".join(f"{before.strip()}:{MASKED}" if colon else MASKED for before, colon, _ in names)


def shown_flags(flags: Mapping[str, str]) -> dict[str, str]:
    """Values by flags as anybody may see them."""
    return {name: shown_flag(name, text) for name, text in flags.items()}


def shown_arguments(arguments: Sequence[str]) -> list[str]:
    """A command line as anybody may see it: `--flag=value`, and `--flag value`."""
    found: list[str] = []
    flag = ""
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if flag:
            found.append(shown_flag(flag, argument))
            flag = ""
        elif sign and name.startswith("-"):
            found.append(f"{name}={shown_flag(name.lstrip('-'), value)}")
        else:
            flag = HEADERS_FLAG if argument.lstrip("-") == HEADERS_FLAG else ""
            found.append(without_userinfo(argument))
    return found
