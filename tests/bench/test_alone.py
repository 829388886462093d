"""The measurements of an API server alone, made small: that they run, and measure what they say."""

from __future__ import annotations

import json

import pytest

from bench import ready, stored, watch
from bench.alone import Alone, Api
from bench.figures import Figure
from wherry.cluster.config import Setup, read_config_file

pytestmark = pytest.mark.slow


def by_name(figures: list[Figure]) -> dict[str, Figure]:
    found = {figure.name: figure for figure in figures}
    assert len(found) == len(figures), "no two figures have the same name"
    return found


def test_an_api_server_runs_alone_and_keeps_its_store() -> None:
    with Alone() as server:
        assert 0 < server.start() < 60
        server.make_namespace()
        server.stop()
        server.start()
        api = Api(server.access)
        names = [
            item["metadata"]["name"] for item in json.loads(api.send("GET", "/api/v1/namespaces"))["items"]
        ]
        with pytest.raises(RuntimeError, match="404"):
            api.send("GET", "/api/v1/namespaces/none")
        api.close()
        assert "bench" in names
        assert 10 < server.resident_mb() <= server.peak_mb()
        config = read_config_file(server.paths.config, Setup.of()).cluster
        assert config.api_port == server.access.port


def test_watches_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCHERS", 3)
    monkeypatch.setattr(watch, "SECONDS", 1)
    monkeypatch.setattr(watch, "WRITES_PER_S", 20)
    monkeypatch.setattr(watch, "BURSTS", 1)
    figures = by_name(watch.measure_watch())
    assert figures["write to last of 3 watchers, median"].value > 0
    assert (
        figures["write to last of 3 watchers, with selectors, median"].value
        <= figures["write to last of 3 watchers, with selectors, max"].value
    )


def test_stores_and_starts_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "PODS", 50)
    monkeypatch.setattr(stored, "PATCHES", 10)
    figures = by_name(stored.measure_stored())
    assert 1000 < figures["mean size of a pod as it is served"].value < 10_000
    monkeypatch.setattr(ready, "STARTS", 1)
    monkeypatch.setattr(ready, "OBJECTS", 20)
    assert len(by_name(ready.measure_ready())) == 4
