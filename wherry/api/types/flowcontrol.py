# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `flowcontrol` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class ExemptPriorityLevelConfiguration(TypedDict, total=False):
    lendablePercent: int
    nominalConcurrencyShares: int


class FlowDistinguisherMethod(TypedDict, total=False):
    type: str


class FlowSchema(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: FlowSchemaSpec
    status: FlowSchemaStatus


class FlowSchemaCondition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    reason: str
    status: str
    type: str


class FlowSchemaList(TypedDict, total=False):
    apiVersion: str
    items: list[FlowSchema]
    kind: str
    metadata: meta.ListMeta


class FlowSchemaSpec(TypedDict, total=False):
    distinguisherMethod: FlowDistinguisherMethod
    matchingPrecedence: int
    priorityLevelConfiguration: PriorityLevelConfigurationReference
    rules: list[PolicyRulesWithSubjects]


class FlowSchemaStatus(TypedDict, total=False):
    conditions: list[FlowSchemaCondition]


class GroupSubject(TypedDict, total=False):
    name: str


class LimitResponse(TypedDict, total=False):
    queuing: QueuingConfiguration
    type: str


class LimitedPriorityLevelConfiguration(TypedDict, total=False):
    borrowingLimitPercent: int
    lendablePercent: int
    limitResponse: LimitResponse
    nominalConcurrencyShares: int


class NonResourcePolicyRule(TypedDict, total=False):
    nonResourceURLs: list[str]
    verbs: list[str]


class PolicyRulesWithSubjects(TypedDict, total=False):
    nonResourceRules: list[NonResourcePolicyRule]
    resourceRules: list[ResourcePolicyRule]
    subjects: list[Subject]


class PriorityLevelConfiguration(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: PriorityLevelConfigurationSpec
    status: PriorityLevelConfigurationStatus


class PriorityLevelConfigurationCondition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    reason: str
    status: str
    type: str


class PriorityLevelConfigurationList(TypedDict, total=False):
    apiVersion: str
    items: list[PriorityLevelConfiguration]
    kind: str
    metadata: meta.ListMeta


class PriorityLevelConfigurationReference(TypedDict, total=False):
    name: str


class PriorityLevelConfigurationSpec(TypedDict, total=False):
    exempt: ExemptPriorityLevelConfiguration
    limited: LimitedPriorityLevelConfiguration
    type: str


class PriorityLevelConfigurationStatus(TypedDict, total=False):
    conditions: list[PriorityLevelConfigurationCondition]


class QueuingConfiguration(TypedDict, total=False):
    handSize: int
    queueLengthLimit: int
    queues: int


class ResourcePolicyRule(TypedDict, total=False):
    apiGroups: list[str]
    clusterScope: bool
    namespaces: list[str]
    resources: list[str]
    verbs: list[str]


class ServiceAccountSubject(TypedDict, total=False):
    name: str
    namespace: str


class Subject(TypedDict, total=False):
    group: GroupSubject
    kind: str
    serviceAccount: ServiceAccountSubject
    user: UserSubject


class UserSubject(TypedDict, total=False):
    name: str
