"""What a Job's podFailurePolicy says of one failed pod. Source: pkg/controller/job, pod_failure_policy.go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wherry.objects.meta import Object, name_of, namespace_of


class Match(NamedTuple):
    """The first rule that fits a pod: its `action` ("" without one), whether the failure counts against the

    limits, and what the job says when it fails by this rule ("" otherwise).
    """

    action: str = ""
    counts: bool = True
    job_message: str = ""


def match_failure(policy: Mapping[str, Any] | None, pod: Object) -> Match:
    """What `policy` says of the failed `pod`."""
    for number, rule in enumerate((policy or {}).get("rules") or ()):
        why = _why(rule, pod)
        if not why:
            continue
        action = rule.get("action") or ""
        if action == "FailJob":
            return Match(action, True, f"{why} matching {action} rule at index {number}")
        if action in ("Ignore", "FailIndex", "Count"):
            return Match(action, action != "Ignore")
    return Match()


def _why(rule: Mapping[str, Any], pod: Object) -> str:
    """The words for why the rule fits, "" when it does not."""
    status = pod.get("status") or {}
    who = f"{namespace_of(pod)}/{name_of(pod)}"
    codes = rule.get("onExitCodes")
    if codes is not None:
        for field in ("containerStatuses", "initContainerStatuses"):
            found = _exited(status.get(field) or (), codes)
            if found is not None:
                code = found["state"]["terminated"]["exitCode"]
                return f"Container {found.get('name')} for pod {who} failed with exit code {code}"
        return ""
    wanted = {(pattern.get("type"), pattern.get("status")) for pattern in rule.get("onPodConditions") or ()}
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) in wanted:
            return f"Pod {who} has condition {condition['type']}"
    return ""


def _exited(statuses: Iterable[Mapping[str, Any]], codes: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first container that ended with a code the requirement means; success is never meant."""
    container, values = codes.get("containerName"), codes.get("values") or ()
    for status in statuses:
        ended = (status.get("state") or {}).get("terminated")
        if ended is None or (container is not None and container != status.get("name")):
            continue
        code = ended.get("exitCode") or 0
        if code != 0 and (code in values) == (codes.get("operator") == "In"):
            return status
    return None
