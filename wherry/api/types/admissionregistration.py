# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `admissionregistration` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class ApplyConfiguration(TypedDict, total=False):
    expression: str


class AuditAnnotation(TypedDict, total=False):
    key: str
    valueExpression: str


class ExpressionWarning(TypedDict, total=False):
    fieldRef: str
    warning: str


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


class MutatingWebhook(TypedDict, total=False):
    admissionReviewVersions: list[str]
    clientConfig: WebhookClientConfig
    failurePolicy: str
    matchConditions: list[MatchCondition]
    matchPolicy: str
    name: str
    namespaceSelector: meta.LabelSelector
    objectSelector: meta.LabelSelector
    reinvocationPolicy: str
    rules: list[RuleWithOperations]
    sideEffects: str
    timeoutSeconds: int


class MutatingWebhookConfiguration(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    webhooks: list[MutatingWebhook]


class MutatingWebhookConfigurationList(TypedDict, total=False):
    apiVersion: str
    items: list[MutatingWebhookConfiguration]
    kind: str
    metadata: meta.ListMeta


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


class RuleWithOperations(TypedDict, total=False):
    apiGroups: list[str]
    apiVersions: list[str]
    operations: list[str]
    resources: list[str]
    scope: str


class ServiceReference(TypedDict, total=False):
    name: str
    namespace: str
    path: str
    port: int


class TypeChecking(TypedDict, total=False):
    expressionWarnings: list[ExpressionWarning]


class ValidatingAdmissionPolicy(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ValidatingAdmissionPolicySpec
    status: ValidatingAdmissionPolicyStatus


class ValidatingAdmissionPolicyBinding(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: ValidatingAdmissionPolicyBindingSpec


class ValidatingAdmissionPolicyBindingList(TypedDict, total=False):
    apiVersion: str
    items: list[ValidatingAdmissionPolicyBinding]
    kind: str
    metadata: meta.ListMeta


class ValidatingAdmissionPolicyBindingSpec(TypedDict, total=False):
    matchResources: MatchResources
    paramRef: ParamRef
    policyName: str
    validationActions: list[str]


class ValidatingAdmissionPolicyList(TypedDict, total=False):
    apiVersion: str
    items: list[ValidatingAdmissionPolicy]
    kind: str
    metadata: meta.ListMeta


class ValidatingAdmissionPolicySpec(TypedDict, total=False):
    auditAnnotations: list[AuditAnnotation]
    failurePolicy: str
    matchConditions: list[MatchCondition]
    matchConstraints: MatchResources
    paramKind: ParamKind
    validations: list[Validation]
    variables: list[Variable]


class ValidatingAdmissionPolicyStatus(TypedDict, total=False):
    conditions: list[meta.Condition]
    observedGeneration: int
    typeChecking: TypeChecking


class ValidatingWebhook(TypedDict, total=False):
    admissionReviewVersions: list[str]
    clientConfig: WebhookClientConfig
    failurePolicy: str
    matchConditions: list[MatchCondition]
    matchPolicy: str
    name: str
    namespaceSelector: meta.LabelSelector
    objectSelector: meta.LabelSelector
    rules: list[RuleWithOperations]
    sideEffects: str
    timeoutSeconds: int


class ValidatingWebhookConfiguration(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    webhooks: list[ValidatingWebhook]


class ValidatingWebhookConfigurationList(TypedDict, total=False):
    apiVersion: str
    items: list[ValidatingWebhookConfiguration]
    kind: str
    metadata: meta.ListMeta


class Validation(TypedDict, total=False):
    expression: str
    message: str
    messageExpression: str
    reason: str


class Variable(TypedDict, total=False):
    expression: str
    name: str


class WebhookClientConfig(TypedDict, total=False):
    caBundle: str
    service: ServiceReference
    url: str
