"""The mount table: which mounts lie below a directory, in the order they can be taken away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.network.namespaces import needs_root
from wherry.kit.mounts import MS_BIND, detach, mount, mounts_below, unmount


def table(tmp_path: Path, points: list[bytes]) -> Path:
    info = tmp_path / "mountinfo"
    info.write_bytes(b"".join(b"1 2 0:3 / " + point + b" rw - tmpfs none rw\n" for point in points))
    return info


def test_mounts_newest_first(tmp_path: Path) -> None:
    info = table(
        tmp_path, [b"/", b"/run/x", b"/run/x/a", b"/run/x/a/b", rb"/run/x/with\040blank", b"/run/xy"]
    )
    below = [Path("/run/x/with blank"), Path("/run/x/a/b"), Path("/run/x/a")]
    assert mounts_below([Path("/run/x")], info) == below
    assert mounts_below([Path("/run/x")], info, themselves=True) == [*below, Path("/run/x")]
    assert mounts_below([Path("/nowhere"), Path("/run/xy")], info, themselves=True) == [Path("/run/xy")]


def test_names_need_be_no_text(tmp_path: Path) -> None:
    """A pod may call its directories what it likes; who cannot read a line finds no mount at all."""
    info = table(tmp_path, [b"/run/x/\xff\xfe", rb"/run/x/back\134slash\011tab"])
    found = mounts_below([Path("/run/x")], info)
    assert [os.fsencode(path) for path in found] == [b"/run/x/back\\slash\ttab", b"/run/x/\xff\xfe"]


def test_mounts_below_a_link_are_found(tmp_path: Path) -> None:
    """The table names real paths; who misses one deletes what is bound there."""
    (tmp_path / "real" / "a").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    info = table(tmp_path, [f"{tmp_path.resolve()}/real/a".encode()])
    assert mounts_below([tmp_path / "link"], info) == [tmp_path.resolve() / "real" / "a"]


@needs_root
@pytest.mark.slow
def test_real_mounts_come_and_go(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for directory in (source, target):
        directory.mkdir()
    mount(str(source), target, "", MS_BIND)
    assert mounts_below([tmp_path]) == [target]
    unmount(target)
    assert mounts_below([tmp_path]) == []
    detach(target)
    detach(tmp_path / "nothing")
    with pytest.raises(OSError, match="cannot unmount"):
        unmount(target)
    with pytest.raises(OSError, match="mount: "):
        mount("x", target, "no-such-kind")
