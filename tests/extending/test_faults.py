"""What packages do wrong is told, and ends nobody else's work."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.extending.packages import installed
from tests.scheduler.builders import facts, node, world
from wherry.controllers.installed import installed_controllers
from wherry.kit.entry_points import offered
from wherry.scheduler.catalog import default_profile, plugin_order
from wherry.scheduler.configuration import read_configuration
from wherry.scheduler.evaluation import Evaluation
from wherry.scheduler.installed import installed_plugins
from wherry.scheduler.strict import ConfigurationError
from wherry.testing import Cluster

PYPROJECT = """
[project]
name = "odd-package"
version = "1"
[project.entry-points."wherry.scheduler.plugins"]
Broken = "odd_package:Broken"
Gone = "odd_package:Gone"
NodeName = "odd_package:Broken"
Number = "odd_package:NUMBER"
Strict = "odd_package:Strict"
Wild = "odd_package:Wild"
[project.entry-points."wherry.controllers"]
broken = "odd_package:BrokenController"
deployment-controller = "odd_package:BrokenController"
Not_A_Name = "odd_package:BrokenController"
number = "odd_package:NUMBER"
unborn = "odd_package:Unborn"
unserved = "odd_package:Unserved"
wrong-rights = "odd_package:WrongRights"
"""
MODULE = '''
import numpy as np
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.resource import Resource
from wherry.controllers.base import Controller
from wherry.scheduler.framework import Plugin
from wherry.scheduler.node_by_node import NodeByNode

NUMBER = 7
ASKED = []


class Broken(NodeByNode):
    def rejects(self, pod, node):
        if pod["metadata"].get("labels", {}).get("app") == "poison":
            raise KeyError("what it did not expect")
        return ""

    def points(self, pod, node):
        raise ZeroDivisionError


class Strict(NodeByNode):
    def __init__(self, level):
        self.level = level

    def points(self, pod, node):
        return self.level


class Wild(Plugin):
    """Answers with too few, and with too much."""

    def score(self, state, world, rows, feasible):
        return np.full(len(world.nodes), 10**9) if "b" in world.nodes.names else np.zeros(7)


class BrokenController(Controller):
    primary = CONFIG_MAPS

    async def sync(self, key):
        ASKED.append(key)
        raise RuntimeError("never")


class Unborn(BrokenController):
    def __init__(self, environment):
        raise RuntimeError("not even born")


class Unserved(BrokenController):
    primary = Resource(group="example.org", version="v1", kind="Nothing", plural="nothings", namespaced=True)


class WrongRights(BrokenController):
    rights = ("nonsense",)
'''


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path) -> Any:
    with installed(tmp_path, PYPROJECT, odd_package=MODULE):
        yield


def test_only_what_is_of_the_kind_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    assert {one.name for one in installed_plugins()} == {"Broken", "NodeName", "Strict", "Wild"}
    assert [name for name, _ in plugin_order()][-3:] == ["Broken", "Strict", "Wild"], (
        "upstream's name is upstream's"
    )
    assert {kind.name for kind in installed_controllers()} == {"broken", "unborn", "unserved", "wrong-rights"}
    assert {kind.account for kind in installed_controllers()} >= {"installed-broken"}
    told = caplog.text
    assert "Gone (odd_package:Gone) cannot be loaded" in told
    assert "Number is no subclass of wherry.scheduler.framework.Plugin" in told
    assert "deployment-controller is no name of a controller of its own" in told


def test_a_pod_its_filter_fails_on_is_told_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    profile = default_profile()
    where = world(node("a"), node("b"))
    poison = facts("poison", labels={"app": "poison"})
    for _ in range(2):
        trace = Evaluation(profile, poison, where).trace()
        why = """plugin "Broken" failed: KeyError('what it did not expect')"""
        assert trace.message() == f"0/2 nodes are available: 2 {why}."
    assert caplog.text.count("filter of plugin Broken failed") == 1
    fine = Evaluation(profile, facts("fine"), where)
    assert fine.feasible.all()
    assert dict(zip(fine.trace().scorers, fine.trace().scores[:, 0], strict=True))["Broken"] == 0


def test_scores_are_kept_within_bounds() -> None:
    profile = default_profile()
    for nodes, points in ((("a", "b"), 100), (("a",), 0)):
        trace = Evaluation(profile, facts(), world(*map(node, nodes))).trace()
        assert dict(zip(trace.scorers, trace.scores[:, 0], strict=True))["Wild"] == points


def configuration(level: str) -> str:
    return f"""
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- plugins: {{score: {{enabled: [{{name: Strict, weight: 5}}]}}, multiPoint: {{disabled: [{{name: Broken}}]}}}}
  pluginConfig: [{{name: Strict, args: {{{level}}}}}]
"""


def test_arguments_and_weights_come_from_the_configuration(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert "Strict" not in default_profile().plugins
    assert "decoding args for plugin Strict" in caplog.text
    [profile] = read_configuration(configuration("level: 42")).profiles
    trace = Evaluation(profile, facts(), world(node("a"))).trace()
    at = list(trace.scorers).index("Strict")
    assert (trace.scores[at, 0], trace.weights[at]) == (42, 5)
    assert "Broken" not in profile.plugins
    with pytest.raises(ConfigurationError, match="decoding args for plugin Strict"):
        read_configuration(configuration("depth: 42"))


def test_the_others_work() -> None:
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    with Cluster(nodes=2) as found:
        found.apply(web)
        found.wait("deployment/web", "Available")
        import odd_package  # type: ignore[import-not-found]

        assert any("kube-root-ca.crt" in key for key in odd_package.ASKED), "it is asked, and asked again"


def test_what_nobody_offers() -> None:
    assert offered("wherry.nobody") == []
