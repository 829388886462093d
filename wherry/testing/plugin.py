"""Wherry's pytest plug-in: clusters as fixtures, and what stood in them when a test failed.

- `wherry`: a cluster of its own for each test; `@pytest.mark.wherry(nodes=3, objects=["app.yaml"])` says
  which.
- `wherry_async`: the same for tests with a loop of their own.
- `wherry_session`: one cluster for all tests of a session (per worker with pytest-xdist).
- `wherry_namespace`: a namespace of that cluster's for each test, gone after it.

Nothing of Wherry is loaded unless one of them is used.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from wherry.objects.meta import Object
    from wherry.testing.client import SyncClient
    from wherry.testing.cluster import AsyncCluster, Cluster, Hosted

C = TypeVar("C", bound="Hosted")
MARKER = "wherry"
RUN_BY = (
    "a test with wherry_async is an async def, which a plug-in runs: install pytest-asyncio, and mark the "
    "test @pytest.mark.asyncio or set asyncio_mode = auto (anyio's mark does as well)"
)
UNREAD = (
    f"@pytest.mark.{MARKER} has no effect on this test, which asks neither for `wherry` nor for "
    "`wherry_async`; wherry_session is one cluster for all tests, with one node"
)
_LOGGED = re.compile(r"(?:WARNING|ERROR|INFO|DEBUG) +wherry\.")
"""How a line of Wherry's begins in what pytest captured of the log."""
_HOSTS = pytest.StashKey[list["Hosted"]]()
_names = itertools.count()


class Namespace(str):
    """A namespace of a shared cluster: it is its name, to be given wherever a namespace is."""

    __slots__ = ("cluster",)
    cluster: Cluster

    def __new__(cls, cluster: Cluster, name: str) -> Namespace:
        """The namespace of that name."""
        made = super().__new__(cls, name)
        made.cluster = cluster
        return made

    @property
    def name(self) -> str:
        """Its name, and nothing else."""
        return str(self)

    @property
    def client(self) -> SyncClient:
        """The shared cluster's objects; give the namespace to stay in it."""
        return self.cluster.client

    def apply(self, source: Any) -> list[Object]:
        """Apply manifests into the namespace."""
        return self.cluster.apply(source, self.name)

    def wait(self, target: Any, wanted: Any = "exists", **options: Any) -> Object:
        """See `Cluster.wait`."""
        return self.cluster.wait(target, wanted, namespace=self.name, **options)

    def list(self, kind: str, **selectors: str) -> list[Object]:
        """The namespace's objects of a kind."""
        return self.cluster.client.list(kind, self.name, **selectors)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(nodes=0, crds=(), objects=(), ...): the cluster a test wants (wherry.testing.Settings)",
    )


