"""Trials of the commands that change objects."""

from __future__ import annotations

import json

from tests.live.clients.trials.base import (
    POD,
    WEB,
    Bench,
    Trial,
    config_map,
    sleeping_deployment,
    sleeping_pod,
)
from tests.live.cluster import BUSYBOX, NGINX

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def annotate(bench: Bench) -> None:
    """Add, refuse to overwrite, overwrite, remove."""
    bench.apply(config_map("annotated", a="1"))
    assert "annotated" in bench.run("annotate", "configmap", "annotated", "note=one")
    assert "--overwrite is false" in bench.attempt("annotate", "configmap", "annotated", "note=two").err
    bench.run("annotate", "configmap", "annotated", "note=two", "--overwrite")
    assert bench.get("configmap", "annotated")["metadata"]["annotations"]["note"] == "two"
    bench.run("annotate", "configmap", "annotated", "note-")
    assert "note" not in bench.get("configmap", "annotated")["metadata"]["annotations"]


def label(bench: Bench) -> None:
    """Add and remove, of one object and by selector."""
    bench.apply(config_map("labelled", a="1"))
    bench.run("label", "configmap", "labelled", "tier=one")
    bench.run("label", "configmap", "-l", "tier=one", "more=two")
    assert bench.get("configmap", "labelled")["metadata"]["labels"] == {"tier": "one", "more": "two"}
    bench.run("label", "configmap", "labelled", "tier-")
    assert bench.get("configmap", "labelled")["metadata"]["labels"] == {"more": "two"}


def apply(bench: Bench) -> None:
    """Created, unchanged, configured; a field no longer applied goes, another's stays."""
    assert bench.apply(config_map("applied", a="1", b="2")) == "configmap/applied created\n"
    assert bench.apply(config_map("applied", a="1", b="2")) == "configmap/applied unchanged\n"
    bench.run("patch", "configmap", "applied", "--type=merge", "-p", '{"data":{"other":"x"}}')
    assert bench.apply(config_map("applied", a="3")) == "configmap/applied configured\n"
    assert bench.get("configmap", "applied")["data"] == {"a": "3", "other": "x"}


def apply_server_side(bench: Bench) -> None:
    """Two managers share an object; a conflict is refused and then forced."""
    one, other = json.dumps(config_map("shared", a="1")), json.dumps(config_map("shared", a="2", b="1"))
    assert "serverside-applied" in bench.run("apply", "--server-side", "-f", "-", stdin=one)
    flags = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    refused = bench.attempt(*flags, stdin=other)
    assert 'conflict with "kubectl": .data.a' in refused.err
    bench.run(*flags, "--force-conflicts", stdin=other)
    assert bench.get("configmap", "shared")["data"] == {"a": "2", "b": "1"}


def apply_prune(bench: Bench) -> None:
    """Objects with the label that are not applied any more go."""
    first, second = config_map("pruned", a="1"), config_map("kept", a="1")
    for item in (first, second):
        item["metadata"]["labels"] = {"prune": "yes"}
    bench.apply(first, second)
    said = bench.run(
        *("apply", "--prune", "-l", "prune=yes", "--prune-allowlist=core/v1/ConfigMap", "-f", "-"),
        stdin=json.dumps(second),
    )
    assert "configmap/pruned pruned" in said
    assert "NotFound" in bench.attempt("get", "configmap", "pruned").err


def apply_set(bench: Bench) -> None:
    """Objects that left the ApplySet go."""
    alpha = bench.where(KUBECTL_APPLYSET="true")
    flags = ("apply", "--prune", "--applyset=trial", "-f", "-")
    both = "\n---\n".join(json.dumps(config_map(name, a="1")) for name in ("left", "stayed"))
    alpha.run(*flags, stdin=both)
    assert "configmap/left pruned" in alpha.run(*flags, stdin=json.dumps(config_map("stayed", a="1")))


