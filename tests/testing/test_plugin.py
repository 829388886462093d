"""The plug-in as users meet it: fixtures, markers, and a report that says what stood in the cluster."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow  # each runs a pytest of its own
pytest_plugins = ["pytester"]

TESTS = '''
import pytest

MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}}
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: nginx}]}
"""

@pytest.mark.wherry(objects=[MAP], seed=5)
def test_marked(wherry):
    assert wherry.client.get("cm", "m")["data"] == {"a": "1"}
    assert wherry.settings.seed == 5

def test_fresh(wherry):
    assert [m["metadata"]["name"] for m in wherry.client.list("cm", "default")] == ["kube-root-ca.crt"]

def test_namespace_one(wherry_namespace):
    wherry_namespace.apply(MAP)
    assert len(wherry_namespace.list("cm")) == 2

def test_namespace_deleted(wherry_namespace):
    wherry_namespace.client.delete("namespace", wherry_namespace.name)

def test_namespace_two(wherry_namespace):
    assert len(wherry_namespace.list("cm")) == 1

async def test_async(wherry_async):
    await wherry_async.apply(MAP)
    assert (await wherry_async.client.get("cm", "m"))["data"] == {"a": "1"}
'''
FAILING = (
    TESTS.partition("@pytest.mark")[0]
    + """
def test_fails(wherry):
    wherry.apply(WEB)
    wherry.client.patch("deploy", "web", {"spec": {"replicas": 2}})
    wherry.wait("deployment/web", "Available", timeout="1m")
"""
)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\nasyncio_mode = auto\naddopts = --strict-markers\n")
    return pytester


def test_fixtures_and_markers(project: pytest.Pytester) -> None:
    project.makepyfile(TESTS)
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=6)


def test_workers_have_clusters_of_their_own(project: pytest.Pytester) -> None:
    project.makepyfile(TESTS)
    project.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2").assert_outcomes(passed=6)


def test_a_failure_says_what_stood_in_the_cluster(project: pytest.Pytester) -> None:
    project.makepyfile(FAILING)
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*WaitTimeoutError: deployment/web is not Available after 60 s",
            "*Wherry cluster*",
            "time in the cluster: 2026-01-01T00:01:00Z, seed 0",
            "Not well:",
            "*deployment default/web: *Available=False MinimumReplicasUnavailable*",
            "Latest events:",
            "*ScalingReplicaSet deployment/web: Scaled up replica set web-* from 1 to 2",
            "Changed last:",
            "*changed deployment default/web: .metadata.generation=2, .spec.replicas=2",
        ]
    )


def test_nothing_is_loaded_for_those_who_do_not_use_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        "import sys\n"
        "def test_it():\n"
        "    assert [n for n in sys.modules if n.startswith('wherry.')] == ['wherry.testing', "
        "'wherry.testing.plugin']\n"
    )
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_a_marker_without_keywords_is_refused(project: pytest.Pytester) -> None:
    project.makepyfile(FAILING.replace("def test_fails", "@pytest.mark.wherry(3)\ndef test_fails"))
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*takes keywords, such as nodes=3, not (3,)*"])
