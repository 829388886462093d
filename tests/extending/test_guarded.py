"""A package's code may raise what ends a process, answer nonsense, or never end: the others work on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.extending.packages import installed
from wherry.controllers.installed import LONGEST_CLOSE_S, installed_controllers
from wherry.objects.meta import Object
from wherry.scheduler.catalog import default_profile
from wherry.scheduler.framework import Kind, Plugin
from wherry.scheduler.guard import check_declared, guarded
from wherry.scheduler.installed import installed_plugins
from wherry.testing import Cluster

CONTROLLERS = {
    "close-hangs": "async def close(self): await asyncio.Event().wait()",
    "close-raises": "async def close(self): raise ValueError('no close')",
    "close-exits": "async def close(self): raise SystemExit(1)",
    "close-clings": """
    async def close(self):
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
""",
    "made-exits": "def __init__(self, environment): raise SystemExit(2)",
    "start-exits": "async def start(self): raise SystemExit(3)",
    "mapper-exits": "def map_primary(self, *arguments): raise SystemExit(4)",
    "mapper-cancels": "def map_primary(self, *arguments): raise asyncio.CancelledError",
    "mapper-numbers": "def map_primary(self, *arguments): return [7]",
    "sync-exits": "async def sync(self, key): ASKED.append(self.name); raise SystemExit(5)",
    "sync-interrupts": "async def sync(self, key): ASKED.append(self.name); raise KeyboardInterrupt",
    "sync-cancels": "async def sync(self, key): ASKED.append(self.name); raise asyncio.CancelledError",
    "sync-plain": "def sync(self, key): ASKED.append(self.name)",
    "again-at-once": "async def sync(self, key): ASKED.append(self.name); return 0.0",
    "again-before": "async def sync(self, key): ASKED.append(self.name); return -1",
    "again-never": "async def sync(self, key): ASKED.append(self.name); return float('nan')",
    "again-soon": "async def sync(self, key): ASKED.append(self.name); return 'soon'",
    "task-exits": """
    async def start(self):
        await super().start()
        self.tasks.essential(self.leave(), "leaving")

    async def leave(self):
        raise SystemExit(6)
""",
}
LEFT_OUT = {"no-workers": "workers = 0", "too-many-workers": "workers = 100_000"}
CLASSES = "\n".join(
    f"class C{number}(Quiet):\n    {text.strip()}\n"
    for number, text in enumerate((CONTROLLERS | LEFT_OUT).values())
)
POINTS = "\n".join(f'{name} = "unruly:C{number}"' for number, name in enumerate(CONTROLLERS | LEFT_OUT))
PYPROJECT = f"""
[project]
name = "unruly"
version = "1"
[project.entry-points."wherry.scheduler.plugins"]
Bad = "unruly:Bad"
Heavy = "unruly:Heavy"
MadeExits = "unruly:MadeExits"
Exits = "unruly_exits:Any"
Interrupts = "unruly_interrupts:Any"
Cancels = "unruly_cancels:Any"
[project.entry-points."wherry.controllers"]
import-exits = "unruly_exits:Any"
{POINTS}
"""
MODULE = '''
import asyncio
import numpy as np
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.controllers.base import Controller
from wherry.scheduler.framework import Kind, Plugin, Refusal, Rejection, SchedulingError

ASKED = []


def wanted(pod, hook):
    """What the pod's annotation wants of a hook, None for nothing."""
    at, _, what = (pod["metadata"].get("annotations") or {}).get("do", "").partition(" ")
    if at != hook:
        return None
    found = eval(what)
    if isinstance(found, type) and issubclass(found, BaseException):
        raise found
    return found


class Bad(Plugin):
    changes = frozenset(Kind)

    def signature(self, pod):
        return wanted(pod.pod, "signature") or pod.uid

    def prepare(self, pod, world):
        return wanted(pod.pod, "prepare") or pod.pod

    def only(self, pod, world):
        return wanted(pod, "only")

    def filter(self, pod, world, rows):
        return wanted(pod, "filter") or []

    def score(self, pod, world, rows, feasible):
        return wanted(pod, "score")

    def gate(self, pod, world):
        return wanted(pod.pod, "gate") or ""

    async def post_filter(self, pod, world, client):
        return wanted(pod.pod, "post_filter") or ""

    def reserve(self, pod, node, world):
        wanted(pod.pod, "reserve")

    async def pre_bind(self, pod, node, world, client):
        if wanted(pod.pod, "pre_bind") == "wait":
            await asyncio.Event().wait()


class Heavy(Plugin):
    weight = float("inf")


class MadeExits(Plugin):
    def __init__(self):
        raise SystemExit(7)


class Unprintable(Exception):
    def __repr__(self):
        raise SystemExit(8)


class Quiet(Controller):
    primary = CONFIG_MAPS

    async def sync(self, key):
        return None


