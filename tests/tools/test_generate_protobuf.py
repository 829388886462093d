"""The table of protobuf messages against the structs of a real kubectl."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tools.fetch_clients import fetch, tools_directory
from tools.generate_protobuf import TABLE, Facts, merge, read_facts, render
from tools.go_structs import GoProgram
from wherry.api.protobuf.messages import fields_of, message_names

UNLINKED = ("k8s.io.apiextensions_apiserver.", "k8s.io.kube_aggregator.")
"""Packages kubectl does not carry."""


def facts_of_table() -> Facts:
    """What the table says of numbers and types."""
    shapes = {"": "{}", "list": "[]{}", "map": "map<string,{}>"}
    return {
        name: {
            field.name: (field.number, shapes[field.shape].format(field.type)) for field in fields_of(name)
        }
        for name in message_names()
        if not name.startswith(UNLINKED)
    }


@pytest.mark.slow
def test_the_table_is_what_kubectl_speaks() -> None:
    fetch(tools_directory())
    merged = render(merge(GoProgram(tools_directory() / "kubectl"), facts_of_table())).splitlines()
    written = [line for line in TABLE.read_text().splitlines() if not line.startswith(UNLINKED)]
    assert merged == written


@pytest.mark.slow
def test_sources_that_disagree_are_refused() -> None:
    fetch(tools_directory())
    facts = facts_of_table()
    facts["k8s.io.api.core.v1.Container"]["name"] = (1, "int32")
    with pytest.raises(ValueError, match="field 1 is int32 in the facts, string in the program"):
        merge(GoProgram(tools_directory() / "kubectl"), facts)


def test_types_of_facts_get_their_package(tmp_path: Path) -> None:
    source = {
        "a.b.v1.X": {"x": [1, "Y"], "y": [2, "[]string"], "z": [3, "map<string,c.d.Z>"], "w": [4, "[]Y"]}
    }
    path = tmp_path / "facts.json"
    path.write_bytes(orjson.dumps(source))
    assert read_facts(path) == {
        "a.b.v1.X": {
            "x": (1, "a.b.v1.Y"),
            "y": (2, "[]string"),
            "z": (3, "map<string,c.d.Z>"),
            "w": (4, "[]a.b.v1.Y"),
        }
    }


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(b"#!/bin/sh\n")
    with pytest.raises(ValueError, match="ELF"):
        GoProgram(path)
