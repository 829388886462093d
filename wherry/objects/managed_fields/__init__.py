"""Managed fields: who set which field of an object, and server-side apply, which lives on it.

`fieldsets` is arithmetic on FieldsV1 sets, `walk` reads them off objects and differences of objects,
`merge` merges applied configuration into a live object and prunes what was given up, `managers` reads and
writes `metadata.managedFields`, `versions` compares objects in the version of each entry, `tracking` keeps
the entries through ordinary writes, `apply` puts it together. The rules are
upstream's (structured-merge-diff).
"""

from __future__ import annotations

from wherry.objects.managed_fields.apply import merge_apply
from wherry.objects.managed_fields.conflicts import Conflict, conflict_error
from wherry.objects.managed_fields.managers import STATUS, forget_new_times
from wherry.objects.managed_fields.tracking import track_update
from wherry.objects.managed_fields.versions import Convert
from wherry.objects.managed_fields.walk import fields_of

__all__ = [
    "STATUS",
    "Conflict",
    "Convert",
    "conflict_error",
    "fields_of",
    "forget_new_times",
    "merge_apply",
    "track_update",
]