def last_applied_view(bench: Bench) -> None:
    """Show what was applied."""
    bench.apply(config_map("viewed", a="1"))
    shown = bench.run("apply", "view-last-applied", "configmap/viewed", "-o", "json")
    assert json.loads(shown)["data"] == {"a": "1"}


def last_applied_set(bench: Bench) -> None:
    """Note as applied what a file holds."""
    text = json.dumps(config_map("noted", a="1"))
    bench.run("create", "-f", "-", stdin=text)
    bench.run("apply", "set-last-applied", "--create-annotation", "-f", bench.file("noted.json", text))
    assert APPLIED in bench.get("configmap", "noted")["metadata"]["annotations"]


def last_applied_edit(bench: Bench) -> None:
    """Change the note in an editor."""
    bench.apply(config_map("renoted", a="before"))
    edited = bench.where(KUBE_EDITOR="sed -i s/before/after/")
    assert "edited" in edited.run("apply", "edit-last-applied", "configmap/renoted")
    assert "after" in bench.get("configmap", "renoted")["metadata"]["annotations"][APPLIED]


def diff(bench: Bench) -> None:
    """No difference, then one."""
    bench.apply(config_map("diffed", a="1"))
    same = bench.attempt("diff", "-f", "-", stdin=json.dumps(config_map("diffed", a="1")))
    assert (same.code, same.out) == (0, "")
    changed = bench.attempt("diff", "-f", "-", stdin=json.dumps(config_map("diffed", a="2")))
    assert changed.code == 1
    assert '-  a: "1"' in changed.out
    assert '+  a: "2"' in changed.out


def edit(bench: Bench) -> None:
    """A change in an editor, and one the server refuses."""
    bench.apply(config_map("edited", a="before"))
    edited = bench.where(KUBE_EDITOR="sed -i s/before/after/")
    assert edited.run("edit", "configmap", "edited") == "configmap/edited edited\n"
    assert bench.get("configmap", "edited")["data"] == {"a": "after"}
    script = bench.file("editor", 'sed -i "s/restartPolicy: Always/restartPolicy: Never/" "$1"\n')
    refused = bench.where(KUBE_EDITOR=f"sh {script}").attempt("edit", "pod", POD)
    assert refused.code == 1
    assert f'pods "{POD}" is invalid' in refused.err


def patch_strategic(bench: Bench) -> None:
    """Containers merge by name."""
    bench.apply(sleeping_deployment("strategic", BUSYBOX, replicas=0))
    more = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": NGINX}]}}}}
    bench.run("patch", "deployment", "strategic", "-p", json.dumps(more))
    containers = bench.get("deployment", "strategic")["spec"]["template"]["spec"]["containers"]
    assert {item["name"] for item in containers} == {"main", "side"}


def patch_merge(bench: Bench) -> None:
    """Null removes a key."""
    bench.apply(config_map("merged", a="1", b="2"))
    bench.run("patch", "configmap", "merged", "--type=merge", "-p", '{"data":{"a":null,"c":"3"}}')
    assert bench.get("configmap", "merged")["data"] == {"b": "2", "c": "3"}


def patch_json(bench: Bench) -> None:
    """Operations; one that does not fit is refused."""
    bench.apply(config_map("operated", a="1"))
    flags = ("patch", "configmap", "operated", "--type=json", "-p")
    bench.run(
        *flags, '[{"op":"test","path":"/data/a","value":"1"},{"op":"add","path":"/data/b","value":"2"}]'
    )
    assert bench.get("configmap", "operated")["data"] == {"a": "1", "b": "2"}
    assert bench.attempt(*flags, '[{"op":"remove","path":"/data/none"}]').code == 1


