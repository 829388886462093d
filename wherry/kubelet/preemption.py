"""Which pods make room for a critical one that must run on this very node. Pure.

Source: pkg/kubelet/preemption. As little as possible goes of pods with guaranteed amounts, then of burstable
ones, then of those that asked for nothing; of these whichever comes nearest to what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.kubelet.cgroups import pod_request, qos_class
from wherry.kubelet.eviction.ranking import is_critical, priority_of
from wherry.kubelet.eviction.verdict import Verdict
from wherry.kubelet.pod import is_terminal
from wherry.objects.meta import Object
from wherry.objects.quantity import milli, whole

PREEMPTED = Verdict(reason="Preempting", message="Preempted in order to admit critical pod")

Need = Mapping[str, int]
"""What is missing: pods, cpu in thousandths, memory in bytes."""


def is_preemptable(pod: Mapping[str, Any], by: Mapping[str, Any]) -> bool:
    """Whether `pod` may have to go for `by` (upstream's Preemptable)."""
    if is_critical(by) and not is_critical(pod):
        return True
    return priority_of(by) > priority_of(pod)


def find_need(pod: Object, others: Sequence[Object], allocatable: Mapping[str, str]) -> dict[str, int]:
    """What the node has too little of to take `pod` beside `others`."""
    beside = [other for other in others if not is_terminal(other)]
    need = {"pods": len(beside) + 1 - whole(allocatable.get("pods", "0"))}
    for name in ("cpu", "memory"):
        asked = pod_request(pod, name)
        quantity = allocatable.get(name, "0")
        capacity = milli(quantity) if name == "cpu" else whole(quantity)
        used = sum(pod_request(other, name) for other in beside)
        need[name] = asked + used - capacity if asked > 0 else 0
    return {name: amount for name, amount in need.items() if amount > 0}


def plan_preemption(pod: Object, others: Sequence[Object], need: Need) -> list[Object] | None:
    """The pods that go so that there is room for `pod`; None when even all of them are not enough."""
    going = [other for other in others if not is_terminal(other) and is_preemptable(other, pod)]
    classes = ("BestEffort", "Burstable", "Guaranteed")
    best, burst, sure = ([one for one in going if qos_class(one) == name] for name in classes)
    if _left(need, [*best, *burst, *sure]):
        return None
    chosen_sure = _nearest(sure, _left(need, [*best, *burst]))
    chosen_burst = _nearest(burst, _left(need, [*best, *chosen_sure]))
    chosen_best = _nearest(best, _left(need, [*chosen_burst, *chosen_sure]))
    return [*chosen_best, *chosen_burst, *chosen_sure]


def _frees(pod: Object, name: str) -> int:
    return 1 if name == "pods" else pod_request(pod, name)


def _left(need: Need, going: Sequence[Object]) -> dict[str, int]:
    """What is still missing when these are gone."""
    left = {name: amount - sum(_frees(pod, name) for pod in going) for name, amount in need.items()}
    return {name: amount for name, amount in left.items() if amount > 0}


def _nearest(pods: Sequence[Object], need: Need) -> list[Object]:
    """As few as fill the need: each time the one that leaves least of it, the smallest of equals."""
    left, rest, chosen = dict(need), list(pods), []
    while left and rest:
        pod = min(rest, key=lambda candidate: (_distance(candidate, left), _size(candidate)))
        rest.remove(pod)
        chosen.append(pod)
        left = _left(left, [pod])
    return chosen


def _distance(pod: Object, need: Need) -> float:
    """How much of the need is left, as the sum of squared shares."""
    return float(sum((max(amount - _frees(pod, name), 0) / amount) ** 2 for name, amount in need.items()))


def _size(pod: Object) -> tuple[int, int]:
    return pod_request(pod, "memory"), pod_request(pod, "cpu")
