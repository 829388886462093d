"""The status of ValidatingAdmissionPolicies: what the types say of their expressions, once per change."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.admissionregistration.type_checks import warnings_one_by_one
from wherry.api.admissionregistration.validating_admission_policies import VALIDATING_ADMISSION_POLICIES
from wherry.api.catalog import BUILTIN
from wherry.controllers.base import Controller
from wherry.kit.portions import Portions, Work
from wherry.objects.meta import Object


class PolicyStatus(Controller):
    """Writes typeChecking and observedGeneration. Keys are the policies' names."""

    name = "validatingadmissionpolicy-status"
    account = "validatingadmissionpolicy-status-controller"
    primary = VALIDATING_ADMISSION_POLICIES
    workers: ClassVar = 1

    async def sync(self, key: str) -> float | None:
        """Check one policy, unless this version of it was checked."""
        policy = self.cache.get(VALIDATING_ADMISSION_POLICIES, key)
        if policy is None:
            return None
        status, generation = policy.get("status") or {}, policy["metadata"].get("generation")
        if status.get("observedGeneration") == generation and "typeChecking" in status:
            return None
        warnings, portions = list[Object](), Portions(Work.CONTROLLING)
        for warning in warnings_one_by_one(policy, BUILTIN):
            if warning is not None:
                warnings.append(warning)
            await portions.next()
        checked = {"typeChecking": {"expressionWarnings": warnings} if warnings else {}}
        await self.write_status(policy, {**status, **checked, "observedGeneration": generation})
        return None
