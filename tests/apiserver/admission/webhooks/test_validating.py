"""Webhooks that refuse, and which requests they are asked about."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from tests.apiserver.admission.webhooks.hooks import CONFIG_MAPS, CONFIGURATIONS, Hooks, allowed, denied
from tests.apiserver.backing import ca_bundle, publish
from tests.apiserver.customresources.established import define, until
from tests.apiserver.customresources.samples import CRDS, ROOT, cron_tab, definition
from tests.apiserver.rig import ADMIN, Rig, account, api_server, config_map, pod
from wherry.api.core.config_maps import CONFIG_MAPS as CONFIG_MAP_RESOURCE
from wherry.apiserver.admission.webhooks.client import ANSWER_LIMIT_B
from wherry.apiserver.call import Call
from wherry.apiserver.encoding import encode_stored
from wherry.apiserver.request import RequestInfo
from wherry.apiserver.verbs.delete_collection import delete_collection
from wherry.kit.clock import SystemClock
from wherry.objects.meta import Object

MAPS = "/api/v1/namespaces/default/configmaps"
REFUSAL = denied(message="never", code=403, reason="Forbidden")


async def test_a_refusal_keeps_the_object_out(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: denied(
        message="never", code=418, reason="Teapot", details={"causes": [{"message": "why"}]}
    )
    await hook.configure("Validating", "v", hook.webhook("/v"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert (status, body["reason"]) == (418, "Teapot")
    assert body["message"] == 'admission webhook "v.example.com" denied the request: never'
    assert body["details"] == {"causes": [{"message": "why"}]}
    assert (await rig.http("GET", f"{MAPS}/a"))[0] == 404


async def test_deletions_show_what_goes(rig: Rig, hook: Hooks) -> None:
    await rig.http("POST", MAPS, config_map("a", keep="yes"))
    await rig.http("POST", MAPS, config_map("b"))
    hook.answers["/v"] = lambda r: REFUSAL if (r["oldObject"].get("data") or {}).get("keep") else allowed()
    await hook.configure("Validating", "v", hook.webhook("/v"))
    status, _, _ = await rig.http("DELETE", f"{MAPS}/a", {"gracePeriodSeconds": 0})
    assert status == 403
    request = hook.requests()[0]
    assert (request["operation"], request["object"]) == ("DELETE", None)
    assert request["options"] == {
        "kind": "DeleteOptions",
        "apiVersion": "meta.k8s.io/v1",
        "gracePeriodSeconds": 0,
    }
    status, _, _ = await rig.http("DELETE", MAPS)
    assert status == 403
    _, body, _ = await rig.http("GET", MAPS)
    assert [item["metadata"]["name"] for item in body["items"]] == ["a"]


async def test_many_are_asked_at_once_and_the_first_refusal_is_told(rig: Rig, hook: Hooks) -> None:
    both = asyncio.Barrier(2)

    def refusing(text: str) -> Any:
        async def answer(_: Object) -> Object:
            await both.wait()
            return denied(message=text, code=403)

        return answer

    hook.answers |= {"/a": refusing("one"), "/b": refusing("two")}
    await hook.configure("Validating", "v", hook.webhook("/a"), hook.webhook("/b"))
    _, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert body["message"] == 'admission webhook "a.example.com" denied the request: one'


@pytest.mark.parametrize("policy", ["Fail", "Ignore"])
async def test_what_a_webhook_that_cannot_be_reached_does(rig: Rig, hook: Hooks, policy: str) -> None:
    nowhere = {"url": "https://localhost:1/v"}
    await hook.configure("Validating", "v", hook.webhook("/v", clientConfig=nowhere, failurePolicy=policy))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    if policy == "Ignore":
        assert status == 201
    else:
        assert status == 500
        assert body["message"] == (
            'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post '
            '"https://localhost:1/v?timeout=10s": dial tcp localhost:1: connect: connection refused'
        )


async def test_a_slow_webhook_is_given_up(rig: Rig, hook: Hooks) -> None:
    done = asyncio.Event()

    async def answer(_: Object) -> Object:
        await done.wait()
        return allowed()

    hook.answers["/v"] = answer
    await hook.configure("Validating", "v", hook.webhook("/v", timeoutSeconds=1))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    done.set()
    assert (status, body["message"][-26:]) == (500, '": context deadline exceeded'[-26:])


async def test_a_webhook_behind_a_service(rig: Rig, hook: Hooks) -> None:
    await publish(rig, hook.port)
    service = {"namespace": "default", "name": "backing", "path": "/v"}
    client = {"service": service, "caBundle": ca_bundle()}
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", clientConfig=client))
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 403
    await rig.http("DELETE", "/api/v1/namespaces/default/services/backing")
    _, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert body["message"] == (
        'Internal error occurred: failed calling webhook "v.example.com": failed to call webhook: Post '
        '"https://backing.default.svc:443/v?timeout=10s": service "backing" not found'
    )


async def test_dry_runs_reach_only_what_has_no_side_effects(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: allowed()
    await hook.configure("Validating", "v", hook.webhook("/v", sideEffects="NoneOnDryRun"))
    assert (await rig.http("POST", f"{MAPS}?dryRun=All", config_map("a")))[0] == 201
    request = hook.requests()[0]
    assert (request["dryRun"], request["options"]["dryRun"]) == (True, ["All"])


async def test_side_effects_refuse_a_dry_run(rig: Rig, hook: Hooks) -> None:
    webhook = hook.webhook("/v", sideEffects="Some", admissionReviewVersions=["v1beta1"])
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "old"},
        "webhooks": [webhook],
    }
    # Such a webhook can no longer be written, only be there from before.
    key = "/registry/validatingwebhookconfigurations/old"
    await rig.store.create(key, encode_stored(body))
    status, answer, _ = await rig.http("POST", f"{MAPS}?dryRun=All", config_map("a"))
    assert status == 400
    assert answer["message"] == 'admission webhook "v.example.com" does not support dry run'


async def test_warnings_reach_the_client(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: allowed(warnings=["careful", "careful", "x" * 300])
    await hook.configure("Validating", "v", hook.webhook("/v"))
    _, _, headers = await rig.http("POST", MAPS, config_map("a"))
    assert headers.getall("Warning") == ['299 - "careful"', f'299 - "{"x" * 300}"']


async def test_selectors_narrow_down(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: REFUSAL
    selectors = {
        "namespaceSelector": {"matchExpressions": [{"key": "free", "operator": "DoesNotExist"}]},
        "objectSelector": {"matchLabels": {"app": "x"}},
    }
    await hook.configure("Validating", "v", hook.webhook("/v", **selectors))
    await rig.http("POST", "/api/v1/namespaces", {"metadata": {"name": "free", "labels": {"free": ""}}})
    labelled = config_map("a")
    labelled["metadata"]["labels"] = {"app": "x"}
    free = {**labelled, "metadata": {**labelled["metadata"], "namespace": "free"}}
    assert (await rig.http("POST", MAPS, config_map("b")))[0] == 201
    assert (await rig.http("POST", MAPS, labelled))[0] == 403
    assert (await rig.http("POST", "/api/v1/namespaces/free/configmaps", free))[0] == 201


@pytest.mark.parametrize(
    ("expression", "status"),
    [
        ("object.metadata.name == 'a'", 403),
        ("object.metadata.name == 'b'", 201),
        ("request.userInfo.username == 'admin' && request.operation == 'CREATE'", 403),
        ("request.resource.resource == 'configmaps' && request.namespace == 'default'", 403),
        ("oldObject == null", 403),
        ("authorizer.group('').resource('pods').namespace('default').check('create').allowed()", 403),
        ("authorizer.serviceAccount('a', 'b').requestResource.check('create').allowed()", 201),
        ("authorizer.path('/healthz').check('get').allowed()", 403),
    ],
)
async def test_match_conditions(rig: Rig, hook: Hooks, expression: str, status: int) -> None:
    hook.answers["/v"] = lambda _: REFUSAL
    conditions = [{"name": "c", "expression": expression}]
    await hook.configure("Validating", "v", hook.webhook("/v", matchConditions=conditions))
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == status


async def test_a_match_condition_that_fails(rig: Rig, hook: Hooks) -> None:
    conditions = [{"name": "c", "expression": "object.spec.x == 1"}]
    await hook.configure("Validating", "v", hook.webhook("/v", matchConditions=conditions))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert status == 403
    assert body["message"] == (
        "configmaps \"a\" is forbidden: expression 'object.spec.x == 1' resulted in error: no such key: spec"
    )
    assert hook.asked == []


@pytest.mark.parametrize(("policy", "versions"), [("Equivalent", ["autoscaling/v1"]), ("Exact", [])])
async def test_other_versions(rig: Rig, hook: Hooks, policy: str, versions: list[str]) -> None:
    rules = [
        {
            "apiGroups": ["autoscaling"],
            "apiVersions": ["v1"],
            "resources": ["*"],
            "operations": ["CREATE"],
        }
    ]
    hook.answers["/v"] = lambda _: allowed()
    await hook.configure("Validating", "v", hook.webhook("/v", rules=rules, matchPolicy=policy))
    body = {
        "metadata": {"name": "h"},
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
    }
    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
    status, answer, _ = await rig.http("POST", path, body)
    assert status == 201, answer
    assert [r["object"]["apiVersion"] for r in hook.requests()] == versions
    for request in hook.requests():
        assert request["object"]["spec"]["targetCPUUtilizationPercentage"] == 70
        assert (request["kind"]["version"], request["requestKind"]["version"]) == ("v1", "v2")


async def test_subresources_and_connections(rig: Rig, hook: Hooks) -> None:
    await rig.http("POST", "/api/v1/namespaces/default/serviceaccounts", account())
    await rig.http("POST", "/api/v1/namespaces/default/pods", pod("p"))
    rules = [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["pods/*"], "operations": ["*"]}]
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=rules))
    at = "/api/v1/namespaces/default/pods/p"
    merge = {"Content-Type": "application/merge-patch+json"}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}
    calls: tuple[tuple[str, str, Any, dict[str, str]], ...] = (
        ("POST", f"{at}/exec?stdout=1&command=ls&command=-l&container=web", None, {}),
        ("POST", f"{at}/eviction", eviction, {}),
        ("POST", f"{at}/binding", binding, {}),
        ("PATCH", f"{at}/status", '{"status":{"phase":"Running"}}', merge),
        ("GET", f"{at}/proxy/x", None, {}),
        ("PATCH", at, '{"metadata":{"labels":{"a":"b"}}}', merge),
    )
    for method, path, body, headers in calls:
        status, answer, _ = await rig.http(method, path, body, headers=headers)
        assert status == 403, answer
    told = [(r.get("subResource"), r["operation"], r["kind"]["kind"]) for r in hook.requests()]
    assert told == [
        ("exec", "CONNECT", "PodExecOptions"),
        ("eviction", "CREATE", "Eviction"),
        ("binding", "CREATE", "Binding"),
        ("status", "UPDATE", "Pod"),
        ("proxy", "CONNECT", "PodProxyOptions"),
        (None, "UPDATE", "Pod"),
    ]
    assert hook.requests()[0]["object"] == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "stdout": True,
        "container": "web",
        "command": ["ls", "-l"],
    }


async def test_scale_is_shown_as_a_scale(rig: Rig, hook: Hooks) -> None:
    deployment = {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    at = "/apis/apps/v1/namespaces/default/deployments"
    await rig.http("POST", at, deployment)
    rules = [
        {
            "apiGroups": ["apps"],
            "apiVersions": ["v1"],
            "resources": ["deployments/scale"],
            "operations": ["*"],
        }
    ]
    hook.answers["/v"] = lambda r: REFUSAL if r["object"]["spec"]["replicas"] > 5 else allowed()
    await hook.configure("Validating", "v", hook.webhook("/v", rules=rules))
    headers = {"Content-Type": "application/merge-patch+json"}
    for replicas, expected in ((3, 200), (9, 403)):
        patch = f'{{"spec":{{"replicas":{replicas}}}}}'
        assert (await rig.http("PATCH", f"{at}/d/scale", patch, headers=headers))[0] == expected
    request = hook.requests()[1]
    assert request["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert request["oldObject"]["spec"] == {"replicas": 3}


async def test_configurations_themselves_cannot_be_blocked(rig: Rig, hook: Hooks) -> None:
    everything = [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}]
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=everything))
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 403
    path = f"{CONFIGURATIONS}/validatingwebhookconfigurations/v"
    assert (await rig.http("DELETE", path))[0] == 200
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201


async def test_what_is_counted(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=[{**CONFIG_MAPS, "operations": ["*"]}]))
    await rig.http("POST", MAPS, config_map("a"))
    _, text, _ = await rig.http("GET", "/metrics")
    assert (
        'apiserver_admission_webhook_rejection_count{error_type="no_error",name="v.example.com",'
        'operation="CREATE",rejection_code="403",type="validating"} 1\n'
    ) in text
    assert 'apiserver_admission_webhook_admission_duration_seconds_count{name="v.example.com"' in text


async def test_reviews_can_be_asked_about(rig: Rig, hook: Hooks) -> None:
    rules = [
        {
            "apiGroups": ["authorization.k8s.io"],
            "apiVersions": ["v1"],
            "resources": ["*"],
            "operations": ["CREATE"],
        }
    ]
    hook.answers["/v"] = lambda r: allowed() if r["object"]["spec"]["user"] == "bob" else REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=rules))
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    for user, expected in (("bob", 201), ("eve", 403)):
        spec = {"user": user, "resourceAttributes": {"verb": "get", "resource": "pods"}}
        status, body, _ = await rig.http("POST", path, {"spec": spec})
        assert status == expected, body


async def test_the_first_start_asks_nobody(rig: Rig, hook: Hooks) -> None:
    everything = [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}]
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=everything))
    path = "/registry/priorityclasses/system-node-critical"
    entry = await rig.store.get(path)
    assert entry is not None
    await rig.store.delete(path, expected=entry.revision)
    again = api_server(rig.store, SystemClock())
    await again.start()
    try:
        assert await rig.store.get(path) is not None
    finally:
        await again.close(0.5)


async def test_definitions_are_served_and_cleaned_up_whatever_webhooks_say(rig: Rig, hook: Hooks) -> None:
    rules = [
        {
            "apiGroups": ["*"],
            "apiVersions": ["*"],
            "resources": ["customresourcedefinitions/status", "crontabs"],
            "operations": ["UPDATE", "DELETE"],
        }
    ]
    hook.answers["/v"] = lambda _: REFUSAL
    await hook.configure("Validating", "v", hook.webhook("/v", rules=rules))
    crd = await define(rig, definition())
    assert (await rig.http("POST", ROOT, cron_tab("a")))[0] == 201
    assert (await rig.http("DELETE", f"{ROOT}/a"))[0] == 403
    path = f"{CRDS}/{crd['metadata']['name']}"
    assert (await rig.http("DELETE", path))[0] == 200
    await until(rig, path, lambda obj: obj.get("reason") == "NotFound")
    assert await rig.store.get("/registry/stable.example.com/crontabs/default/a") is None


async def test_an_answer_of_many_megabytes_is_not_read_to_its_end(rig: Rig, hook: Hooks) -> None:
    hook.answers["/v"] = lambda _: allowed(auditAnnotations={"long": "x" * ANSWER_LIMIT_B})
    await hook.configure("Validating", "v", hook.webhook("/v"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert status == 500
    assert body["message"].endswith(f"the answer has more than {ANSWER_LIMIT_B} bytes")


@pytest.mark.parametrize("code", [0, 200, 1000, 700_000, "403", True])
async def test_a_code_http_cannot_say_is_400(rig: Rig, hook: Hooks, code: Any) -> None:
    hook.answers["/v"] = lambda _: denied(message="never", code=code)
    await hook.configure("Validating", "v", hook.webhook("/v"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert (status, body["code"]) == (400, 400)


async def test_of_what_a_webhook_says_wrongly_a_part_is_told(
    rig: Rig, hook: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    hook.answers["/v"] = lambda _: allowed(uid="x" * 1_000_000)
    await hook.configure("Validating", "v", hook.webhook("/v"))
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert status == 500
    assert "expected response.uid=" in body["message"]
    assert len(body["message"]) < 10_000
    assert len(caplog.text) < 20_000


async def test_notes_of_a_collections_deletions_reach_its_own_request(rig: Rig, hook: Hooks) -> None:
    for name in ("a", "b"):
        await rig.http("POST", MAPS, config_map(name))
    hook.answers["/v"] = lambda request: allowed(auditAnnotations={request["name"]: "seen"})
    await hook.configure("Validating", "v", hook.webhook("/v"))
    info = RequestInfo("deletecollection", MAPS, True, "", "v1", "default", "configmaps")
    call = Call(info, ADMIN, {})
    core = rig.server.core
    await delete_collection(core, call, core.registry.of(CONFIG_MAP_RESOURCE))
    assert call.annotations == {"v.example.com/a": "seen", "v.example.com/b": "seen"}


@pytest.mark.parametrize(
    "client_config",
    [
        {"url": "https://a..b/x"},
        {"url": f"https://{'a' * 80}.b/x"},
        {"url": "https://localhost:9/x", "caBundle": base64.b64encode("\u00e9".encode()).decode()},
        {"url": "https://localhost:9/x", "caBundle": base64.b64encode(b"none").decode()},
    ],
)
async def test_a_webhook_that_cannot_even_be_asked_fails_as_its_policy_says(
    rig: Rig, hook: Hooks, client_config: Object
) -> None:
    closed = hook.webhook("/v", clientConfig=client_config)
    await hook.configure("Validating", "v", closed)
    status, body, _ = await rig.http("POST", MAPS, config_map("a"))
    assert status == 500
    assert 'failed calling webhook "v.example.com": failed to call webhook: Post "https://' in body["message"]
    await rig.http("DELETE", f"{CONFIGURATIONS}/validatingwebhookconfigurations/v")
    await hook.configure("Validating", "v", {**closed, "failurePolicy": "Ignore"})
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201


async def test_a_ca_bundle_may_have_remarks_in_any_language(rig: Rig, hook: Hooks) -> None:
    bundle = "# Autorit\u00e9\n".encode() + base64.b64decode(ca_bundle())
    hook.answers["/v"] = lambda _: allowed()
    webhook = hook.webhook("/v")
    webhook["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
    await hook.configure("Validating", "v", webhook)
    assert (await rig.http("POST", MAPS, config_map("a")))[0] == 201
