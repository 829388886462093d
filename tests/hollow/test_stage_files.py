"""KWOK's Stage files, unmodified: these were written for the tests, in the form KWOK's own have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.apiserver.rig import ADMIN
from tests.hollow.rig import ready, simulated
from wherry.api.core.config_maps import CONFIG_MAPS
from wherry.api.core.nodes import NODES
from wherry.api.core.pods import PODS
from wherry.client.api import Client
from wherry.client.transport import MERGE_PATCH
from wherry.hollow.documents import StageError
from wherry.hollow.machines import NodeTemplate
from wherry.hollow.stage_files import read_stage_files, read_stages

HEAD = "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\n"


def stage(name: str, spec: str, kind: str = "Pod") -> str:
    """A Stage document; `spec` is indented by two."""
    ref = f"  resourceRef: {{apiGroup: v1, kind: {kind}}}\n"
    return f"---\n{HEAD}metadata: {{name: {name}}}\nspec:\n{ref}{spec}"


PENDING_TO_RUNNING = stage(
    "pod-ready",
    """\
  selector:
    matchExpressions:
    - key: '.metadata.deletionTimestamp'
      operator: 'DoesNotExist'
    - key: '.status.podIP'
      operator: 'DoesNotExist'
    - key: '.status.conditions.[] | select( .type == "Ready" ) | .status'
      operator: 'NotIn'
      values:
      - 'True'
  delay:
    durationMilliseconds: 1000
    durationFrom:
      expressionFrom: '.metadata.annotations["example.com/delay"]'
  next:
    event: {type: Normal, reason: Created, message: Created container}
    statusTemplate: |
      {{ $now := Now }}
      {{ $root := . }}
      conditions:
      - {lastTransitionTime: {{ $now | Quote }}, status: "True", type: Ready}
      {{ range .spec.readinessGates }}
      - {lastTransitionTime: {{ $now | Quote }}, status: "True", type: {{ .conditionType | Quote }}}
      {{ end }}
      containerStatuses:
      {{ range $index, $item := .spec.containers }}
      - image: {{ $item.image | Quote }}
        name: {{ $item.name | Quote }}
        ready: true
        restartCount: {{ $index }}
        state:
          running:
            startedAt: {{ $now | Quote }}
      {{ end }}
      hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
      {{ $network := or .spec.hostNetwork false }}
      {{ with $ips := PodIPsWith .spec.nodeName $network ( or .metadata.uid "" ) "" "" }}
      podIP: {{ index $ips 0 | Quote }}
      {{ end }}
      phase: Running
      startTime: {{ StartTime | Quote }}
""",
)
JOBS_SUCCEED = stage(
    "pod-complete",
    """\
  selector:
    matchExpressions:
    - {key: '.status.phase', operator: In, values: [Running]}
    - {key: '.metadata.ownerReferences.[].kind', operator: In, values: [Job]}
  next:
    statusTemplate: "phase: Succeeded"
""",
)
GONE_WHEN_DUE = stage(
    "pod-delete",
    """\
  selector:
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: Exists}
  delay:
    durationMilliseconds: 1000
    jitterDurationFrom:
      expressionFrom: '.metadata.deletionTimestamp'
  next:
    finalizers: {empty: true}
    delete: true
""",
)
NODE_BEATS = stage(
    "node-heartbeat",
    """\
  selector:
    matchExpressions:
    - {key: '.status.phase', operator: In, values: [Running]}
  delay: {durationMilliseconds: 20000, jitterDurationMilliseconds: 25000}
  next:
    statusTemplate: |
      conditions:
      {{ range NodeConditions }}
      - lastHeartbeatTime: {{ Now | Quote }}
        reason: {{ .reason | Quote }}
        status: {{ .status | Quote }}
        type: {{ .type | Quote }}
      {{ end }}
  immediateNextStage: true
""",
    "Node",
)
NODE_BEGINS = stage(
    "node-initialize",
    """\
  selector:
    matchExpressions:
    - {key: '.status.phase', operator: NotIn, values: [Running]}
  next:
    statusTemplate: |
      addresses:
      {{ with .status.addresses }}
      {{ YAML . 1 }}
      {{ else }}
      {{ with NodeIP }}
      - {address: {{ . | Quote }}, type: InternalIP}
      {{ end }}
      {{ with NodeName }}
      - {address: {{ . | Quote }}, type: Hostname}
      {{ end }}
      {{ end }}
      {{ with NodePort }}
      daemonEndpoints: {kubeletEndpoint: {Port: {{ . }}}}
      {{ end }}
      nodeInfo: {kubeletVersion: {{ printf "kwok-%s" Version }}}
      phase: Running
