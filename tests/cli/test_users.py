"""Whom `--user` means, by a container's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cli.users import NoSuchUser, User, find_user


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n# a remark\n\nweb:x:33:34::/:/bin/sh\nbad:x:y:z::/:/bin/sh\n"
    )
    (tmp_path / "etc/group").write_text("root:x:0:\nlogs:x:50:web,other\nmail:x:51:other\n")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "user"),
    [
        ("0", User(0, 0)),
        ("root", User(0, 0)),
        ("web", User(33, 34, (50,))),
        ("33", User(33, 34, (50,))),
        ("1234", User(1234, 0)),
        ("1234:5", User(1234, 5)),
        ("web:mail", User(33, 51)),
    ],
)
def test_who_is_meant(root: Path, wanted: str, user: User) -> None:
    assert find_user(root, wanted) == user


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("bob", "no user 'bob' in the container's /etc/passwd; give a UID"),
        ("bad", "no user 'bad'"),
        ("web:none", "no group 'none' in the container's /etc/group; give a GID"),
        ("99999999999", "no user '99999999999'"),
    ],
)
def test_nobody(root: Path, wanted: str, said: str) -> None:
    with pytest.raises(NoSuchUser, match=said):
        find_user(root, wanted)


def test_an_image_without_accounts(tmp_path: Path) -> None:
    assert find_user(tmp_path, "7") == User(7, 0)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").mkdir()
    with pytest.raises(NoSuchUser, match="passwd cannot be read"):
        find_user(tmp_path, "7")
