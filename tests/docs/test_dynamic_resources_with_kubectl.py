"""The page about devices and gangs, typed by hand: the real kubectl."""

from __future__ import annotations

import pytest

from tests.controllers.kubectl import Kubectl
from tests.docs.simulated import as_told
from tests.docs.test_dynamic_resources import EXAMPLES, PAGE

pytestmark = pytest.mark.slow  # some processes of kubectl


def test_what_the_page_says() -> None:
    with as_told(PAGE) as cluster:
        kubectl = Kubectl(cluster)
        for name in ("devices", "pod", "gang"):
            kubectl("apply", "-f", "-", stdin=EXAMPLES[name])
        kubectl("wait", "pod/train", "--for=condition=Ready", "--timeout=60s")
        kubectl("wait", "podgroup/ring", "--for=condition=PodGroupInitiallyScheduled", "--timeout=60s")
        columns = kubectl("get", "resourceclaims", "--no-headers").split()
        assert columns[0].startswith("train-card-")
        assert columns[1] == "allocated,reserved"
        slices = kubectl("get", "resourceslices", "--no-headers").split()
        assert slices[:4] == ["hollow-0-gpus", "hollow-0", "gpu.example.com", "hollow-0"]
        kubectl("apply", "-f", "-", stdin=EXAMPLES["pod"].replace("{name: train}", "{name: next}"))
        told = "cannot allocate all claims"
        kubectl(
            "wait",
            "pod/next",
            "--for=jsonpath={.status.conditions[?(@.type=='PodScheduled')].reason}=Unschedulable",
            "--timeout=60s",
        )
        assert told in kubectl("describe", "pod", "next")
        described = kubectl("describe", "podgroup", "ring")
        assert "PodGroupInitiallyScheduled" in described
        assert "Min Count:" in described
