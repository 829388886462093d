"""Managed fields: who set which field of an object, and server-side apply, which lives on it.

`fieldsets` is arithmetic on FieldsV1 sets, `walk` reads them off objects and differences of objects,
`merge` merges applied configuration into a live object and prunes what was given up, `managers` keeps
`metadata.managedFields`, `apply` puts it together. The rules are upstream's (structured-merge-diff).
"""

from __future__ import annotations

from wherry.objects.managed_fields.apply import merge_apply
from wherry.objects.managed_fields.conflicts import Conflict, conflict_error
from wherry.objects.managed_fields.managers import track_update
from wherry.objects.managed_fields.walk import fields_of

__all__ = ["Conflict", "conflict_error", "fields_of", "merge_apply", "track_update"]
