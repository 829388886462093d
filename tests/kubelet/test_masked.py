"""What is shown of settings that may hold credentials."""

from __future__ import annotations

import pytest

from wherry.kubelet.masked import shown_arguments, shown_flag, without_userinfo


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ci:s3cret@cfg:8443/pods@v1?a=b@c", "https://cfg:8443/pods@v1?a=b@c"),
        ("https://ci:a@b@cfg", "https://cfg"),
        ("https://ci:s3/c?r#et@cfg/pods", "https://cfg/pods"),
        ("https://[::1]:443/a@b", "https://[::1]:443/a@b"),
        ("https://cfg:443/a@b", "https://cfg:443/a@b"),
        ("https://ci@[::1]/", "https://[::1]/"),
        ("https://cfg/a@b", "https://cfg/a@b"),
        ("error: https://a:b@c/d, then //e:f@g", "error: https://c/d, then //g"),
        ("", ""),
    ],
)
def test_names_and_passwords_of_urls_are_left_out(text: str, shown: str) -> None:
    assert without_userinfo(text) == shown


def test_headers_are_names_alone() -> None:
    given = "Authorization:Bearer a:b,X-Rack: r1,rest of a value"
    assert shown_flag("manifest-url-header", given) == "Authorization:<masked>,X-Rack:<masked>,<masked>"
    assert shown_flag("node-labels", "a:b") == "a:b"


def test_command_lines_are_shown_without_either() -> None:
    given = (
        *("wherry", "kubelet", "--manifest-url=https://ci:s3cret@cfg/pods", "--v=2"),
        *("--manifest-url-header", "Authorization:Bearer t", "--manifest-url-header=X:t", "t@u"),
    )
    assert shown_arguments(given) == [
        *("wherry", "kubelet", "--manifest-url=https://cfg/pods", "--v=2"),
        *("--manifest-url-header", "Authorization:<masked>", "--manifest-url-header=X:<masked>", "t@u"),
    ]
