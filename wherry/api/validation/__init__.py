"""Validation shared by the kinds: names, object metadata, labels and selectors, common value rules.

Everything here is pure and returns `FieldError`s (none: fine) in upstream's words.
"""

from wherry.api.validation.conditions import validate_conditions
from wherry.api.validation.labels import (
    SelectorOptions,
    validate_label_name,
    validate_label_selector,
    validate_labels,
)
from wherry.api.validation.names import (
    DNS_1035_LABEL,
    DNS_LABEL,
    DNS_SUBDOMAIN,
    PATH_SEGMENT,
    NameRule,
)
from wherry.api.validation.object_meta import (
    validate_annotations,
    validate_finalizers,
    validate_object_meta,
    validate_object_meta_update,
)
from wherry.api.validation.values import (
    IMMUTABLE,
    check_text,
    validate_all_non_negative,
    validate_domain_prefixed_path,
    validate_immutable,
    validate_non_negative,
    validate_not_decremented,
    validate_off,
    validate_one_of,
    validate_positive,
    validate_quantity,
    value_at,
)

__all__ = [
    "DNS_1035_LABEL",
    "DNS_LABEL",
    "DNS_SUBDOMAIN",
    "IMMUTABLE",
    "PATH_SEGMENT",
    "NameRule",
    "SelectorOptions",
    "check_text",
    "validate_all_non_negative",
    "validate_annotations",
    "validate_conditions",
    "validate_domain_prefixed_path",
    "validate_finalizers",
    "validate_immutable",
    "validate_label_name",
    "validate_label_selector",
    "validate_labels",
    "validate_non_negative",
    "validate_not_decremented",
    "validate_object_meta",
    "validate_object_meta_update",
    "validate_off",
    "validate_one_of",
    "validate_positive",
    "validate_quantity",
    "value_at",
]
