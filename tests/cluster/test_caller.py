"""With sudo, the kubeconfig is the caller's, and so are the rights it is touched with."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from wherry.cluster.caller import Caller, find_caller
from wherry.cluster.kubeconfig import KubeconfigError, UserKubeconfig

NOBODY = pwd.getpwnam("nobody")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")


def test_without_sudo_it_is_whoever_runs_it() -> None:
    assert find_caller({}) == Caller(Path.home())


@pytest.mark.parametrize("uid", ["0", "x", "-1", "4294967294"])
def test_ids_nobody_has_change_nothing(uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_caller({"SUDO_UID": uid}) == Caller(Path.home())


def test_with_sudo_it_is_who_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    found = find_caller({"SUDO_UID": str(NOBODY.pw_uid)})
    assert found == Caller(Path(NOBODY.pw_dir), (NOBODY.pw_uid, NOBODY.pw_gid))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert find_caller({"SUDO_UID": str(NOBODY.pw_uid)}) == Caller(Path.home()), "not root: not sudo"


@needs_root
def test_files_are_theirs_and_links_lead_no_further_than_they_could(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_mode & 0o011 != 0o011:
            parent.chmod(parent.stat().st_mode | 0o011)
    theirs = UserKubeconfig(home / ".kube" / "config", Caller(home, (NOBODY.pw_uid, NOBODY.pw_gid)))
    theirs.write({"a": 1})
    status = theirs.path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (NOBODY.pw_uid, NOBODY.pw_gid, 0o600)
    assert os.geteuid() == 0
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    theirs.path.unlink()
    theirs.path.symlink_to(secret)
    with pytest.raises(KubeconfigError):
        theirs.read()
    with pytest.raises(KubeconfigError):
        theirs.write({"a": 2})
    assert secret.read_text() == "root's"
