# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `batch` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import core, meta, scheduling_v1alpha3


class CronJob(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: CronJobSpec
    status: CronJobStatus


class CronJobList(TypedDict, total=False):
    apiVersion: str
    items: list[CronJob]
    kind: str
    metadata: meta.ListMeta


class CronJobSpec(TypedDict, total=False):
    concurrencyPolicy: str
    failedJobsHistoryLimit: int
    jobTemplate: JobTemplateSpec
    schedule: str
    startingDeadlineSeconds: int
    successfulJobsHistoryLimit: int
    suspend: bool
    timeZone: str


class CronJobStatus(TypedDict, total=False):
    active: list[core.ObjectReference]
    lastScheduleTime: str
    lastSuccessfulTime: str


class Job(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: JobSpec
    status: JobStatus


class JobCondition(TypedDict, total=False):
    lastProbeTime: str
    lastTransitionTime: str
    message: str
    reason: str
    status: str
    type: str


class JobList(TypedDict, total=False):
    apiVersion: str
    items: list[Job]
    kind: str
    metadata: meta.ListMeta


class JobSchedulingConfiguration(TypedDict, total=False):
    disruptionMode: scheduling_v1alpha3.WorkloadPodGroupDisruptionMode
    resourceClaims: list[scheduling_v1alpha3.WorkloadPodGroupResourceClaim]
    schedulingConstraints: scheduling_v1alpha3.WorkloadPodGroupSchedulingConstraints
    schedulingPolicy: scheduling_v1alpha3.WorkloadPodGroupSchedulingPolicy


class JobSpec(TypedDict, total=False):
    activeDeadlineSeconds: int
    backoffLimit: int
    backoffLimitPerIndex: int
    completionMode: str
    completions: int
    managedBy: str
    manualSelector: bool
    maxFailedIndexes: int
    parallelism: int
    podFailurePolicy: PodFailurePolicy
    podReplacementPolicy: str
    scheduling: JobSchedulingConfiguration
    selector: meta.LabelSelector
    successPolicy: SuccessPolicy
    suspend: bool
    template: core.PodTemplateSpec
    ttlSecondsAfterFinished: int


class JobStatus(TypedDict, total=False):
    active: int
    completedIndexes: str
    completionTime: str
    conditions: list[JobCondition]
    failed: int
    failedIndexes: str
    ready: int
    startTime: str
    succeeded: int
    terminating: int
    uncountedTerminatedPods: UncountedTerminatedPods


class JobTemplateSpec(TypedDict, total=False):
    metadata: meta.ObjectMeta
    spec: JobSpec


class PodFailurePolicy(TypedDict, total=False):
    rules: list[PodFailurePolicyRule]


class PodFailurePolicyOnExitCodesRequirement(TypedDict, total=False):
    containerName: str
    operator: str
    values: list[int]


class PodFailurePolicyOnPodConditionsPattern(TypedDict, total=False):
    status: str
    type: str


class PodFailurePolicyRule(TypedDict, total=False):
    action: str
    onExitCodes: PodFailurePolicyOnExitCodesRequirement
    onPodConditions: list[PodFailurePolicyOnPodConditionsPattern]


class SuccessPolicy(TypedDict, total=False):
    rules: list[SuccessPolicyRule]


class SuccessPolicyRule(TypedDict, total=False):
    succeededCount: int
    succeededIndexes: str


class UncountedTerminatedPods(TypedDict, total=False):
    failed: list[str]
    succeeded: list[str]
