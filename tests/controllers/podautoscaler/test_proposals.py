"""How many replicas samples ask for; the cases are those upstream's documentation and its users name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wherry.controllers.podautoscaler.metrics import MetricsError, Sample
from wherry.controllers.podautoscaler.pods import Groups, Patience, requests_of, sort_pods
from wherry.controllers.podautoscaler.proposals import (
    MOST,
    Plain,
    Tolerances,
    Utilization,
    propose,
    propose_for_whole,
    propose_per_pod,
    replicas_for,
)
from wherry.objects.meta import Object, format_time

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
USUAL = Tolerances()


def samples(*values: int) -> dict[str, Sample]:
    return {f"p{index}": Sample(value) for index, value in enumerate(values)}


def groups(ready: int, **names: set[str]) -> Groups:
    return Groups(ready, **names)


@pytest.mark.parametrize(
    ("current", "values", "target", "requests", "replicas", "percent"),
    [
        (3, (300, 500, 700), 30, 1000, 5, 50),
        (3, (300, 500, 700), 50, 1000, 3, 50),
        (3, (330, 330, 330), 30, 1000, 3, 33),
        (5, (100, 300, 500, 250, 250), 50, 1000, 3, 28),
        (3, (5000, 5000, 5000), 100, 1000, 15, 500),
        (1, (1_000_000_000_000, ), 1, 1, MOST, 100_000_000_000_000),
    ],
)  # fmt: skip
def test_a_share_of_what_is_requested(
    current: int, values: tuple[int, ...], target: int, requests: int, replicas: int, percent: int
) -> None:
    found = samples(*values)
    measure = Utilization(target, dict.fromkeys(found, requests))
    proposal = propose(current, found, groups(len(values)), measure, USUAL)
    assert (proposal.replicas, proposal.use.percent) == (replicas, percent)


@pytest.mark.parametrize(
    ("values", "ready", "more", "replicas"),
    [
        # Pods without samples count as idle where more are wanted, and as at their target where fewer are.
        ((20, 20), 2, {"missing": {"p2", "p3"}}, 4),
        ((40, 40), 2, {"missing": {"p2"}}, 8),
        ((2, 2), 2, {"missing": {"p2", "p3"}}, 3),
        ((2, 2, 2), 3, {"missing": {"p3"}}, 2),
        ((10, 10), 2, {"missing": {"p2", "p3"}}, 4),
        # Those that start count as idle only where more are wanted.
        ((50, 50, 100), 2, {"unready": {"p2", "p3"}}, 10),
        ((20, 20, 900), 2, {"unready": {"p2", "p3"}}, 4),
        ((2, 2, 900), 2, {"unready": {"p2"}}, 1),
        # Those that end do not count at all.
        ((50, 50, 900), 2, {"ignored": {"p2"}}, 10),
    ],
)
def test_pods_of_which_little_is_known(
    values: tuple[int, ...], ready: int, more: dict[str, Any], replicas: int
) -> None:
    assert propose(4, samples(*values), groups(ready, **more), Plain(10), USUAL).replicas == replicas


def test_a_pod_without_a_sample_is_taken_to_use_more_than_it_requests_if_that_is_the_target() -> None:
    found = samples(1000, 1000, 1000)
    measure = Utilization(300, {**dict.fromkeys(found, 1000), "p3": 1000})
    assert propose(4, found, groups(3, missing={"p3"}), measure, USUAL).replicas == 2


@pytest.mark.parametrize(
    ("tolerances", "value", "replicas"),
    [
        (Tolerances(0.1, 0.1), 11, 4),
        (Tolerances(0.1, 0.1), 12, 5),
        (Tolerances(0.1, 0.1), 9, 4),
        (Tolerances(0.1, 0.5), 15, 4),
        (Tolerances(0.5, 0.1), 5, 4),
        (Tolerances(0.1, 0.5), 5, 2),
        (Tolerances(0.0, 0.0), 11, 5),
    ],
)
def test_tolerances(tolerances: Tolerances, value: int, replicas: int) -> None:
    assert propose(4, samples(*[value] * 4), groups(4), Plain(10), tolerances).replicas == replicas


@pytest.mark.parametrize(
    ("measure", "found", "sorted_pods", "text"),
    [
        (Plain(1), {}, groups(0), "did not receive metrics for targeted pods (pods might be unready)"),
        (
            Plain(1),
            samples(1),
            groups(0, unready={"p0"}),
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        (Utilization(1, {}), samples(1), groups(1), "no metrics returned matched known pods"),
        (Utilization(1, {"p0": 0}), samples(1), groups(1), "no metrics returned matched known pods"),
    ],
)
def test_nothing_to_go_by(
    measure: Plain | Utilization, found: dict[str, Sample], sorted_pods: Groups, text: str
) -> None:
    with pytest.raises(MetricsError) as raised:
        propose(1, found, sorted_pods, measure, USUAL)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("current", "value", "target", "ready", "replicas"),
    [
        (3, 40, 20, 3, 6),
        (3, 21, 20, 3, 3),
        (3, 10, 20, 2, 1),
        (0, 40, 20, 0, 2),
        (0, 0, 20, 0, 0),
        (0, 1, 20, 0, 1),
    ],
)
def test_one_value_for_all_pods(current: int, value: int, target: int, ready: int, replicas: int) -> None:
    assert propose_for_whole(current, value, target, ready, USUAL) == replicas


@pytest.mark.parametrize(
    ("current", "value", "target", "replicas"),
    [(3, 60, 20, 3), (3, 90, 20, 5), (3, 61, 20, 3), (3, 20, 20, 1), (0, 50, 20, 3), (3, 0, 20, 0)],
)
def test_one_value_for_each_pod(current: int, value: int, target: int, replicas: int) -> None:
    assert propose_per_pod(current, value, target, USUAL) == replicas


def test_no_share_is_too_large() -> None:
    assert replicas_for(1e300) == MOST
    assert replicas_for(0.0) == 0


# Pods


def pod(
    name: str, *, ready: str = "True", age_s: float = 3600, changed_s: float = 3600, **status: Any
) -> Object:
    since = format_time(NOW - timedelta(seconds=changed_s))
    return {
        "metadata": {"name": name, "namespace": "default"},
        "status": {
            "phase": "Running",
            "startTime": format_time(NOW - timedelta(seconds=age_s)),
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": since}],
            **status,
        },
    }


@pytest.mark.parametrize(
    ("given", "taken_s", "resource", "group"),
    [
        (pod("p"), 0, "cpu", "ready"),
        (pod("p", phase="Pending"), 0, "memory", "unready"),
        (pod("p", phase="Failed"), 0, "memory", "ignored"),
        ({**pod("p"), "metadata": {"name": "p", "deletionTimestamp": "now"}}, 0, "cpu", "ignored"),
        (pod("p", conditions=[]), 0, "cpu", "unready"),
        (pod("p", startTime=None), 0, "cpu", "unready"),
        (pod("p", conditions=[]), 0, "memory", "ready"),
        # In its first five minutes the sample must be of after it became ready.
        (pod("p", age_s=120, changed_s=60), 0, "cpu", "ready"),
        (pod("p", age_s=120, changed_s=60), 31, "cpu", "unready"),
        (pod("p", age_s=120, changed_s=60, ready="False"), 0, "cpu", "unready"),
        # Later, only one that was never ready is left out.
        (pod("p", age_s=600, changed_s=580, ready="False"), 0, "cpu", "unready"),
        (pod("p", age_s=600, changed_s=500, ready="False"), 0, "cpu", "ready"),
    ],
)  # fmt: skip
def test_sorting(given: Object, taken_s: float, resource: str, group: str) -> None:
    found = {"p": Sample(1, NOW - timedelta(seconds=taken_s), 30.0)}
    groups = sort_pods([given], found, resource, NOW, Patience())
    names = {name: getattr(groups, name) for name in ("unready", "ignored", "missing")}
    assert groups.ready == (group == "ready")
    assert names == {name: {"p"} if name == group else set() for name in names}


def test_a_pod_without_a_sample_is_missing() -> None:
    assert sort_pods([pod("p")], {}, "cpu", NOW, Patience()).missing == {"p"}


def container(name: str, cpu: str | None = None, **more: Any) -> Object:
    return {"name": name, **({"resources": {"requests": {"cpu": cpu}}} if cpu else {}), **more}


@pytest.mark.parametrize(
    ("spec", "only", "found"),
    [
        ({"containers": [container("a", "100m"), container("b", "1")]}, "", 1100),
        ({"containers": [container("a", "100m"), container("b")]}, "a", 100),
        ({"containers": [container("a", "1")], "initContainers": [container("i", "5")]}, "", 1000),
        (
            {
                "containers": [container("a", "1")],
                "initContainers": [container("i", "5", restartPolicy="Always")],
            },
            "",
            6000,
        ),
        ({"containers": [container("a")], "resources": {"requests": {"cpu": "2"}}}, "", 2000),
        ({"containers": [container("a")]}, "", "missing request for cpu in container a of Pod p"),
        ({"containers": [container("a", "1")]}, "x", "container x not found in Pod p"),
    ],
)  # fmt: skip
def test_requests(spec: Object, only: str, found: int | str) -> None:
    given = {"metadata": {"name": "p"}, "spec": spec}
    if isinstance(found, int):
        assert requests_of([given], "cpu", only) == {"p": found}
    else:
        with pytest.raises(MetricsError) as raised:
            requests_of([given], "cpu", only)
        assert str(raised.value) == found
