"""Command lines are read as pflag reads them, and complained about in its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from wherry.cluster.alone.flags import (
    DURATION,
    EMPTY_DEFAULT,
    EMPTY_VALUE,
    NAMES,
    NUMBER,
    SWITCH,
    Flag,
    FlagError,
    help_text,
    idle,
    parse,
)
from wherry.cluster.alone.tls_flags import pair_of

NO_NUMBER = 'strconv.ParseInt: parsing "x": invalid syntax'
NO_SWITCH = 'strconv.ParseBool: parsing "maybe": invalid syntax'
FLAGS = (
    Flag("leader-elect", "Whether to stand for election.", SWITCH, "true"),
    Flag("retry", "How often to try.", DURATION, "2s"),
    Flag("port", "Where to listen.", NUMBER, "10257"),
    Flag("controllers", "Which run.", NAMES, "*"),
    Flag("name", "Who it is."),
    Flag("v", "How much is logged.", NUMBER, short="v"),
    Flag("cloud", refused="there are no clouds here; leave it out"),
    *idle("profiling", kind=SWITCH),
)


def test_values_and_defaults() -> None:
    values = parse("p", FLAGS, ["--retry", "1m30s", "--controllers=a, -b", "--leader-elect=F", "-v", "4"])
    assert values.seconds("retry") == 90
    assert values.names("controllers") == ("a", "-b")
    assert not values.is_on("leader-elect")
    assert (values.number("port"), values.text("name"), values.path("name")) == (10257, "", None)
    assert parse("p", FLAGS, []).is_on("leader-elect")
    assert parse("p", FLAGS, ["--leader-elect", "--name", "--odd"]).text("name") == "--odd"


@pytest.mark.parametrize("arguments", [["-v4"], ["-v=4"], ["-v", "4"], ["--v=4", "--"]])
def test_forms_of_a_letter(arguments: list[str]) -> None:
    assert parse("p", FLAGS, arguments).number("v") == 4


def test_words_of_a_flag_may_be_joined_by_underscores() -> None:
    """Source: k8s.io/component-base/cli/flag, WordSepNormalizeFunc."""
    assert parse("p", FLAGS, ["--leader_elect=false"]).text("leader-elect") == "false"
    assert parse("p", FLAGS, ["--name=a_b"]).text("name") == "a_b"


def test_given_and_empty_is_not_left_out() -> None:
    flags = (
        Flag("address", "Where.", default="::", empty=EMPTY_DEFAULT),
        Flag("resolver", "Who.", default="/etc/resolv.conf", empty=EMPTY_VALUE),
        Flag("root", "Where.", default="/var"),
        Flag("modes", "Which.", NAMES, default="RBAC"),
        Flag("other", "What."),
    )
    values = parse("p", flags, ["--address=", "--resolver=", "--other="])
    assert (values.text("address"), values.text("resolver"), values.path("resolver")) == ("::", "", None)
    assert (values.text("root"), values.names("modes"), values.text("other")) == ("/var", ("RBAC",), "")
    for name, default in (("root", "/var"), ("modes", "RBAC")):
        with pytest.raises(FlagError, match=f"--{name} is empty; leave the flag out for '{default}'"):
            parse("p", flags, [f"--{name}="])


def test_a_certificate_goes_with_its_key() -> None:
    flags = (Flag("cert", "What."), Flag("key", "Its key."))
    assert pair_of(parse("p", flags, []), "cert", "key") is None
    assert pair_of(parse("p", flags, ["--cert=/c", "--key=/k"]), "cert", "key") == (Path("/c"), Path("/k"))
    for one in ("--cert=/c", "--key=/k"):
        with pytest.raises(FlagError, match=r"^--cert and --key go together; give both$"):
            pair_of(parse("p", flags, [one]), "cert", "key")


def test_what_changes_nothing_is_told_apart() -> None:
    assert parse("p", FLAGS, ["--profiling", "-v=2", "--name=n"]).idle == ["profiling"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lead"], "unknown flag: --lead"),
        (["-x"], "unknown shorthand flag: 'x' in -x"),
        (["-port=1"], "unknown shorthand flag: 'p' in -port=1"),
        (["-v"], "flag needs an argument: --v"),
        (["--", "run"], 'unknown command "run" for "p"'),
        (["run"], 'unknown command "run" for "p"'),
        (["--name"], "flag needs an argument: --name"),
        (
            ["--port=x"],
            f'invalid argument "x" for "--port" flag: {NO_NUMBER}',
        ),
        (["--retry=5"], 'invalid argument "5" for "--retry" flag: time: missing unit in duration "5"'),
        (
            ["--leader-elect=maybe"],
            f'invalid argument "maybe" for "--leader-elect" flag: {NO_SWITCH}',
        ),
        (["--cloud=x"], "--cloud: there are no clouds here; leave it out"),
    ],
)
def test_complaints(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError) as refused:
        parse("p", FLAGS, arguments)
    assert str(refused.value) == message


def test_help_lists_what_can_be_given() -> None:
    text = help_text("Does it.", FLAGS)
    assert "  -v, --v int\n" in text
    assert "      --retry duration\n            How often to try. (default 2s)\n" in text
    assert "cloud" not in text
