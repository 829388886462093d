# Written by tools/generate_schema.py; do not edit.
"""TypedDicts of the API's `version` types, for the type checker only."""

from __future__ import annotations

from typing import TypedDict


class Info(TypedDict, total=False):
    buildDate: str
    compiler: str
    emulationMajor: str
    emulationMinor: str
    gitCommit: str
    gitTreeState: str
    gitVersion: str
    goVersion: str
    major: str
    minCompatibilityMajor: str
    minCompatibilityMinor: str
    minor: str
    platform: str
