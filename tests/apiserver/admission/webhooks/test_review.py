"""What a webhook answers, whatever that is: a verdict, or what is wrong with it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wherry.apiserver.admission.webhooks.review import InvalidAnswer, denial, verdict
from wherry.objects.meta import Object

VALUES: tuple[Any, ...] = (None, True, 0, 5, 1.5, "x", "\u00e9", "\r\n", [], ["x"], {}, {"a": 1})
REVIEW = ("apiVersion", "kind", "response")
RESPONSE = ("uid", "allowed", "patchType", "patch", "status", "warnings", "auditAnnotations")
STATUS = ("code", "reason", "message", "details", "status")


def answer(review: Object, response: Object, status: Object) -> Object:
    told = {"uid": "u", "allowed": False, "status": {"message": "no", **status}, **response}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": told, **review}


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
@pytest.mark.parametrize("is_mutating", [True, False])
def test_any_answer_is_understood_or_refused(version: str, is_mutating: bool) -> None:
    understood = refused = 0
    for value in VALUES:
        answers = [value, *(answer({name: value}, {}, {}) for name in REVIEW)]
        answers += [answer({}, {name: value}, {}) for name in RESPONSE]
        answers += [answer({}, {}, {name: value}) for name in STATUS]
        for given in answers:
            try:
                said = verdict(given, "u", version, is_mutating=is_mutating)
            except InvalidAnswer:
                refused += 1
                continue
            understood += 1
            refusal = denial("hook", said.result)
            assert 400 <= refusal.code <= 599
            assert orjson.loads(orjson.dumps(refusal.status()))["message"].startswith(
                'admission webhook "hook"'
            )
    assert understood
    assert refused
