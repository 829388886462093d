"""The status of policies."""

from __future__ import annotations

from tests.controllers.bench import running
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.controllers.policy_status import PolicyStatus
from wherry.objects.meta import Object


def policy(expression: str, generation: int) -> Object:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    return {
        "metadata": {"name": "p", "generation": generation},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression}],
        },
    }


async def test_each_version_of_a_policy_is_checked() -> None:
    async with running(PolicyStatus) as bench:
        made = await bench.create(VALIDATING_ADMISSION_POLICIES, policy("object.none == 1", 1))
        status = (await bench.get(VALIDATING_ADMISSION_POLICIES, "p", ""))["status"]
        (warning,) = status["typeChecking"]["expressionWarnings"]
        assert (status["observedGeneration"], warning["fieldRef"]) == (1, "spec.validations[0].expression")
        right = policy("object.spec.nodeName == ''", 2)
        found = await bench.get(VALIDATING_ADMISSION_POLICIES, "p", "")
        meta = {**found["metadata"], "generation": 2}
        await bench.client.update(VALIDATING_ADMISSION_POLICIES, {**made, **right, "metadata": meta})
        await bench.settle()
        status = (await bench.get(VALIDATING_ADMISSION_POLICIES, "p", ""))["status"]
        assert status == {"typeChecking": {}, "observedGeneration": 2}