'''


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    modules = {
        "unruly": MODULE + CLASSES,
        "unruly_exits": "raise SystemExit(9)",
        "unruly_interrupts": "raise KeyboardInterrupt",
        "unruly_cancels": "import asyncio\nraise asyncio.CancelledError",
    }
    with (
        installed(tmp_path_factory.mktemp("site"), PYPROJECT, **modules),
        Cluster(nodes=2) as found,
    ):
        yield found


def pod(name: str, do: str) -> Object:
    annotations = {"do": do} if do else {}
    selector = {"no": "where"} if do.startswith("post_filter") else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "i"}], "nodeSelector": selector},
    }


def scheduled(cluster: Cluster, do: str) -> Object:
    """The condition of a pod that has a plug-in do something; it is deleted, and one after it is placed."""
    cluster.apply(pod("odd", do))
    if do == 'pre_bind "wait"':
        cluster.clock.advance(61)
    found = cluster.client.get("pod", "odd", "default")
    cluster.apply(pod("even", ""))
    assert cluster.client.get("pod", "even", "default")["spec"].get("nodeName")
    for name in ("odd", "even"):
        cluster.client.delete("pod", name, "default", grace_period_s=0)
    condition: Object
    [condition] = [one for one in found["status"]["conditions"] if one["type"] == "PodScheduled"]
    return condition


ENDS = (
    "SystemExit",
    "KeyboardInterrupt",
    "GeneratorExit",
    "asyncio.CancelledError",
    "ValueError",
    "Unprintable",
)
NAMED = [
    f"{hook} {error}"
    for hook in ("prepare", "filter", "post_filter", "reserve", "pre_bind")
    for error in ENDS
]
ODD = [
    "prepare Refusal(7)",
    "prepare Refusal('')",
    "filter 7",
    "filter ['no']",
    "filter [Rejection(np.full(2, 'a', dtype=object), 'no')]",
    "filter [Rejection(np.full(2, np.nan), 'no')]",
    "filter [Rejection(np.ones(3, dtype=bool), 'no')]",
    "filter [Rejection([True, True], 'no')]",
    "filter [Rejection(np.ones(2, dtype=bool), 7)]",
    "post_filter 7",
    'pre_bind "wait"',
]


@pytest.mark.parametrize("do", NAMED + ODD)
def test_the_condition_names_the_plug_in(cluster: Cluster, do: str) -> None:
    condition = scheduled(cluster, do)
    assert condition["status"] == "False"
    assert 'plugin "Bad" failed: ' in condition["message"]


@pytest.mark.parametrize(
    "do",
    [f"{hook} {error}" for hook in ("signature", "score", "only", "gate") for error in ENDS]
    + [
        "signature []",
        "signature ([],)",
        "score np.full(2, np.nan)",
        "score 'a'",
        "only 'abc'",
        "only [5]",
        "gate 7",
    ],
)
def test_a_hook_that_rejects_nothing_costs_nothing(cluster: Cluster, do: str) -> None:
    assert scheduled(cluster, do)["status"] == "True"


@pytest.mark.parametrize(
    "do", ["prepare Refusal('x\\ud800')", "filter [Rejection(np.ones(2, dtype=bool), 'x\\ud800' * 10**6)]"]
)
def test_a_reason_can_be_stored(cluster: Cluster, do: str) -> None:
    condition = scheduled(cluster, do)
    assert "x?" in condition["message"]
    assert len(condition["message"]) < 2000


def test_what_cannot_be_used_is_left_out(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    for read in (installed_plugins, installed_controllers):
        read.cache_clear()
    assert {one.name for one in installed_plugins()} == {"Bad", "MadeExits"}
    assert {kind.name for kind in installed_controllers()} == set(CONTROLLERS)
    assert "MadeExits" not in default_profile().plugins
    for line in (
        "Exits (unruly_exits:Any) cannot be loaded",
        "Interrupts (unruly_interrupts:Any) cannot be loaded",
        "Cancels (unruly_cancels:Any) cannot be loaded",
        "Heavy: weight must be a whole number from 1 to 100, not inf",
        "decoding args for plugin MadeExits: __init__ raised SystemExit(7)",
        "no-workers: workers must be a whole number from 1 to 100",
        "too-many-workers: workers must be",
    ):
        assert line in caplog.text


def test_every_controller_was_asked_again_and_none_spun(cluster: Cluster) -> None:
    import unruly  # type: ignore[import-not-found]

    unruly.ASKED.clear()
    cluster.clock.advance(10)
    asked = {name: unruly.ASKED.count(name) for name in set(unruly.ASKED)}
    config_maps = len(cluster.client.list("configmaps"))
    for name in ("again-at-once", "again-before"):
        assert 9 * config_maps <= asked[name] <= 11 * config_maps
    cluster.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "default"}}
    )
    assert {name for name in CONTROLLERS if name.startswith(("sync", "again"))} <= set(unruly.ASKED)


def test_closing_does_not_wait_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    modules = {"unruly": MODULE + CLASSES}
    with installed(tmp_path, PYPROJECT, **modules):
        with Cluster(nodes=1):
            pass
        assert (
            f"the installed controller close-hangs did not close within {LONGEST_CLOSE_S:g} s" in caplog.text
        )
        assert "task closing the installed controller close-raises" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("changes", None), ("changes", 7), ("changes", {"NODE"}), ("reach", 1), ("scales", np.ones(2))],
)
def test_what_is_declared_is_checked(field: str, value: object) -> None:
    made = guarded(type("Odd", (Plugin,), {field: value}), "Odd")()
    with pytest.raises(ValueError, match=rf"^{field} must be "):
        check_declared(made, "Odd")


@pytest.mark.parametrize("weight", [None, "heavy", 0, -1, 101, 10**30, 1.5, float("nan"), True])
def test_a_weight_is_a_whole_number_up_to_100(weight: object) -> None:
    with pytest.raises(ValueError, match=r"^weight must be a whole number from 1 to 100"):
        guarded(type("Odd", (Plugin,), {"weight": weight}), "Odd")


def test_kinds_of_change_that_fail_are_all() -> None:
    odd = guarded(type("Odd", (Plugin,), {"gate_changes": property(lambda self: 1 / 0)}), "Odd")()
    assert odd.gate_changes == frozenset(Kind)