""",
    "Node",
)

POD_STAGES = PENDING_TO_RUNNING + JOBS_SUCCEED + GONE_WHEN_DUE


async def test_pods_go_through_the_stages_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "pods.yaml").write_text(POD_STAGES)
    (tmp_path / "notes.txt").write_text("no stage")
    job = {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "u"}]}
    async with simulated(stages=read_stage_files([tmp_path])) as s:
        await s.pod("plain", readinessGates=[{"conditionType": "example.com/gate"}])
        await s.pod("slow", metadata={"annotations": {"example.com/delay": "10s"}})
        await s.pod("job", metadata=job)
        await s.advance(0.9)
        assert (await s.status("plain"))["phase"] == "Pending"
        await s.advance(0.1)
        status = await s.status("plain")
        assert (status["phase"], ready(status)) == ("Running", "True")
        assert status["startTime"] == "2026-01-01T00:00:00Z"
        assert status["containerStatuses"][0]["state"]["running"] == {"startedAt": "2026-01-01T00:00:01Z"}
        assert {c["type"] for c in status["conditions"]} == {"Ready", "example.com/gate"}
        assert (status["hostIP"], status["podIP"]) == ("198.18.0.1", "100.96.0.1")
        assert "Created: Created container" in await s.events()
        assert (await s.status("job"))["phase"] == "Succeeded"
        assert (await s.status("slow"))["phase"] == "Pending"
        await s.advance(9)
        assert (await s.status("slow"))["phase"] == "Running"


async def test_a_deleted_pod_goes_at_a_moment_between_the_delay_and_its_deletion_time() -> None:
    async with simulated(stages=read_stages(POD_STAGES, "f")) as s:
        await s.pod(metadata={"finalizers": ["example.com/a"]})
        await s.advance(1)
        await s.client.delete(PODS, "web", "default")
        await s.settle()
        await s.advance(0.9)
        assert await s.pod_names() == ["web"]
        await s.advance(29.1)
        assert await s.pod_names() == []


async def test_nodes_go_through_the_stages_of_a_file() -> None:
    stages = read_stages(NODE_BEATS + NODE_BEGINS, "f")
    async with simulated(NodeTemplate(), stages=stages) as s:
        meta = {"name": "mine", "annotations": {"kwok.x-k8s.io/node": "fake"}}
        await s.client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": meta})
        await s.settle()
        status = (await s.node("mine"))["status"]
        assert status["phase"] == "Running"
        assert status["addresses"] == [
            {"address": "198.18.0.1", "type": "InternalIP"},
            {"address": "mine", "type": "Hostname"},
        ]
        times = set()
        for _ in range(120):
            await s.advance(1)
            conditions = (await s.node("mine"))["status"].get("conditions") or [{}]
            times.add(conditions[0].get("lastHeartbeatTime"))
        assert 5 <= len(times) <= 7, "one each 20 to 25 s, and none before"


async def test_nodes_of_a_template_go_through_the_stages_of_a_file() -> None:
    """As kwok's own: one stage begins with nodes that are not Ready, the others go on from there."""
    begins = stage(
        "node-initialize",
        """\
  selector:
    matchExpressions:
    - {key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: NotIn, values: ["True"]}
  next:
    statusTemplate: |
      conditions:
      {{ range NodeConditions }}
      - {type: {{ .type | Quote }}, status: {{ .status | Quote }}, lastHeartbeatTime: {{ Now | Quote }}}
      {{ end }}
      phase: Running
""",
        "Node",
    )
    broken = stage(
        "node-not-ready",
        """\
  selector:
    matchLabels: {node-not-ready.stage.kwok.x-k8s.io: "true"}
    matchExpressions:
    - {key: '.status.phase', operator: In, values: [Running]}
    - key: '.status.conditions.[] | select( .type == "Ready" ) | .status'
      operator: NotIn
      values: ["False"]
  weight: 10000
  next:
    statusTemplate: |
      conditions:
      - {type: Ready, status: "False", reason: ChaosNodeNotReady, lastHeartbeatTime: {{ Now | Quote }}}
""",
        "Node",
    )
    stages = read_stages(begins + NODE_BEATS + broken, "f")
    async with simulated(NodeTemplate(count=1), stages=stages) as s:
        status = (await s.node("hollow-0"))["status"]
        assert (status["phase"], ready(status)) == ("Running", "True")
        assert status["capacity"]["cpu"], "what the template says stays"
        assert {"type": "Hostname", "address": "hollow-0"} in status["addresses"]
        times = set()
        for _ in range(6):
            await s.advance(25)
            times.add((await s.node("hollow-0"))["status"]["conditions"][0]["lastHeartbeatTime"])
        assert len(times) >= 5, "the file's heartbeats are played"
        chaos = {"metadata": {"labels": {"node-not-ready.stage.kwok.x-k8s.io": "true"}}}
        await s.client.patch(NODES, "hollow-0", "", chaos, content_type=MERGE_PATCH)
        await s.settle()
        assert ready((await s.node("hollow-0"))["status"]) == "False"


