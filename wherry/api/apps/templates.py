"""Rules of a selector and a pod template side by side, as daemon sets, stateful sets and jobs have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wherry.api.core.pod_spec import validate_pod_template
from wherry.api.validation import validate_label_selector
from wherry.objects.errors import FieldError, forbidden_value, invalid_value, not_supported, required
from wherry.objects.meta import labels_of
from wherry.objects.selectors import from_label_selector


def template_errors(
    spec: Mapping[str, Any], path: str, kind: str, restart_policies: Sequence[str]
) -> list[FieldError]:
    """What is wrong with `spec.selector` and `spec.template`: each by itself, and that they fit together.

    `kind` is the kind's name ("DaemonSet"); `restart_policies` are those the kind allows. Claims made
    from `spec.volumeClaimTemplates` count among the template's volumes. Of a daemon set without a selector
    it is said only, as upstream does, that it does not match.
    """
    selector = spec.get("selector")
    template = spec.get("template") or {}
    errors: list[FieldError] = []
    mismatch = selector is None
    if selector is None:
        if kind != "DaemonSet":
            errors.append(required(f"{path}.selector"))
    else:
        errors += validate_label_selector(selector, f"{path}.selector")
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            why = f"empty selector is invalid for {kind.lower()}"
            errors.append(invalid_value(f"{path}.selector", selector, why))
        mismatch = not errors and not from_label_selector(selector).matches(labels_of(template))
    if mismatch:
        why = "`selector` does not match template `labels`"
        errors.append(invalid_value(f"{path}.template.metadata.labels", dict(labels_of(template)), why))
    whole = _with_claims(template, spec.get("volumeClaimTemplates") or ())
    errors += validate_pod_template(whole, f"{path}.template")
    errors += restart_errors(template, f"{path}.template", restart_policies)
    if (template.get("spec") or {}).get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        errors.append(forbidden_value(f"{path}.template.spec.activeDeadlineSeconds", why))
    return errors


def _with_claims(template: Mapping[str, Any], claims: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The template as its pods will be: with a volume for each claim, in place of one of the same name."""
    names = [(claim.get("metadata") or {}).get("name") or "" for claim in claims]
    if not names:
        return template
    spec = template.get("spec") or {}
    hidden = set(names)
    own = [volume for volume in spec.get("volumes") or () if volume.get("name") not in hidden]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names if name]
    return {**template, "spec": {**spec, "volumes": [*own, *made]}}


def restart_errors(
    template: Mapping[str, Any], path: str, restart_policies: Sequence[str]
) -> list[FieldError]:
    """The template's restart policy is one the kind allows."""
    policy = (template.get("spec") or {}).get("restartPolicy")
    if policy in restart_policies:
        return []
    return [not_supported(f"{path}.spec.restartPolicy", policy or "", restart_policies)]
