"""The plug-in as users meet it: fixtures, markers, and a report that says what stood in the cluster."""

from __future__ import annotations

import re

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

def test_namespace_is_a_name(wherry_session, wherry_namespace):
    wherry_session.apply(MAP, wherry_namespace)
    found = wherry_session.wait("cm/m", namespace=wherry_namespace)
    assert found["metadata"]["namespace"] == wherry_namespace
    assert wherry_session.client.get("cm", "m", wherry_namespace)["data"] == {"a": "1"}
    with wherry_session.client.watch("cm", wherry_namespace) as watch:
        assert {e.object["metadata"]["namespace"] for e in watch.take()} == {wherry_namespace.name}
    wherry_session.client.delete("cm", "m", wherry_namespace)
    assert len(wherry_session.client.list("cm", wherry_namespace)) == 1

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
    project.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=7)


def test_workers_have_clusters_of_their_own(project: pytest.Pytester) -> None:
    project.makepyfile(TESTS)
    project.runpytest_subprocess("-p", "no:cacheprovider", "-n", "2").assert_outcomes(passed=7)


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


def test_what_the_start_made_is_no_change(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.wherry(nodes=2)\ndef test_fails(wherry): assert False\n")
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["Changed last:", "  (none)"], consecutive=True)


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


def test_a_wrong_keyword_is_named(project: pytest.Pytester) -> None:
    project.makepyfile(FAILING.replace("def test_fails", "@pytest.mark.wherry(node=3)\ndef test_fails"))
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.wherry: node: no such setting; did you mean nodes? There are nodes, controllers, *"]
    )
    assert "plugin.py" not in result.stdout.str()


def test_an_async_test_that_nobody_runs(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nasyncio_mode = strict\n")
    pytester.makepyfile("async def test_it(wherry_async):\n    pass\n")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["a test with wherry_async *install pytest-asyncio, and mark*"])


REFUSED = """
import pytest
from wherry.testing import Snapshot

async def refused_later(c):
    await c.client.get("pod", "none")

def test_call(wherry):
    wherry.client.get("pod", "none")

async def test_async_call(wherry_async):
    await refused_later(wherry_async)

def test_condition(wherry):
    wherry.wait("namespace/default", lambda found: found["none"])

@pytest.mark.wherry(objects=[{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}])
def test_start(wherry):
    pass

def test_file():
    Snapshot.load("absent")

def test_inside(wherry):
    wherry.client.list("pods", field_selector=object())
"""


def test_frames_of_a_failure_are_the_tests_own(project: pytest.Pytester) -> None:
    project.makepyfile(REFUSED)
    result = project.runpytest_subprocess("-p", "no:cacheprovider", "--tb=short", "-p", "no:xdist")
    result.assert_outcomes(failed=5, errors=1)
    frames = {}
    for block in re.split(r"^_{3,} (?:ERROR at setup of )?(\w+) _{3,}$", result.stdout.str(), flags=re.M)[1:]:
        if re.fullmatch(r"test_\w+", block):
            name = block
        else:
            frames[name] = re.findall(r"^(\S+\.py):\d+: in (\S+)", block, flags=re.M)
    own = "test_frames_of_a_failure_are_the_tests_own.py"
    assert frames["test_call"] == [(own, "test_call")]
    assert frames["test_async_call"] == [(own, "test_async_call"), (own, "refused_later")]
    assert frames["test_condition"] == [(own, "test_condition"), (own, "<lambda>")]
    assert [file.rpartition("/")[2] for file, _ in frames["test_start"]] == ["plugin.py"]
    assert frames["test_file"] == [(own, "test_file")]
    assert len(frames["test_inside"]) > 3, "what is no answer of a cluster's is shown whole"
    everything = project.runpytest_subprocess("-p", "no:cacheprovider", "--full-trace", "-k", "test_call")
    assert "loop_thread.py" in everything.stdout.str()


UNREAD = """
import pytest

@pytest.mark.wherry(nodes=5)
def test_session(wherry_session):
    assert len(wherry_session.client.list("nodes")) == 1

@pytest.mark.wherry(nodes=5)
def test_nothing():
    pass

class TestClass:
    pytestmark = pytest.mark.wherry(nodes=5)

    def test_of_a_class(self):
        pass

@pytest.mark.wherry(outcomes=["absent.yaml"])
def test_wrong(wherry):
    pass
"""


def test_marks_that_nobody_reads_and_marks_that_are_wrong(project: pytest.Pytester) -> None:
    project.makepyfile(UNREAD)
    result = project.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=3, errors=1, warnings=2)
    text = result.stdout.str()
    assert text.count("PytestWarning: @pytest.mark.wherry has no effect on this test") == 2
    assert "During handling" not in text
    result.stdout.fnmatch_lines(["@pytest.mark.wherry: absent.yaml: cannot be read: *No such file*"])
