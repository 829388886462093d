# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `admissionregistration_v1beta1` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class ApplyConfiguration(TypedDict, total=False):
    expression: str


class JSONPatch(TypedDict, total=False):
    expression: str


class MatchCondition(TypedDict, total=False):
    expression: str
    name: str


class MatchResources(TypedDict, total=False):
    excludeResourceRules: list[NamedRuleWithOperations]
    matchPolicy: str
    namespaceSelector: meta.LabelSelector
    objectSelector: meta.LabelSelector
    resourceRules: list[NamedRuleWithOperations]


class MutatingAdmissionPolicy(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: MutatingAdmissionPolicySpec


class MutatingAdmissionPolicyBinding(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: MutatingAdmissionPolicyBindingSpec


class MutatingAdmissionPolicyBindingList(TypedDict, total=False):
    apiVersion: str
    items: list[MutatingAdmissionPolicyBinding]
    kind: str
    metadata: meta.ListMeta


class MutatingAdmissionPolicyBindingSpec(TypedDict, total=False):
    matchResources: MatchResources
    paramRef: ParamRef
    policyName: str


class MutatingAdmissionPolicyList(TypedDict, total=False):
    apiVersion: str
    items: list[MutatingAdmissionPolicy]
    kind: str
    metadata: meta.ListMeta


class MutatingAdmissionPolicySpec(TypedDict, total=False):
    failurePolicy: str
    matchConditions: list[MatchCondition]
    matchConstraints: MatchResources
    mutations: list[Mutation]
    paramKind: ParamKind
    reinvocationPolicy: str
    variables: list[Variable]


class Mutation(TypedDict, total=False):
    applyConfiguration: ApplyConfiguration
    jsonPatch: JSONPatch
    patchType: str


class NamedRuleWithOperations(TypedDict, total=False):
    apiGroups: list[str]
    apiVersions: list[str]
    operations: list[str]
    resourceNames: list[str]
    resources: list[str]
    scope: str


class ParamKind(TypedDict, total=False):
    apiVersion: str
    kind: str


class ParamRef(TypedDict, total=False):
    name: str
    namespace: str
    parameterNotFoundAction: str
    selector: meta.LabelSelector


class Variable(TypedDict, total=False):
    expression: str
    name: str
