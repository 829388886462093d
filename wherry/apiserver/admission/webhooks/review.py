"""AdmissionReview: the request a webhook gets (`review_of`), and what its answer says (`verdict`)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.foreign import status_error
from wherry.api.resource import Resource
from wherry.apiserver.admission.base import Attributes
from wherry.apiserver.admission.facts import request_facts
from wherry.apiserver.admission.webhooks.configuration import Webhook
from wherry.objects.errors import ApiError, bad_request, internal
from wherry.objects.meta import Object

KIND, GROUP = "AdmissionReview", "admission.k8s.io"
JSON_PATCH = "JSONPatch"


class InvalidAnswer(Exception):
    """A webhook answered, but not with what it should; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a webhook said. `patch` is the JSON patch's text, empty for none."""

    allowed: bool
    patch: bytes
    patch_type: str
    result: Mapping[str, Any] | None
    warnings: list[str]
    annotations: Mapping[str, str]


def review_of(
    webhook: Webhook,
    review_id: str,
    attributes: Attributes,
    resource: Resource,
    obj: Object | None,
    old: Object | None,
) -> Object:
    """The AdmissionReview to send; the objects are in the version of `resource`."""
    request = {"uid": review_id, **request_facts(attributes, resource), "object": obj, "oldObject": old}
    return {"kind": KIND, "apiVersion": f"{GROUP}/{webhook.review_version}", "request": request}


def verdict(answer: Any, review_id: str, version: str, *, is_mutating: bool) -> Verdict:
    """Read a webhook's answer. Raises InvalidAnswer."""
    response = answer.get("response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise InvalidAnswer("webhook response was absent")
    for holder, name in ((answer, "apiVersion"), (answer, "kind"), (response, "patchType")):
        if not isinstance(holder.get(name), str | None):
            raise InvalidAnswer(f"{name} must be a string")
    if response.get("uid") != review_id:
        raise InvalidAnswer(f'expected response.uid="{review_id}", got "{response.get("uid") or ""}"')
    if version == "v1":
        _check_v1(answer, response, is_mutating=is_mutating)
    patch = b""
    if is_mutating and response.get("patch"):
        try:
            patch = base64.b64decode(response["patch"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise InvalidAnswer(f"response.patch is not base64: {error}") from error
    warnings, annotations = response.get("warnings"), response.get("auditAnnotations")
    result = response.get("status")
    return Verdict(
        response.get("allowed") is True,
        patch,
        response.get("patchType") or (JSON_PATCH if patch else ""),
        result if isinstance(result, dict) else None,
        [text for text in warnings if isinstance(text, str)] if isinstance(warnings, list) else [],
        annotations if isinstance(annotations, dict) else {},
    )


def _check_v1(answer: Mapping[str, Any], response: Mapping[str, Any], *, is_mutating: bool) -> None:
    """What only v1 asks of an answer; older webhooks were less exact. Raises InvalidAnswer."""
    found = answer.get("apiVersion") or "", answer.get("kind") or ""
    if found != (f"{GROUP}/v1", KIND):
        got = f"{found[0] if '/' in found[0] else '/' + found[0]}, Kind={found[1]}"
        raise InvalidAnswer(f"expected webhook response of {GROUP}/v1, Kind={KIND}, got {got}")
    patch, patch_type = response.get("patch"), response.get("patchType")
    if not is_mutating:
        if patch:
            raise InvalidAnswer("validating webhook may not return response.patch")
        if patch_type is not None:
            raise InvalidAnswer("validating webhook may not return response.patchType")
    elif patch and patch_type is None:
        raise InvalidAnswer("webhook returned response.patch but not response.patchType")
    elif not patch and patch_type is not None:
        raise InvalidAnswer("webhook returned response.patchType but not response.patch")
    elif patch_type == "":
        raise InvalidAnswer('webhook returned invalid response.patchType of ""')


def denial(name: str, result: Mapping[str, Any] | None) -> ApiError:
    """The error a client gets for a webhook's refusal, with the webhook's own status."""
    error = status_error(result, 400, "")
    said = error.message or error.reason
    text = f'admission webhook "{name}" denied the request' + (
        f": {said}" if said else " without explanation"
    )
    return ApiError(error.code, error.reason, text, error.details)


def no_dry_run(name: str) -> ApiError:
    """400: a dry run would reach a webhook that does something."""
    return bad_request(f'admission webhook "{name}" does not support dry run')


def failure(name: str, why: str) -> ApiError:
    """500: a webhook could not be asked, or made no sense."""
    return internal(f'failed calling webhook "{name}": {why}')
