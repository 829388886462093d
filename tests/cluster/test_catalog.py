"""The components as data: whatever a line names is there, and order, logs and help follow from the lines."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from inspect import signature

import pytest

from wherry.cluster.catalog import (
    COMPONENTS,
    SUPERVISED,
    SUPERVISOR,
    Component,
    Scope,
    component_called,
    in_start_order,
    logs_of,
    supervised,
)
from wherry.cluster.settings import SETTINGS


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda component: component.name)
def test_what_a_component_names_is_there(component: Component) -> None:
    assert component_called(component.name) is component
    assert find_spec(component.module) is not None
    for name in component.needs:
        assert component_called(name)


@pytest.mark.parametrize("name", supervised(has_node=True))
def test_what_a_supervisor_starts_has_a_process_to_be(name: str) -> None:
    module = import_module(component_called(name).module)
    assert signature(module.process).parameters == {}


def test_names_are_given_once() -> None:
    assert len({component.name for component in COMPONENTS}) == len(COMPONENTS)


def test_what_needs_something_starts_after_it_and_ends_before_it() -> None:
    for component in in_start_order(COMPONENTS):
        later = in_start_order(COMPONENTS)[in_start_order(COMPONENTS).index(component) :]
        assert not set(component.needs) & {one.name for one in later}
    assert in_start_order(reversed(COMPONENTS))[-1].needs
    assert supervised(has_node=True) == ("server", "agent")
    assert supervised(has_node=False) == ("server",)


def test_needs_in_a_circle_are_refused() -> None:
    def one(name: str, needs: str) -> Component:
        return Component(name=name, scope=Scope.CLUSTER, summary="", module="m", needs=(needs,))

    with pytest.raises(ValueError, match="components need each other: a, b"):
        in_start_order([one("a", "b"), one("b", "a")])


def test_every_component_and_program_has_its_log() -> None:
    assert logs_of(SUPERVISED) == ("server", "agent", "supervisor", "containerd")
    assert logs_of(supervised(has_node=False)) == ("server", "supervisor")


def test_settings_are_read_by_what_there_is() -> None:
    assert {name for setting in SETTINGS.values() for name in setting.read_by} <= {*SUPERVISED, SUPERVISOR}