@pytest.fixture
def wherry(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster of this test's own, in simulated time."""
    from wherry.testing.cluster import Cluster

    with _run(request.node, Cluster) as cluster:
        yield cluster


@pytest.fixture
def wherry_async(request: pytest.FixtureRequest) -> Iterator[AsyncCluster]:
    """The same for an `async def` test, which pytest-asyncio runs, or another plug-in for them."""
    from wherry.testing.cluster import AsyncCluster

    with _run(request.node, AsyncCluster) as cluster:
        yield cluster


@contextmanager
def _run(item: pytest.Item, kind: type[C]) -> Iterator[C]:
    """The cluster a test's markers ask for; what is wrong with them is said in a line."""
    from wherry.hollow.documents import StageError
    from wherry.testing.kinds import UnknownKindError
    from wherry.testing.manifests import ManifestError
    from wherry.testing.settings import SettingsError

    wrong = ""
    try:
        cluster = kind(**_settings(item))
        cluster.open()
    except (SettingsError, ManifestError, StageError, UnknownKindError) as error:
        wrong = str(error)
    if wrong:  # said here: within the except, pytest would tell of that error as well
        pytest.fail(f"@pytest.mark.{MARKER}: {wrong}", pytrace=False)
    try:
        with _told_of(item, cluster):
            yield cluster
    finally:
        cluster.shut()


@pytest.fixture(scope="session")
def wherry_session() -> Iterator[Cluster]:
    """One cluster for all tests, with a node; what a test leaves there the next one finds."""
    from wherry.testing.cluster import Cluster

    with Cluster(nodes=1) as cluster:
        yield cluster


@pytest.fixture
def wherry_namespace(request: pytest.FixtureRequest, wherry_session: Cluster) -> Iterator[Namespace]:
    """A namespace of the session's cluster, for this test alone."""
    name = f"test-{next(_names)}"
    wherry_session.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    with _told_of(request.node, wherry_session):
        yield Namespace(wherry_session, name)
    _delete_namespace(wherry_session, name)


def _delete_namespace(cluster: Cluster, name: str) -> None:
    from wherry.objects.errors import ApiError

    try:
        cluster.client.delete("namespace", name)
    except ApiError as error:
        if error.code not in (404, 409):  # the test deleted it itself, and it is gone, or going
            raise


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Warn of a mark that nobody reads: a session's cluster is one for all, whatever a test says of it."""
    own = [marker for marker in item.own_markers if marker.name == MARKER]
    if own and not {"wherry", "wherry_async"} & set(getattr(item, "fixturenames", ())):
        item.warn(pytest.PytestWarning(UNREAD))


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Say how a test with `wherry_async` is run where nobody knew."""
    try:
        return (yield)
    except (pytest.fail.Exception, pytest.skip.Exception) as error:
        if "async def function" not in str(error) or "wherry_async" not in pyfuncitem.fixturenames:
            raise
    pytest.fail(RUN_BY, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """To the report of a failed test goes what stood in its clusters, and no frame of how they work."""
    if call.excinfo is not None:
        _hide_frames(call.excinfo)
    report = yield
    if report.when == "call" and report.failed:
        for cluster in item.stash.get(_HOSTS, []):
            report.sections.append(("Wherry cluster", cluster.told()))
    if report.failed:
        report.sections = [
            (title, _folded(text) if title.startswith("Captured log") else text)
            for title, text in report.sections
        ]
    return report


def _folded(text: str) -> str:
    """A captured log in which what Wherry says again and again, as a retry does, is said once."""
    lines = text.split("\n")
    counts = Counter(line for line in lines if _LOGGED.match(line))
    kept, told = [], set()
    for line in lines:
        if line not in told:
            kept.append(f"{line} ({counts[line]} times)" if counts[line] > 1 else line)
        if counts[line]:
            told.add(line)
    return "\n".join(kept)


def _hide_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    modules = [str(entry.frame.f_globals.get("__name__", "")) for entry in excinfo.traceback]
    if not any(module.startswith("wherry.testing.") for module in modules):
        return
    from wherry.testing.frames import shown

    for entry, is_shown in zip(excinfo.traceback, shown(modules, excinfo.value), strict=True):
        if not is_shown:  # as if the function itself said so: not all of them are ours, or always hidden
            entry.frame.f_locals["__tracebackhide__"] = True


def _settings(item: pytest.Item) -> dict[str, Any]:
    """What the markers of a test say; the nearest counts."""
    found: dict[str, Any] = {}
    for marker in reversed(list(item.iter_markers(MARKER))):
        if marker.args:
            pytest.fail(
                f"@pytest.mark.{MARKER} takes keywords, such as nodes=3, not {marker.args}", pytrace=False
            )
        found |= marker.kwargs
    return found


@contextmanager
def _told_of(item: pytest.Item, cluster: Hosted) -> Iterator[None]:
    """For the time of the block a failure's report tells of `cluster`.

    Not longer: pytest keeps every test to the end of the session, and would keep every cluster with it.
    """
    hosts = item.stash.setdefault(_HOSTS, [])
    hosts.append(cluster)
    try:
        yield
    finally:
        hosts.remove(cluster)
