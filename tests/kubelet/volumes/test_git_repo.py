"""gitRepo: refused unless allowed; a clone made by an unprivileged child, which nothing leads out of."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.kubelet.rig import FakeMounts
from tests.kubelet.volumes.sources import paper_host
from tests.kubelet.volumes.test_contract import Fixture
from wherry.kubelet.volumes.base import MountFailure
from wherry.kubelet.volumes.git_child import NOBODY
from wherry.kubelet.volumes.plugins.git_repo import DISABLED, LONGEST_OUTPUT, _last_of, check
from wherry.kubelet.volumes.pod_volumes import PodVolumes

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes nobody")


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, without a word."""

    def log_message(self, *_: object) -> None:
        """Nothing is written."""


def git(directory: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", str(directory), *who, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A repository on loopback, with two commits, a hook, a submodule and a link that leads out."""
    root = tmp_path_factory.mktemp("git")
    work = root / "work"
    work.mkdir()
    git(work, "init")
    (work / "file").write_text("first")
    git(work, "add", ".")
    git(work, "commit", "-m", "first")
    git(work, "tag", "v1")
    (work / "file").write_text("second")
    (work / "out").symlink_to("/etc/shadow")
    (work / ".gitmodules").write_text('[submodule "s"]\n\tpath = s\n\turl = file:///\n')
    git(work, "add", ".")
    git(work, "commit", "-m", "second")
    git(root, "clone", "--bare", "work", "repo.git")
    bare = root / "repo.git"
    git(bare, "update-server-info")
    hook = bare / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch /tmp/owned\n")
    hook.chmod(0o755)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/repo.git"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def made(tmp_path: Path) -> Fixture:
    fixture = Fixture(tmp_path)
    host = replace(paper_host(FakeMounts()), allows_git=True)
    fixture.volumes = PodVolumes(fixture.root, host, fixture.recorder)
    return fixture


async def test_it_is_off_unless_allowed(tmp_path: Path) -> None:
    fixture = Fixture(tmp_path)
    with pytest.raises(MountFailure):
        await fixture.set_up({"gitRepo": {"repository": "https://example.com/x"}})
    told = f'MountVolume.SetUp failed for volume "v" : {DISABLED}'
    assert fixture.recorder.messages == [("FailedMount", told)]


@needs_root
async def test_a_clone_is_the_pods_and_made_once(made: Fixture, repository: str) -> None:
    path = await made.set_up({"gitRepo": {"repository": repository}})
    assert (path / "repo" / "file").read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o777
    owners = {(p.lstat().st_uid, p.lstat().st_gid) for p in [path, *path.rglob("*")]}
    assert owners == {(0, 0)}
    (path / "repo" / "file").write_text("changed by the pod")
    made.volumes = PodVolumes(made.root, made.volumes._host, made.recorder)  # another agent
    await made.set_up({"gitRepo": {"repository": repository}})
    assert (path / "repo" / "file").read_text() == "changed by the pod"
    await made.volumes.tear_down("u1")
    assert made.volumes.uids() == set()


@needs_root
@pytest.mark.parametrize("directory", ["", ".", "deep/er"])
async def test_a_revision_in_a_directory(made: Fixture, repository: str, directory: str) -> None:
    source = {"repository": repository, "revision": "v1", "directory": directory}
    path = await made.set_up({"gitRepo": source}, securityContext={"fsGroup": 4321})
    file = path / (directory or "repo") / "file"
    assert file.read_text() == "first"
    assert file.stat().st_gid == 4321


@needs_root
async def test_what_git_cannot_do_is_told_and_tried_anew(made: Fixture, repository: str) -> None:
    source = {"repository": repository, "revision": "nothing", "directory": "."}
    with pytest.raises(MountFailure, match="failed to exec 'git checkout nothing'"):
        await made.set_up({"gitRepo": source})
    path = await made.set_up({"gitRepo": {**source, "revision": "v1"}})
    assert (path / "file").read_text() == "first"


@needs_root
async def test_a_repository_leads_nowhere(made: Fixture, repository: str) -> None:
    """No submodule is fetched, no hook runs, links stay links."""
    path = await made.set_up({"gitRepo": {"repository": repository, "directory": "."}})
    assert (path / "out").is_symlink()
    assert not (path / "s").exists()
    assert not Path("/tmp/owned").exists()
    assert (path / "file").stat().st_uid != NOBODY


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"repository": "--upload-pack=x"}, '"--upload-pack=x" is an invalid value for repository'),
        ({"repository": "https://x/y", "revision": "-f"}, '"-f" is an invalid value for revision'),
        ({"repository": "https://x/y", "directory": "-d"}, '"-d" is an invalid value for directory'),
        *(
            (
                {"repository": url},
                f'"{url}" is an invalid value for repository: use one of https://, http://, git://',
            )
            for url in ("/etc", "file:///etc", "ext::sh -c x", "ssh://x/y", "git@example.com:x", "FILE:///x")
        ),
        (
            {"repository": "https://x/y", "directory": "a/../.."},
            '"a/../.." is an invalid value for directory: must be within the volume',
        ),
    ],
)
def test_what_is_no_repository(source: dict[str, str], message: str) -> None:
    with pytest.raises(MountFailure) as caught:
        check(source)
    assert str(caught.value) == message


def test_of_what_git_writes_without_end_the_last_is_kept() -> None:
    script = "import sys; [sys.stdout.write('x' * 99999) for _ in range(300)]; print('the end')"
    tracemalloc.start()
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    output = _last_of(child, time.monotonic() + 60)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert child.wait() == 0
    assert child.stdout is not None
    child.stdout.close()
    assert output.endswith(b"xthe end\n")
    assert len(output) <= 4 * LONGEST_OUTPUT
    assert most < 2 * 1024 * 1024, "of thirty million bytes"


def test_one_that_writes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        _last_of(child, time.monotonic() - 1)
    child.communicate(b"\n")
