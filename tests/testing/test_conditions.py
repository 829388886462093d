"""What is waited for means what `kubectl wait --for` means by it, or is refused in one line."""

from __future__ import annotations

import pytest

from wherry.objects.meta import Object
from wherry.testing import Cluster
from wherry.testing.conditions import WantedError, check_of, hint, shown

READY: Object = {"type": "Ready", "status": "True", "observedGeneration": 2}
OBJECT: Object = {
    "metadata": {"name": "x", "generation": 2},
    "spec": {"replicas": 3, "paused": False, "ports": [{"port": 80}, {"port": 81}]},
    "status": {"phase": "Running", "conditions": [READY, {"type": "Idle", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ("Ready", True),
        ("Ready=true", True),
        ("condition=Ready", True),
        ("condition=Ready=False", False),
        ("condition=Idle=false", True),
        ("Idle", False),
        ("delete", False),
        ("DELETE", False),
        ("deleted", False),
        ("create", True),
        ("exists", True),
        ("jsonpath={.status.phase}=Running", True),
        ("jsonpath=.status.phase=Running", True),
        ("jsonpath={.status.phase}='Running'", True),
        ("jsonpath={.status.phase}=Failed", False),
        ("jsonpath={.spec.replicas}=3", True),
        ("jsonpath={.spec.paused}=false", True),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
        ("jsonpath={.status.phase}", True),
        ("jsonpath={.status.reason}", False),
        ("jsonpath={.status.reason}=x", False),
    ],
)
def test_what_kubectl_takes(wanted: str, holds: bool) -> None:
    assert check_of(wanted)(OBJECT) is holds
    is_gone = wanted.lower() in ("delete", "deleted")
    assert check_of(wanted)(None) is is_gone


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("", "'' is nothing to wait for; write \"exists\", "),
        ("condition=", "'condition=' is nothing to wait for; "),
        ("{.status.phase}=Running", "is nothing to wait for; .*jsonpath={.status.phase}=Running"),
        ("status.phase=Running", "'Running' is no status of a condition; .*jsonpath="),
        ("Ready=", "'' is no status of a condition"),
        ("jsonpath=", "'jsonpath=' is no path and value"),
        ("jsonpath={.status.phase}=", "is no path and value"),
        ("jsonpath={.status[}=x", "unterminated array"),
    ],
)
def test_what_it_does_not_is_told_at_once(wanted: str, message: str) -> None:
    with pytest.raises(WantedError, match=message) as caught:
        check_of(wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "message"), [("{.spec.ports[*].port}", "leads to 2 values"), ("{.spec}", "an object or a list")]
)
def test_a_value_is_compared_with_one_value(path: str, message: str) -> None:
    with pytest.raises(WantedError, match=message):
        check_of(f"jsonpath={path}=80")(OBJECT)


def test_how_it_is_said() -> None:
    assert shown("condition=Ready") == "Ready"
    assert shown("DELETE") == "deleted"
    assert shown("create") == "there"
    assert hint("condition=ready", OBJECT) == "it has no condition ready; did you mean Ready?"
    assert hint("jsonpath={.a}=b", OBJECT) == hint("delete", OBJECT) == ""


def test_a_cluster_waits_so() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
    with Cluster(nodes=1) as c:
        c.apply({**pod, "spec": {"containers": [{"name": "c", "image": "i"}]}})
        c.wait("pod/p", "condition=Ready", timeout="5s")
        c.wait("pod/p", "jsonpath={.status.phase}=Running", timeout="5s")
        begun = c.clock.now()
        with pytest.raises(WantedError):
            c.wait("pod/p", "phase=Running")
        assert c.clock.now() == begun
        c.client.delete("pod", "p")
        c.wait("pod/p", "delete")
