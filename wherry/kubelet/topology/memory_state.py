"""What is written of the memory that was given out: upstream's `memory_manager_state`.

Source: pkg/kubelet/cm/memorymanager/state (state.go, checkpoint.go).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.kubelet.topology.checkpoints import CheckpointError
from wherry.kubelet.topology.settings import MEMORY_STATIC


@dataclass(frozen=True, slots=True)
class Block:
    """So many bytes of one resource, from these NUMA nodes."""

    nodes: tuple[int, ...]
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Table:
    """One resource of one NUMA node, in bytes: all, what the system keeps, what may be given, is, is not."""

    total: int
    system_reserved: int
    allocatable: int
    reserved: int
    free: int

    @classmethod
    def of(cls, total: int, system_reserved: int, in_pages: int) -> Table:
        """One of which nothing is given yet; `in_pages` bytes are huge pages."""
        allocatable = max(total - system_reserved - in_pages, 0)
        return cls(total, system_reserved, allocatable, 0, allocatable)


Tables = Mapping[str, Table]


def show_state(
    nodes: Mapping[int, tuple[int, Sequence[int], Tables]], given: Mapping[str, Mapping[str, Sequence[Block]]]
) -> dict[str, Any]:
    """The state in upstream's form; nodes as (number of assignments, cells, tables)."""
    state: dict[str, Any] = {
        "policyName": MEMORY_STATIC,
        "machineState": {
            str(number): {
                "numberOfAssignments": assignments,
                "memoryMap": {kind: _show_table(table) for kind, table in sorted(tables.items())},
                "cells": list(cells),
            }
            for number, (assignments, cells, tables) in sorted(nodes.items())
        },
    }
    entries = {
        uid: {name: [_show_block(block) for block in blocks] for name, blocks in sorted(containers.items())}
        for uid, containers in sorted(given.items())
    }
    return {**state, "entries": entries} if entries else state


def _show_table(table: Table) -> dict[str, int]:
    return {
        "total": table.total,
        "systemReserved": table.system_reserved,
        "allocatable": table.allocatable,
        "reserved": table.reserved,
        "free": table.free,
    }


def _show_block(block: Block) -> dict[str, Any]:
    return {"numaAffinity": list(block.nodes), "type": block.kind, "size": block.size}


def decode(written: Mapping[str, Any], now: Mapping[int, Tables]) -> dict[str, dict[str, list[Block]]]:
    """The blocks that were given out, by pod and container; the machine must be as it was.

    `now` are the machine's tables with nothing given. Raises CheckpointError.
    """
    try:
        machine = written.get("machineState") or {}
        given = {
            uid: {
                name: [Block(tuple(one["numaAffinity"]), one["type"], one["size"]) for one in blocks]
                for name, blocks in containers.items()
            }
            for uid, containers in (written.get("entries") or {}).items()
        }
        before = {
            number: {
                kind: (table["total"], table["systemReserved"], table["allocatable"])
                for kind, table in node["memoryMap"].items()
            }
            for number, node in machine.items()
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise CheckpointError(f"could not parse memory manager state: {error}") from error
    if not machine:
        if given:
            why = "[memorymanager] machine state can not be empty when it has memory assignments"
            raise CheckpointError(why)
        return {}
    _check(given, now)
    there = {
        str(number): {
            kind: (table.total, table.system_reserved, table.allocatable) for kind, table in tables.items()
        }
        for number, tables in now.items()
    }
    if before != there:
        raise CheckpointError("[memorymanager] the expected machine state is different from the real one")
    return given


def _check(given: Mapping[str, Mapping[str, Sequence[Block]]], now: Mapping[int, Tables]) -> None:
    for uid, containers in given.items():
        for name, blocks in containers.items():
            for block in blocks:
                what = ""
                if any(number not in now for number in block.nodes):
                    what = "NUMA"
                elif any(block.kind not in now[number] for number in block.nodes):
                    what = "memory resource"
                if what:
                    which = "the NUMA" if what == "NUMA" else what
                    raise CheckpointError(
                        f"[memorymanager] (pod: {uid}, container: {name}) the memory assignment uses {which} "
                        "that does not exist"
                    )