async def test_weights_decide_and_may_come_from_the_object() -> None:
    spec = """\
  selector:
    matchLabels: {a: b}
    matchExpressions: [{jq: {key: .status.reason, operator: DoesNotExist}}]
  weight: WEIGHT
  weightFrom: {jq: {expression: '.metadata.annotations.WORD'}}
  next: {statusTemplate: 'reason: WORD'}
"""
    text = "".join(
        stage(word, spec.replace("WEIGHT", weight).replace("WORD", word))
        for word, weight in (("left", "1"), ("right", "0"))
    )
    async with simulated(stages=read_stages(text, "f")) as s:
        await s.pod("a", metadata={"labels": {"a": "b"}})
        assert (await s.status("a"))["reason"] == "left", "no weight, no chance beside one"
        await s.pod("b", metadata={"labels": {"a": "b"}, "annotations": {"left": "0", "right": "5"}})
        assert (await s.status("b"))["reason"] == "right"
        await s.pod("c", metadata={"labels": {"a": "c"}})
        assert "reason" not in await s.status("c")


async def test_patches_of_every_type_and_steps_in_their_order() -> None:
    text = stage(
        "steps",
        """\
  selector:
    matchAnnotations: {go: "yes"}
    matchExpressions:
    - cel: {expression: "!has(self.metadata.labels) && self.spec.nodeName == 'hollow-0'"}
  steps:
  - event: {reason: Begun, message: here it goes}
  - finalizers: {add: [{value: example.com/a}, {value: example.com/b}], remove: [{value: example.com/c}]}
  - patch: {type: json, root: metadata, template: '[{"op": "add", "path": "/labels", "value": {"x": "1"}}]'}
  - patch: {type: merge, root: metadata, template: 'labels: {z: {{ .metadata.name | Quote }}}'}
  - patch: {type: strategic, subresource: status, template: 'status: {reason: Z}'}
  - apply:
      template: |
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: made-{{ .metadata.name }}}
        data: {from: {{ .metadata.uid | Quote }}}
      impersonation: {username: admin}
""",
    )
    async with simulated(
        stages=read_stages(text, "f"),
        client_as=lambda name: Client(s.api.server.local_transport(ADMIN), field_manager=name),
    ) as s:
        pod = await s.pod(metadata={"annotations": {"go": "yes"}, "finalizers": ["example.com/c"]})
        found = await s.get()
        assert found["metadata"]["finalizers"] == ["example.com/a", "example.com/b"]
        assert found["metadata"]["labels"] == {"x": "1", "z": "web"}
        assert found["status"]["reason"] == "Z"
        assert "Begun: here it goes" in await s.events()
        made = await s.client.get(CONFIG_MAPS, "made-web", "default")
        assert made["data"] == {"from": pod["metadata"]["uid"]}


