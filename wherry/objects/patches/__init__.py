"""The three patch languages of PATCH (server-side apply is in `managed_fields`).

None of them changes what it is given; results share whatever the patch did not touch, so nothing is
copied that stays the same. All of them fail with `PatchFailed`, which is ready to be sent.
"""

from __future__ import annotations

from wherry.objects.patches.failure import PatchFailed
from wherry.objects.patches.json_patch import apply_json_patch
from wherry.objects.patches.merge_patch import apply_merge_patch
from wherry.objects.patches.strategic import apply_strategic_patch

__all__ = ["PatchFailed", "apply_json_patch", "apply_merge_patch", "apply_strategic_patch"]
