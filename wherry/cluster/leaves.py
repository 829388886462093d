"""Leaf certificates: whom they are for, and which were found to be current before.

Judging certificates takes the library that makes them, 8 MB of a process for ever. So who has judged those of
a cluster notes it beside them, with a digest of all it went by: whoever finds the same there, before the
first of them is to be signed anew, need not look into them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherry.kit.user_files import keep_file

log = logging.getLogger(__name__)

CLUSTER_AUTHORITY = "ca"
NOTE = "current.json"
RULES = 1
"""To be raised when another certificate is made for the same subject: all are judged again then."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The paths of a certificate and its key, both PEM."""

    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a leaf certificate is for.

    `common_name` is the user name, `organizations` the groups. `hosts` are the DNS names and
    addresses a server answers to; with any the certificate is for a server only, without for a client only.
    `authority` is the file stem of who signs it.
    """

    common_name: str
    organizations: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    authority: str = CLUSTER_AUTHORITY


def is_known_current(directory: Path, subjects: Mapping[str, Subject], now: datetime) -> bool:
    """Whether the certificates of all `subjects`, by file stem, are noted as current and have their keys."""
    try:
        note = json.loads((directory / NOTE).read_bytes())
        until = datetime.fromisoformat(note["until"])
        return bool(now < until and note["digest"] == _digest(directory, subjects))
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.info("%s is not used: %s", directory / NOTE, error)
        return False


def note_current(directory: Path, subjects: Mapping[str, Subject], until: datetime) -> None:
    """Note that the certificates as they are now were found good for `subjects` until then."""
    note = json.dumps({"digest": _digest(directory, subjects), "until": until.isoformat()})
    keep_file(directory / NOTE, note.encode())


def _digest(directory: Path, subjects: Mapping[str, Subject]) -> str:
    """Of everything a judgement goes by. Raises FileNotFoundError when a certificate or key is missing."""
    found = hashlib.sha256(str(RULES).encode())
    stems = {*subjects, *(subject.authority for subject in subjects.values())}
    for stem in sorted(stems):
        (directory / f"{stem}.key").stat()
        content = hashlib.sha256((directory / f"{stem}.crt").read_bytes()).hexdigest()
        found.update(f"{stem} {subjects.get(stem)} {content}\n".encode())
    return found.hexdigest()
