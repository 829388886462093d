"""Naming a pod template: the hash in labels and names, and when two templates are the same.

The hash only has to be stable and unlikely to collide (a collision count takes care of the rest);
its alphabet is upstream's, without vowels, so that it never spells a word.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from wherry.objects.meta import Object
from wherry.objects.suffixes import ALPHABET

HASH_LABEL = "pod-template-hash"


def safe_encode(text: str) -> str:
    """Each character mapped into the safe alphabet."""
    return "".join(ALPHABET[ord(character) % len(ALPHABET)] for character in text)


def template_hash(template: Object, collision_count: int | None) -> str:
    """The hash of a template (without its hash label); another one for each collision count."""
    content = orjson.dumps([bare_template(template), collision_count], option=orjson.OPT_SORT_KEYS)
    return safe_encode(str(int.from_bytes(blake2b(content, digest_size=4).digest(), "big")))


def same_template(one: Object, other: Object) -> bool:
    """Whether both describe the same pods, whatever hash label they carry."""
    return one is other or bare_template(one) == bare_template(other)


def bare_template(template: Object) -> Object:
    """The template without its hash label and without nulls, which mean absent."""
    bare: Object = without_nulls(template)
    meta = dict(bare.get("metadata") or {})
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    meta["labels"] = labels
    return {**bare, "metadata": {key: value for key, value in meta.items() if value}}


def without_nulls(value: Any) -> Any:
    """The value without what is null in it, at any depth."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value
