# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `apiextensions` types, for the type checker only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from wherry.api.types import meta


class CustomResourceColumnDefinition(TypedDict, total=False):
    description: str
    format: str
    jsonPath: str
    name: str
    priority: int
    type: str


class CustomResourceConversion(TypedDict, total=False):
    strategy: str
    webhook: WebhookConversion


class CustomResourceDefinition(TypedDict, total=False):
    apiVersion: str
    kind: str
    metadata: meta.ObjectMeta
    spec: CustomResourceDefinitionSpec
    status: CustomResourceDefinitionStatus


class CustomResourceDefinitionCondition(TypedDict, total=False):
    lastTransitionTime: str
    message: str
    observedGeneration: int
    reason: str
    status: str
    type: str


class CustomResourceDefinitionList(TypedDict, total=False):
    apiVersion: str
    items: list[CustomResourceDefinition]
    kind: str
    metadata: meta.ListMeta


class CustomResourceDefinitionNames(TypedDict, total=False):
    categories: list[str]
    kind: str
    listKind: str
    plural: str
    shortNames: list[str]
    singular: str


class CustomResourceDefinitionSpec(TypedDict, total=False):
    conversion: CustomResourceConversion
    group: str
    names: CustomResourceDefinitionNames
    preserveUnknownFields: bool
    scope: str
    versions: list[CustomResourceDefinitionVersion]


class CustomResourceDefinitionStatus(TypedDict, total=False):
    acceptedNames: CustomResourceDefinitionNames
    conditions: list[CustomResourceDefinitionCondition]
    observedGeneration: int
    storedVersions: list[str]


class CustomResourceDefinitionVersion(TypedDict, total=False):
    additionalPrinterColumns: list[CustomResourceColumnDefinition]
    deprecated: bool
    deprecationWarning: str
    name: str
    schema: CustomResourceValidation
    selectableFields: list[SelectableField]
    served: bool
    storage: bool
    subresources: CustomResourceSubresources


class CustomResourceSubresourceScale(TypedDict, total=False):
    labelSelectorPath: str
    specReplicasPath: str
    statusReplicasPath: str


class CustomResourceSubresources(TypedDict, total=False):
    scale: CustomResourceSubresourceScale
    status: dict[str, Any]


class CustomResourceValidation(TypedDict, total=False):
    openAPIV3Schema: JSONSchemaProps


class ExternalDocumentation(TypedDict, total=False):
    description: str
    url: str


JSONSchemaProps = TypedDict(
    "JSONSchemaProps",
    {
        "$ref": "str",
        "$schema": "str",
        "additionalItems": "Any",
        "additionalProperties": "Any",
        "allOf": "list[JSONSchemaProps]",
        "anyOf": "list[JSONSchemaProps]",
        "default": "Any",
        "definitions": "dict[str, JSONSchemaProps]",
        "dependencies": "dict[str, Any]",
        "description": "str",
        "enum": "list[Any]",
        "example": "Any",
        "exclusiveMaximum": "bool",
        "exclusiveMinimum": "bool",
        "externalDocs": "ExternalDocumentation",
        "format": "str",
        "id": "str",
        "items": "Any",
        "maxItems": "int",
        "maxLength": "int",
        "maxProperties": "int",
        "maximum": "float",
        "minItems": "int",
        "minLength": "int",
        "minProperties": "int",
        "minimum": "float",
        "multipleOf": "float",
        "not": "JSONSchemaProps",
        "nullable": "bool",
        "oneOf": "list[JSONSchemaProps]",
        "pattern": "str",
        "patternProperties": "dict[str, JSONSchemaProps]",
        "properties": "dict[str, JSONSchemaProps]",
        "required": "list[str]",
        "title": "str",
        "type": "str",
        "uniqueItems": "bool",
        "x-kubernetes-embedded-resource": "bool",
        "x-kubernetes-int-or-string": "bool",
        "x-kubernetes-list-map-keys": "list[str]",
        "x-kubernetes-list-type": "str",
        "x-kubernetes-map-type": "str",
        "x-kubernetes-preserve-unknown-fields": "bool",
        "x-kubernetes-validations": "list[ValidationRule]",
    },
    total=False,
)


class SelectableField(TypedDict, total=False):
    jsonPath: str


class ServiceReference(TypedDict, total=False):
    name: str
    namespace: str
    path: str
    port: int


class ValidationRule(TypedDict, total=False):
    fieldPath: str
    message: str
    messageExpression: str
    optionalOldSelf: bool
    reason: str
    rule: str


class WebhookClientConfig(TypedDict, total=False):
    caBundle: str
    service: ServiceReference
    url: str


class WebhookConversion(TypedDict, total=False):
    clientConfig: WebhookClientConfig
    conversionReviewVersions: list[str]
