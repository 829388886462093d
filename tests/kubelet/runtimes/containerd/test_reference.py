"""Image references: full forms, and texts that are none."""

from __future__ import annotations

import pytest

from wherry.kubelet.runtimes.containerd.reference import InvalidReference, normalize

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.25", "docker.io/library/nginx:1.25"),
        ("user/app", "docker.io/user/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx:2", "docker.io/library/nginx:2"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("quay.io/a/b/c:v1", "quay.io/a/b/c:v1"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}"),
        (DIGEST, DIGEST),
        ("a" * 64, "a" * 64),
        ("my_app__x.y-z", "docker.io/library/my_app__x.y-z:latest"),
    ],
)
def test_full_forms(written: str, full: str) -> None:
    assert normalize(written) == full


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("", "invalid reference format"),
        ("Nginx", "invalid reference format: repository name must be lowercase"),
        ("nginx:", "invalid reference format"),
        ("nginx:a b", "invalid reference format"),
        ("-nginx", "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("nginx@sha256:abc", "invalid reference format"),
    ],
)
def test_texts_that_are_no_reference(written: str, complaint: str) -> None:
    with pytest.raises(InvalidReference) as raised:
        normalize(written)
    assert str(raised.value) == complaint
