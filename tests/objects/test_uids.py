"""Identifiers are random UUIDs."""

from __future__ import annotations

import random
import uuid

from wherry.objects.uids import new_uid


def test_identifiers_are_random_uuids() -> None:
    one, other = random.Random(7), random.Random(7)
    for _ in range(200):
        made = new_uid(one)
        assert made == str(uuid.UUID(int=other.getrandbits(128), version=4))
