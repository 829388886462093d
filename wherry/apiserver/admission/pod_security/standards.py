"""Which checks a level means at a version: the table of the Pod Security Standards.

A check of the level "restricted" may stand in for one of "baseline" that it includes, so that one
fault is told once. Findings come in the order of the table, those of "baseline" first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wherry.apiserver.admission.pod_security import baseline, restricted
from wherry.apiserver.admission.pod_security.finding import Check, Fields, Finding
from wherry.apiserver.admission.pod_security.levels import BASELINE, LATEST, PRIVILEGED, Standard


class Rule(NamedTuple):
    """A check over time: from which minor version on which function is it; what it replaces."""

    name: str
    since: tuple[tuple[int, Check], ...]
    replaces: str = ""

    def at(self, minor: int) -> Check | None:
        """The function at a version, None before the first."""
        found = None
        for first, check in self.since:
            if minor == LATEST or first <= minor:
                found = check
        return found


BASELINE_RULES = (
    Rule("appArmorProfile", ((0, baseline.app_armor),)),
    Rule("capabilities_baseline", ((0, baseline.capabilities),)),
    Rule("hostNamespaces", ((0, baseline.host_namespaces),)),
    Rule("hostPathVolumes", ((0, baseline.host_path_volumes),)),
    Rule("hostPorts", ((0, baseline.host_ports),)),
    Rule("hostProbesAndHostLifecycle", ((34, baseline.host_probes),)),
    Rule("privileged", ((0, baseline.privileged),)),
    Rule("procMount", ((0, baseline.proc_mount), (35, baseline.proc_mount_1_35))),
    Rule(
        "seLinuxOptions",
        ((0, baseline.selinux(baseline.SELINUX_TYPES)), (31, baseline.selinux(baseline.SELINUX_TYPES_1_31))),
    ),
    Rule("seccompProfile_baseline", ((0, baseline.seccomp_annotations), (19, baseline.seccomp))),
    Rule(
        "sysctls",
        (
            (0, baseline.sysctls(baseline.SYSCTLS)),
            (27, baseline.sysctls(baseline.SYSCTLS_1_27)),
            (29, baseline.sysctls(baseline.SYSCTLS_1_29)),
            (32, baseline.sysctls(baseline.SYSCTLS_1_32)),
        ),
    ),
    Rule("windowsHostProcess", ((0, baseline.windows_host_process),)),
)
RESTRICTED_RULES = (
    Rule(
        "allowPrivilegeEscalation",
        (
            (8, restricted.privilege_escalation),
            (25, restricted.not_on_windows(restricted.privilege_escalation)),
        ),
    ),
    Rule(
        "capabilities_restricted",
        ((22, restricted.capabilities), (25, restricted.not_on_windows(restricted.capabilities))),
        replaces="capabilities_baseline",
    ),
    Rule("procMount_restricted", ((35, baseline.proc_mount),), replaces="procMount"),
    Rule("restrictedVolumes", ((0, restricted.volumes),), replaces="hostPathVolumes"),
    Rule(
        "runAsNonRoot",
        ((0, restricted.run_as_non_root), (35, restricted.not_with_own_users(restricted.run_as_non_root))),
    ),
    Rule(
        "runAsUser",
        ((23, restricted.run_as_user), (35, restricted.not_with_own_users(restricted.run_as_user))),
    ),
    Rule(
        "seccompProfile_restricted",
        ((19, restricted.seccomp_required), (25, restricted.not_on_windows(restricted.seccomp_required))),
        replaces="seccompProfile_baseline",
    ),
)


@lru_cache(256)
def checks_of(standard: Standard) -> tuple[Check, ...]:
    """The checks of a level at a version, in the order they are told."""
    if standard.level == PRIVILEGED:
        return ()
    basic = {rule.name: check for rule in BASELINE_RULES if (check := rule.at(standard.minor)) is not None}
    if standard.level == BASELINE:
        return tuple(basic.values())
    strict = [(rule, check) for rule in RESTRICTED_RULES if (check := rule.at(standard.minor)) is not None]
    for rule, _ in strict:
        basic.pop(rule.replaces, None)
    return (*basic.values(), *(check for _, check in strict))


def evaluate(standard: Standard, meta: Fields, spec: Fields) -> list[Finding]:
    """Everything a pod (or a template) does that the standard does not let it."""
    found = (check(meta, spec) for check in checks_of(standard))
    return [finding for finding in found if finding is not None]