async def test_other_kinds_have_stages_too() -> None:
    text = stage(
        "config",
        "  selector:\n    matchExpressions:\n"
        "    - {key: .data.done, operator: DoesNotExist}\n    - {key: .data.go, operator: Exists}\n"
        "  delay: {durationMilliseconds: 5000}\n"
        "  steps: [{patch: {root: data, template: 'done: \"1\"'}}]\n",
        "ConfigMap",
    )
    async with simulated(stages=read_stages(text, "f")) as s:
        await s.client.create(
            CONFIG_MAPS,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "c", "namespace": "default"},
                "data": {"go": "1"},
            },
        )
        await s.settle()
        await s.advance(5)
        assert (await s.client.get(CONFIG_MAPS, "c", "default"))["data"] == {"go": "1", "done": "1"}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("'phase: {{ .spec.nodeName.x }}'", "template: t:1: can't evaluate field x in hollow-0"),
        ("'phase: ['", "stage t: the template gives no YAML document: "),
        ("'- a'", "stage t: the template must give a map, not list"),
    ],
)
async def test_a_template_that_fails_is_said_once(
    template: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = stage("t", f"  selector: {{}}\n  next: {{statusTemplate: {template}}}\n")
    async with simulated(stages=read_stages(text, "f")) as s:
        await s.pod()
        await s.advance(600)
        assert caplog.text.count(f"Pod default/web: {said}") == 1


async def test_a_user_nobody_can_act_as_is_said(caplog: pytest.LogCaptureFixture) -> None:
    text = stage(
        "t", "  selector: {}\n  next: {statusTemplate: 'phase: Running', statusPatchAs: {username: bob}}\n"
    )
    async with simulated(stages=read_stages(text, "f")) as s:
        await s.pod()
        assert "impersonation of bob is not possible here" in caplog.text


def test_a_stage_without_selector_is_ignored_as_kwok_does() -> None:
    assert read_stages(stage("t", "  next: {delete: true}\n"), "f") == []


WRONG: list[tuple[str, str]] = [
    (
        "  selector: {matchNames: {}}\n",
        (
            "f.yaml: spec.selector.matchNames: unknown field; "
            "known: matchAnnotations, matchExpressions, matchLabels"
        ),
    ),
    (
        "  slector: {}\n",
        (
            "f.yaml: spec.slector: unknown field; known: delay, immediateNextStage, next, resourceRef, "
            "selector, steps, weight, weightFrom"
        ),
    ),
    ("  selector: {}\n  weight: heavy\n", "f.yaml: spec.weight: must be a whole number, not str (heavy)"),
    ("  selector: {}\n  weight: -1\n", "f.yaml: spec.weight: must be at least 0, not -1"),
    (
        "  selector: {}\n  delay: {seconds: 1}\n",
        (
            "f.yaml: spec.delay.seconds: unknown field; known: durationFrom, durationMilliseconds, "
            "jitterDurationFrom, jitterDurationMilliseconds"
        ),
    ),
    (
        "  selector: {matchExpressions: [{key: '.a[', operator: Exists}]}\n",
        "f.yaml: spec.selector.matchExpressions[0].key: jq expression '.a[': unexpected end",
    ),
    (
        "  selector: {matchExpressions: [{key: .a, operator: Is}]}\n",
        (
            "f.yaml: spec.selector.matchExpressions[0].operator: unknown value 'Is'; "
            "known: DoesNotExist, Exists, In, NotIn"
        ),
    ),
    (
        "  selector: {matchExpressions: [{key: .a, operator: In}]}\n",
        "f.yaml: spec.selector.matchExpressions[0].values: must not be empty with operator In",
    ),
    (
        "  selector: {matchExpressions: [{key: .a, operator: Exists, values: [a]}]}\n",
        "f.yaml: spec.selector.matchExpressions[0].values: must be empty with operator Exists",
    ),
    (
        "  selector: {}\n  next: {statusTemplate: '{{ Nope }}'}\n",
        'f.yaml: spec.next.statusTemplate: template: t:1: function "Nope" not defined',
    ),
    (
        "  selector: {}\n  next: {patches: [{type: yaml, template: 'a: b'}]}\n",
        "f.yaml: spec.next.patches[0].type: unknown value 'yaml'; known: json, merge, strategic",
    ),
    (
        "  selector: {}\n  steps: [{wait: 1}]\n",
        "f.yaml: spec.steps[0].wait: unknown field; known: apply, delete, event, finalizers, patch",
    ),
    ("  selector: {}\n  steps: [delete]\n", "f.yaml: spec.steps[0]: must be a map"),
    (
        "  selector: {}\n  immediateNextStage: soon\n",
        "f.yaml: spec.immediateNextStage: must be true or false, not str (soon)",
    ),
]


@pytest.mark.parametrize(("spec", "said"), WRONG)
def test_what_is_wrong_is_one_line_with_file_and_field(spec: str, said: str) -> None:
    with pytest.raises(StageError) as caught:
        read_stages(stage("t", spec), "f.yaml")
    assert str(caught.value) == said


def test_a_cel_expression_that_cannot_be_read_is_named() -> None:
    spec = "  selector: {matchExpressions: [{cel: {expression: 'self.a ==='}}]}\n"
    with pytest.raises(
        StageError, match=r"f\.yaml: spec\.selector\.matchExpressions\[0\]\.cel\.expression: "
    ):
        read_stages(stage("t", spec), "f.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HEAD}metadata: {{}}\nspec: {{}}", "f.yaml: metadata.name: is required"),
        (f"{HEAD}metadata: {{name: a}}", "f.yaml: spec: is required"),
        (
            f"{HEAD}metadata: {{name: a}}\nspec: {{resourceRef: {{kind: Nope}}}}",
            "f.yaml: spec.resourceRef.kind: no built-in resource Nope in v1",
        ),
        (
            "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Metric",
            "f.yaml: kind: Metric of kwok.x-k8s.io/v1alpha1; known: Stage of kwok.x-k8s.io/v1alpha1",
        ),
        ("- a", "f.yaml: must be a map with apiVersion and kind, not list"),
    ],
)
def test_what_is_no_stage_is_refused(text: str, said: str) -> None:
    with pytest.raises(StageError) as caught:
        read_stages(text, "f.yaml")
    assert str(caught.value) == said
