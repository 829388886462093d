"""Templates give what Go gives: the expected texts were taken from Go's own text/template."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.objects.gotemplate import TemplateError, compile_template
from wherry.objects.gotemplate.sizes import MOST_CHARACTERS

DATA: dict[str, Any] = {
    "a": {"b": [1, 2, {"c": "x"}], "s": "hi", "t": True, "n": None, "f": 1.5, "e": ""},
    "l": ["p", "q"],
    "m": {"z": 1, "y": "2"},
}

RENDERED = [
    ("{{ .a.s }}", "hi"),
    (
        "{{.a.b}} {{.m}} {{.a.t}} {{.a.f}} {{.nope}} {{.nope.x}}",
        "[1 2 map[c:x]] map[y:2 z:1] true 1.5 <no value> <no value>",
    ),
    ('{{- /* c */ -}}  x {{- " y " -}}   z', "x y z"),
    ("{{/* a */}}b{{3 -}} 4", "b34"),
    ("{{range .l}}[{{.}}]{{end}}", "[p][q]"),
    ("{{range $i,$v := .l}}{{$i}}={{$v}};{{end}}", "0=p;1=q;"),
    ("{{range $k,$v := .m}}{{$k}}={{$v}};{{else}}none{{end}}", "y=2;z=1;"),
    ("{{range .nope}}x{{else}}none{{end}}", "none"),
    ("{{range 3}}{{.}}{{end}}", "012"),
    ('{{range .l}}{{if eq . "q"}}{{break}}{{end}}{{.}}{{end}}', "p"),
    ('{{range .l}}{{if eq . "p"}}{{continue}}{{end}}{{.}}{{end}}', "q"),
    ("{{range .l}}{{len $}}{{end}}", "33"),
    ("{{with .a.s}}{{.}}{{else}}no{{end}}", "hi"),
    ("{{with .a.e}}{{.}}{{else with .a.s}}{{.}}!{{end}}", "hi!"),
    ("{{with $x := .a.s}}{{$x}}{{end}}", "hi"),
    ('{{if and .a.t (eq .a.s "hi" "ho")}}yes{{else}}no{{end}}', "yes"),
    ('{{if eq .a.s "x"}}1{{else if eq .a.s "hi"}}2{{else}}3{{end}}', "2"),
    ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
    ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
    ('{{(index .a.b 2).c}} {{index .l 1 | printf "%s-%s" "k"}}', "x k-q"),
    (
        '{{printf "%d %5d|%-5s|%05d %q %v %t %x" 3 4 "ab" 42 "q\\"" .l true 255}}',
        '3     4|ab   |00042 "q\\"" [p q] true ff',
    ),
    ('{{printf "%s"}} {{printf "a" 1}}', "%!s(MISSING) a%!(EXTRA int=1)"),
    (
        '{{printf "a%1000001dz" 1}} {{printf "%.99999999999999999999f" 1.5}}',
        "a%!(NOVERB)%!(EXTRA int=1) %!(NOVERB)%!(EXTRA float64=1.5)",
    ),
    ('{{printf "%-00000000005d|%*d|%*d|%.*f" 1 3 2 -3 2 1 1.25}}', "1    |  2|2  |1.2"),
    (
        '{{printf "%*d|%.*f" 1000001 1 "x" 1.5}}',
        "%!(BADWIDTH)1|%!(BADPREC)1.500000",
    ),
    (
        "{{mul 4611686018427387904 2}} {{add 9223372036854775807 1}}",
        "-9223372036854775808 -9223372036854775808",
    ),
    ('{{len .l}} {{len .a.s}} {{not .a.e}} {{or .a.e "d"}} {{and 1 0}}', "2 2 true d 0"),
    ('{{define "T"}}<{{.}}>{{end}}{{template "T" .a.s}}{{block "B" .l}}{{len .}}{{end}}', "<hi>2"),
    (
        '{{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge 3 2}} {{ne 1 2}} {{lt "a" "b"}}',
        "true true false true true true",
    ),
    ("{{slice .l 1}} {{slice .a.s 0 1}}", "[q] h"),
    ('{{print 1 2 "x" 3 4}} {{println "a" 1}}', "1 2x3 4 a 1\n"),
    ('{{`raw "x"`}} {{"\\n\\t\\u0041"}} {{\'a\'}} {{0x10}}', 'raw "x" \n\tA 97 16'),
    ('{{eq .nope "x"}} {{ne .nope "x"}}', "false true"),
    ('{{html "<a>"}} {{js "it\'s"}} {{urlquery "a b&c"}}', "&lt;a&gt; it\\'s a+b%26c"),
    ('{{ default "d" .a.e | upper }} {{ dict "k" 1 | toJson }} {{ list 1 2 | join "," }}', 'D {"k":1} 1,2'),
]

REFUSED = [
    ('{{eq 1 "x"}}', "template: t:1: error calling eq: incompatible types for comparison"),
    ("{{index .l 5}}", "template: t:1: error calling index: index out of range: 5"),
    ("{{.a.s.x}}", "template: t:1: can't evaluate field x in hi"),
    ("\n\n{{foo}}", 'template: t:3: function "foo" not defined'),
    ("{{if true}}x", "template: t:1: {{if}} has no {{end}}"),
    ("{{end}}", "template: t:1: unexpected {{end}}"),
    ("{{else}}", "template: t:1: unexpected {{else}}"),
    ("{{$y}}", 'template: t:1: undefined variable "$y"'),
    ("{{if true}}{{$z := 1}}{{end}}{{$z}}", 'template: t:1: undefined variable "$z"'),
    ("{{.a | .a}}", "template: t:1: can't give argument to non-function .a"),
    ('{{template "Q"}}', 'template: t:1: template "Q" not defined'),
    ("{{or}}", "template: t:1: wrong number of args for or: want at least 1 got 0"),
    ("{{break}}", "template: t:1: {{break}} outside {{range}}"),
    ("{{ 'ab }}", 'template: t:1: unexpected "\'ab }}" in action'),
    ("{{ .a", "template: t:1: unclosed action"),
    ("{{}}", "template: t:1: missing value for command"),
    (
        '{{define "R"}}{{template "R"}}{{end}}{{template "R"}}',
        "template: t:1: exceeded maximum template depth",
    ),
    ("{{range 100000000}}x{{end}}", "template: t:1: range over 100000000 is too long"),
]


@pytest.mark.parametrize(("source", "expected"), RENDERED)
def test_renders_as_go(source: str, expected: str) -> None:
    assert compile_template("t", source).render(DATA) == expected


@pytest.mark.parametrize(("source", "said"), REFUSED)
def test_what_is_wrong_is_named_with_its_line(source: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template("t", source).render(DATA)
    assert str(caught.value) == said


def test_functions_of_the_renderer_are_known_by_name_and_given_with_the_data() -> None:
    template = compile_template("t", '{{ Twice .a.s | printf "%s!" }}', ("Twice",))
    assert template.render(DATA, {"Twice": lambda text: text * 2}) == "hihi!"


def test_a_template_cannot_grow_without_bound() -> None:
    template = compile_template("t", f"{{{{range {MOST_CHARACTERS}}}}}xx{{{{end}}}}")
    with pytest.raises(TemplateError, match="grows past"):
        template.render({})


@pytest.mark.parametrize(
    "more",
    [
        "print $s $s",
        "printf `%s%s` $s $s",
        "printf `%500000s%500000s%500000s%500000s%500000s%500000s%500000s%500000s%500000s` 1 2 3 4 5 6 7 8 9",
        "replace `x` $s $s",
        'print $s "\\n" $s | indent 90000',
        "join $s (list 1 2 3)",
        "list $s $s",
        "dict `a` $s `b` $s",
        "concat (list $s) (list $s) | toJson",
    ],
)
def test_nothing_that_is_made_on_the_way_grows_without_bound(more: str) -> None:
    source = f"{{{{$s := repeat 1000 `x`}}}}{{{{range until 60}}}}{{{{$s = {more}}}}}{{{{end}}}}"
    with pytest.raises(TemplateError, match=r"grows past|comes to more"):
        compile_template("t", source).render({})


def test_a_template_does_not_change_what_it_is_rendered_for() -> None:
    data = {"m": {"a": 1}}
    assert compile_template("t", '{{ $n := set .m "b" 2 }}{{ $n.b }}{{ .m.b }}').render(data) == "2<no value>"
    assert data == {"m": {"a": 1}}
