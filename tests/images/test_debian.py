"""What is taken of packages: parsing apt's records, choosing dependencies, leaving parts out."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.images.debian import Record, is_wanted, parse_records
from wherry.images.pack import PackFailed, full_name, pack_image

SHOWN = """\
Package: nginx
Version: 1.22.1-9
Depends: libc6 (>= 2.28), zlib1g:any (>= 1.1), nginx-common (= 1.22.1-9) | other, perl
Pre-Depends: init-system-helpers
Section: httpd
Description: small server
 with a second line: Depends: nothing

Package: zlib1g
Source: zlib (1:1.2.13)
Section: non-free/libs
"""


def test_records_are_read() -> None:
    nginx, zlib = parse_records(SHOWN)
    assert nginx == Record(
        "nginx", "nginx", "httpd", ("init-system-helpers", "libc6", "zlib1g", "nginx-common", "perl")
    )
    assert (zlib.source, zlib.is_library, zlib.depends) == ("zlib", True, ())
    assert not nginx.is_library


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/usr/sbin/nginx", True),
        ("/etc/nginx/nginx.conf", True),
        ("/usr/share/doc/nginx/copyright", False),
        ("/etc/init.d/nginx", False),
        ("/usr/share/man/man8/nginx.8.gz", False),
    ],
)
def test_what_no_container_misses_is_left_out(path: str, wanted: bool) -> None:
    assert is_wanted(path) is wanted


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.22", "docker.io/library/nginx:1.22"),
        ("me/app:1", "docker.io/me/app:1"),
        ("example.com/app", "example.com/app:latest"),
        ("localhost:5000/app:2", "localhost:5000/app:2"),
    ],
)
def test_names_are_spelled_out(name: str, full: str) -> None:
    assert full_name(name) == full


def test_a_variable_without_value_is_named(tmp_path: Path) -> None:

    with pytest.raises(PackFailed, match="--env COLOR: give NAME=VALUE"):
        pack_image(tmp_path / "i.tar", "i", env=["COLOR"])