def patch_subresource(bench: Bench) -> None:
    """The status alone, the scale alone."""
    bench.apply(sleeping_deployment("sub", BUSYBOX, replicas=0))
    flags = ("patch", "deployment", "sub", "--type=merge")
    bench.run(*flags, "--subresource=scale", "-p", '{"spec":{"replicas":1}}')
    found = bench.get("deployment", "sub")
    assert found["spec"]["replicas"] == 1
    # On no node, so that no kubelet says something else meanwhile.
    stated = sleeping_pod("stated", BUSYBOX)
    stated["spec"]["nodeSelector"] = {"example.com/is": "nowhere"}
    bench.apply(stated)
    change = {"status": {"message": "said from outside"}, "spec": {"activeDeadlineSeconds": 7}}
    bench.run("patch", "pod", "stated", "--subresource=status", "-p", json.dumps(change))
    pod = bench.get("pod", "stated")
    assert pod["status"]["message"] == "said from outside"
    assert "activeDeadlineSeconds" not in pod["spec"]
    bench.run("delete", "pod", "stated")
    bench.run("delete", "deployment", "sub")


def replace(bench: Bench) -> None:
    """The whole object; with --force deleted and made anew."""
    bench.apply(config_map("replaced", a="1"))
    uid = bench.get("configmap", "replaced")["metadata"]["uid"]
    bench.run("replace", "-f", "-", stdin=json.dumps(config_map("replaced", b="2")))
    found = bench.get("configmap", "replaced")
    assert found["data"] == {"b": "2"}
    assert found["metadata"]["uid"] == uid
    path = bench.file("replaced.json", json.dumps(config_map("replaced", c="3")))
    bench.run("replace", "--force", "-f", path)
    assert bench.get("configmap", "replaced")["metadata"]["uid"] != uid


def delete(bench: Bench) -> None:
    """By name, by file, by selector, with orphans left."""
    items = [config_map(f"deleted-{n}", a="1") for n in range(3)]
    items[2]["metadata"]["labels"] = {"delete": "me"}
    bench.apply(*items)
    assert 'configmap "deleted-0" deleted' in bench.run("delete", "configmap", "deleted-0")
    bench.run("delete", "-f", "-", stdin=json.dumps(items[1]))
    bench.run("delete", "configmap", "-l", "delete=me")
    assert not [m for m in bench.get("configmaps")["items"] if m["metadata"]["name"].startswith("deleted-")]
    assert bench.attempt("delete", "configmap", "deleted-0").code == 1
    bench.run("delete", "configmap", "deleted-0", "--ignore-not-found")
    bench.apply(sleeping_deployment("orphaning", BUSYBOX))
    bench.run("rollout", "status", "deployment/orphaning", "--timeout=60s")
    bench.run("delete", "deployment", "orphaning", "--cascade=orphan")
    (orphan,) = bench.get("replicasets", "-l", "app=orphaning")["items"]
    assert "ownerReferences" not in orphan["metadata"]
    bench.run("delete", "replicaset", "-l", "app=orphaning")


def scale(bench: Bench) -> None:
    """Up, and refused when the current size is another than expected."""
    bench.apply(sleeping_deployment("scaled", BUSYBOX, replicas=0))
    bench.run("scale", "deployment/scaled", "--replicas=1")
    bench.run("rollout", "status", "deployment/scaled", "--timeout=60s")
    wrong = bench.attempt("scale", "deployment/scaled", "--current-replicas=5", "--replicas=2")
    assert "Expected replicas to be 5, was 1" in wrong.err
    bench.run("delete", "deployment", "scaled")


