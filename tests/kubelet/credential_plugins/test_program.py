"""Real programs as plug-ins: what they are given, what is taken from them, and those that mean harm."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import eventually
from wherry.kit.clock import FakeClock, SystemClock
from wherry.kubelet.credential_plugins.config import CredentialProvider, TokenAttributes
from wherry.kubelet.credential_plugins.program import (
    LARGEST_ANSWER,
    PluginFailure,
    PluginProgram,
    Request,
    Response,
    parse_response,
)

V1 = "credentialprovider.kubelet.k8s.io/v1"
ANSWER = {
    "kind": "CredentialProviderResponse",
    "apiVersion": V1,
    "cacheKeyType": "Registry",
    "cacheDuration": "5m",
    "auth": {"reg.example": {"username": "u", "password": "hunter2"}},
}
ASKED = Request(image="reg.example/app", token="t0k", annotations={"a": "b"})


def provider(path: Path, body: str) -> CredentialProvider:
    """A plug-in whose program is that Python."""
    path.write_text(f"#!{sys.executable} -SE\nimport json, os, sys, time\n{body}\n")
    path.chmod(0o755)
    return CredentialProvider(
        name="plug",
        path=path,
        api_version=V1,
        match_images=("reg.example",),
        cache_s=0,
        args=("get", "it"),
        env=(("SECRET", "s"),),
        token=TokenAttributes(audience="x", requires_account=True),
    )


async def failure(path: Path, body: str) -> str:
    with pytest.raises(PluginFailure) as caught:
        await PluginProgram(provider(path, body), SystemClock()).ask(ASKED)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


async def test_the_request_and_the_answer(tmp_path: Path) -> None:
    body = (
        f"asked = json.load(sys.stdin)\n"
        f"open({str(tmp_path / 'asked')!r}, 'w').write("
        "json.dumps([asked, sys.argv[1:], os.environ['SECRET'], 'PATH' in os.environ]))\n"
        f"print({json.dumps(json.dumps(ANSWER))})"
    )
    found = await PluginProgram(provider(tmp_path / "plug", body), SystemClock()).ask(ASKED)
    assert found == Response(cache_key_type="Registry", cache_s=300.0, auth=ANSWER["auth"])  # type: ignore[arg-type]
    assert "hunter2" not in repr(found)
    asked, arguments, secret, has_path = json.loads((tmp_path / "asked").read_text())
    assert asked == {
        "kind": "CredentialProviderRequest",
        "apiVersion": V1,
        "image": "reg.example/app",
        "serviceAccountToken": "t0k",
        "serviceAccountAnnotations": {"a": "b"},
    }
    assert (arguments, secret, has_path) == (["get", "it"], "s", True)


async def test_one_that_fails(tmp_path: Path) -> None:
    what = "error execing credential provider plugin plug for image reg.example/app: "
    path = tmp_path / "plug"
    assert await failure(path, "sys.exit('no\\nway')") == what + "exit status 1: no way"
    assert await failure(path, "os.kill(os.getpid(), 9)") == what + "signal: killed: "
    missing = provider(path, "")
    path.unlink()
    with pytest.raises(PluginFailure, match=r"fork/exec .*: no such file or directory"):
        await PluginProgram(missing, SystemClock()).ask(ASKED)


async def test_one_that_writes_without_end_is_cut_off(tmp_path: Path) -> None:
    said = await failure(tmp_path / "plug", "while True: sys.stdout.write('x' * 65536)")
    assert said.endswith(f"wrote more than {LARGEST_ANSWER} bytes")
    noisy = "sys.stderr.write('e' * (1 << 22)); sys.exit(3)"
    assert len(await failure(tmp_path / "plug", noisy)) < 5000


async def test_one_that_hangs_ends_after_a_minute_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    body = (
        "child = os.fork()\n"
        f"open({str(pids)!r} + str(os.getpid()), 'w').close()\n"
        "sys.stderr.write('waiting'); sys.stderr.flush()\n"
        "time.sleep(600)"
    )
    clock = FakeClock()
    asking = asyncio.ensure_future(PluginProgram(provider(tmp_path / "plug", body), clock).ask(ASKED))
    await eventually(lambda: len(list(tmp_path.glob("pids*"))) == 2)
    await clock.advance(59)
    assert not asking.done()
    await clock.advance(1.1)
    with pytest.raises(PluginFailure, match="context deadline exceeded: "):
        await asking
    numbers = [int(one.name.removeprefix("pids")) for one in tmp_path.glob("pids*")]
    await eventually(lambda: not any(is_running(number) for number in numbers))


async def test_one_whose_child_keeps_its_pipes_is_waited_for_no_longer(tmp_path: Path) -> None:
    """A child that left the group too: it is nobody's any more, but nobody waits for it either."""
    pids = tmp_path / "pids"
    body = (
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(pids)!r} + str(os.getpid()), 'w').close()\n"
        "    time.sleep(600)"
    )
    clock = FakeClock()
    asking = asyncio.ensure_future(PluginProgram(provider(tmp_path / "plug", body), clock).ask(ASKED))
    await eventually(lambda: bool(list(tmp_path.glob("pids*"))))
    await clock.advance(60.1)
    with pytest.raises(PluginFailure, match="context deadline exceeded: "):
        await asking
    (number,) = (int(one.name.removeprefix("pids")) for one in tmp_path.glob("pids*"))
    os.kill(number, signal.SIGKILL)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"hunter2", "error reading GVK from response"),
        (b"[]", "error reading GVK from response"),
        (b"[" * 100_000, "error reading GVK from response"),
        ({"apiVersion": "x/v1"}, "did not match expected apiVersion:.*, actual apiVersion:x/v1"),
        ({"kind": "Other"}, "error decoding credential provider plugin response from stdout"),
        ({"auth": {"r": {"username": "u", "password": 5}}}, "error decoding"),
        ({"auth": {"r": "hunter2"}}, "error decoding"),
        ({"cacheDuration": "hunter2"}, "error decoding"),
        ({"surprise": 1}, "error decoding"),
        ({"cacheKeyType": "Pod"}, 'did not return a valid cacheKeyType: "Pod"'),
        ({"cacheKeyType": None}, 'did not return a valid cacheKeyType: ""'),
    ],
)
def test_answers_that_are_none(output: bytes | dict[str, object], why: str) -> None:
    given = output if isinstance(output, bytes) else json.dumps({**ANSWER, **output}).encode()
    with pytest.raises(PluginFailure, match=why) as caught:
        parse_response(given, V1)
    assert "hunter2" not in str(caught.value)
