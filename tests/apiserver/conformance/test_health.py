"""/healthz, /livez, /readyz: the form upstream gives them, whole and check by check."""

from __future__ import annotations

import pytest

from tests.apiserver.rig import Rig

PREFIXES = ("/healthz", "/livez", "/readyz")


@pytest.mark.parametrize("path", PREFIXES)
async def test_well(rig: Rig, path: str) -> None:
    status, text, headers = await rig.http("GET", path)
    assert (status, text) == (200, "ok")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PREFIXES)
@pytest.mark.parametrize("query", ["verbose", "verbose=true", "verbose="])
async def test_in_words(rig: Rig, path: str, query: str) -> None:
    _, text, _ = await rig.http("GET", f"{path}?{query}")
    lines = text.splitlines()
    assert lines[:3] == ["[+]ping ok", "[+]log ok", "[+]etcd ok"]
    assert lines[-1] == f"{path.strip('/')} check passed"
    assert text.endswith("\n")
    names = {line.split()[0].removeprefix("[+]") for line in lines[:-1]}
    assert ("informer-sync" in names) == (path == "/readyz")
    assert ("shutdown" in names) == (path == "/readyz")
    assert "poststarthook/rbac/bootstrap-roles" in names


async def test_leaving_checks_out(rig: Rig) -> None:
    _, text, _ = await rig.http("GET", "/livez?verbose&exclude=etcd&exclude=ping")
    assert "[+]etcd excluded: ok\n" in text
    assert "[+]ping excluded: ok\n" in text
    _, text, _ = await rig.http("GET", "/livez?verbose&exclude=nothing&exclude=etcd")
    assert 'warn: some health checks cannot be excluded: no matches for "nothing"\n' in text
    assert (await rig.http("GET", "/livez?exclude=nothing"))[1] == "ok"


@pytest.mark.parametrize(
    "path", ["/livez/ping", "/healthz/etcd", "/readyz/informer-sync", "/livez/etcd?verbose"]
)
async def test_single_checks(rig: Rig, path: str) -> None:
    assert (await rig.http("GET", path))[:2] == (200, "ok")


async def test_checks_with_a_slash_in_their_name(rig: Rig) -> None:
    assert (await rig.http("GET", "/readyz/poststarthook/rbac/bootstrap-roles"))[:2] == (200, "ok")


async def test_unknown_checks(rig: Rig) -> None:
    assert (await rig.http("GET", "/livez/nothing"))[0] == 404
    assert (await rig.http("GET", "/livez/informer-sync"))[0] == 404


async def test_a_failing_check_is_told_but_not_why(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.server.core, "store_problem", "the disk is gone")
    status, text, _ = await rig.http("GET", "/livez")
    assert status == 500
    assert "[-]etcd failed: reason withheld\n" in text
    assert text.endswith("livez check failed\n")
    status, text, _ = await rig.http("GET", "/livez/etcd")
    assert (status, text) == (500, "internal server error: the disk is gone\n")
    assert (await rig.http("GET", "/livez?exclude=etcd"))[:2] == (200, "ok")


async def test_anybody_may_ask(rig: Rig) -> None:
    assert (await rig.http("GET", "/livez", token=""))[0] == 200
    assert (await rig.http("GET", "/metrics", token=""))[0] == 403