def autoscale(bench: Bench) -> None:
    """A HorizontalPodAutoscaler for a Deployment."""
    bench.run("autoscale", "deployment", WEB, "--min=2", "--max=4", "--cpu=80%")
    found = bench.get("hpa", WEB)["spec"]
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 4)
    assert found["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    bench.run("delete", "hpa", WEB)


def expose(bench: Bench) -> None:
    """A Service for a Deployment, one for a pod; endpoints come."""
    bench.run("expose", "deployment", WEB, "--name=exposed", "--port=8080", "--target-port=80")
    spec = bench.get("service", "exposed")["spec"]
    assert spec["selector"] == {"app": WEB}
    bench.run("wait", "endpoints/exposed", "--for=jsonpath={.subsets[0].addresses[1].ip}", "--timeout=60s")
    bench.run("expose", "pod", POD, "--name=exposed-pod", "--port=1")
    assert bench.get("service", "exposed-pod")["spec"]["selector"] == {"app": POD}


def set_env(bench: Bench) -> None:
    """Variables from a literal and from a ConfigMap; listed again."""
    bench.apply(config_map("colors", COLOR="blue"), sleeping_deployment("env", BUSYBOX, replicas=0))
    bench.run("set", "env", "deployment/env", "SHAPE=round", "--from=configmap/colors")
    listed = bench.run("set", "env", "deployment/env", "--list", "--resolve")
    assert "SHAPE=round" in listed
    assert "COLOR=blue" in listed


def set_image(bench: Bench) -> None:
    """Another image for one container."""
    bench.apply(sleeping_deployment("imaged", BUSYBOX, replicas=0))
    assert "image updated" in bench.run("set", "image", "deployment/imaged", f"main={NGINX}")


def set_resources(bench: Bench) -> None:
    """Requests and limits."""
    bench.apply(sleeping_deployment("limited", BUSYBOX, replicas=0))
    bench.run("set", "resources", "deployment/limited", "--limits=cpu=200m", "--requests=cpu=100m")
    found = bench.get("deployment", "limited")["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert found == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}


def set_selector(bench: Bench) -> None:
    """Another selector for a Service."""
    bench.run("create", "service", "clusterip", "selecting", "--tcp=80")
    bench.run("set", "selector", "service", "selecting", "app=other")
    assert bench.get("service", "selecting")["spec"]["selector"] == {"app": "other"}


def set_service_account(bench: Bench) -> None:
    """Another service account for pods."""
    bench.apply(sleeping_deployment("served", BUSYBOX, replicas=0))
    bench.run("set", "serviceaccount", "deployment", "served", "other")
    assert bench.get("deployment", "served")["spec"]["template"]["spec"]["serviceAccountName"] == "other"


def set_subject(bench: Bench) -> None:
    """One more subject in a role binding."""
    bench.run("create", "rolebinding", "subjected", "--clusterrole=view", "--user=jane")
    bench.run("set", "subject", "rolebinding", "subjected", "--group=devs")
    names = [item["name"] for item in bench.get("rolebinding", "subjected")["subjects"]]
    assert names == ["jane", "devs"]


def delete_pod_now(bench: Bench) -> None:
    """A pod without waiting for it to stop."""
    bench.apply(sleeping_pod("hasty", BUSYBOX))
    bench.run("wait", "pod/hasty", "--for=condition=Ready", "--timeout=60s")
    bench.run("delete", "pod", "hasty", "--force", "--grace-period=0")
    assert "NotFound" in bench.attempt("get", "pod", "hasty").err


CHANGING: tuple[Trial, ...] = (
    Trial("annotate", annotate),
    Trial("label", label),
    Trial("apply", apply),
    Trial("apply --server-side", apply_server_side),
    Trial("apply --prune", apply_prune),
    Trial("apply --prune --applyset", apply_set),
    Trial("apply view-last-applied", last_applied_view),
    Trial("apply set-last-applied", last_applied_set),
    Trial("apply edit-last-applied", last_applied_edit),
    Trial("diff", diff),
    Trial("edit", edit),
    Trial("patch", patch_strategic),
    Trial("patch --type=merge", patch_merge),
    Trial("patch --type=json", patch_json),
    Trial("patch --subresource", patch_subresource),
    Trial("replace", replace),
    Trial("delete", delete),
    Trial("delete --force", delete_pod_now),
    Trial("scale", scale),
    Trial("autoscale", autoscale),
    Trial("expose", expose),
    Trial("set env", set_env),
    Trial("set image", set_image),
    Trial("set resources", set_resources),
    Trial("set selector", set_selector),
    Trial("set serviceaccount", set_service_account),
    Trial("set subject", set_subject),
)
