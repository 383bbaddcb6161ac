"""Placing, silencing, merging and choosing findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.language import document, graph, zoo
from archscope.language import load as load_graph
from archscope.linter import lint
from archscope.linter.config import Config, codes_of, read
from archscope.linter.noqa import suppressions_in
from archscope.linter.targets import expand, load
from archscope.project import find
from archscope.rules.rule import RULES, Finding

TEXT = """\
input: [16, 28, 28]
blocks:
  wide:
    layers:
      - conv: 96
      - relu
      - conv: 16
layers:
  - {wide: {}, repeat: 2}
  - wide
"""


def findings(text: str, *codes: str, name: str = "net.yaml") -> tuple[Finding, ...]:
    name = document(name, text=text.encode())
    return lint(graph(name), name, Config(select=codes))


def test_findings_of_one_line_are_one_and_name_the_others() -> None:
    first, second = findings(TEXT, "G1")
    assert (first.at.line, second.at.line) == (5, 7)  # type: ignore[union-attr]
    assert first.node == "wide0.conv0" and first.scope == "wide0"
    assert first.others == ("wide1.conv0", "wide2.conv0")
    assert first.evidence["channels"] == (16, 96)


def test_a_finding_in_a_block_of_another_file_stands_where_the_spec_asks_for_it() -> None:
    spec = document("mobilenet_v2")
    places = {
        finding.at.line
        for finding in lint(graph(spec), spec, Config(select=("G1",)))
        if finding.at and finding.at.file == spec.file
    }
    lines = Path(spec.file).read_text(encoding="utf-8").splitlines()
    assert {lines[line - 1].strip() for line in places} >= {"- inverted_residual:"}


def test_without_a_document_findings_stand_at_their_layers() -> None:
    spec = document("mobilenet_v2")
    (finding,) = lint(graph(spec), config=Config(select=("G4",)))
    assert finding.at is None
    assert lint(graph(spec), config=Config(select=("G1",)))[0].at is not None


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("# noqa", 1),
        ("#noqa:G1", 1),
        ("# noqa: G", 1),
        ("# wide on purpose  # NOQA: CHN101, G1", 1),
        ("# noqa: G2", 2),
        ("# noqaG1", 2),
        ("# not a noqa at all", 2),
    ],
)
def test_a_comment_silences_its_line(comment: str, left: int, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TEXT.replace("conv: 96", f"conv: 96  {comment}"), encoding="utf-8")
    name = document(path)
    assert len(lint(graph(name), name, Config(select=("G1",)))) == left


def test_a_comment_where_a_block_is_asked_for_silences_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(TEXT.replace("repeat: 2}", "repeat: 2}  # noqa: G1"), encoding="utf-8")
    name = document(path)
    left = lint(graph(name), name, Config(select=("G1",)))
    assert [(finding.node, finding.others) for finding in left] == [
        ("wide2.conv0", ()),
        ("wide2.conv1", ()),
    ]


def test_a_comment_of_the_file_silences_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"# archscope: noqa: G1\n{TEXT}", encoding="utf-8")
    name = document(path)
    assert not lint(graph(name), name, Config(select=("G1",)))
    child = tmp_path / "child.yaml"
    child.write_text("# archscope: noqa\nextends: mobilenet_v2\n", encoding="utf-8")
    name = document(child)
    assert not lint(graph(name), name)


def test_comments_suppress_codes() -> None:
    text = "a # noqa: G1, G2 CHN\nb\nc # noqa\n# archscope: noqa: UNU"
    name = suppressions_in(text)
    assert name.lines == {1: ("G1", "G2", "CHN"), 3: ("",)}
    assert name.everywhere == ("UNU",)
    assert name.covers("CHN101", 1) and not name.covers("ACT101", 1)


def test_comments_take_names_of_rules() -> None:
    text = "a # noqa: linear-stack, G1\nb # noqa : Linear-Stack\nc # noqa: g2 is wrong here"
    found = suppressions_in(text)
    assert found.covers("ACT104", 1) and found.covers("G1", 1) and not found.covers("G2", 1)
    assert found.covers("ACT104", 2) and not found.covers("G1", 2)
    assert found.covers("G2", 3) and not found.covers("G1", 3)


def test_codes_may_be_families_and_names() -> None:
    assert codes_of(["g1", "CHN", "all", "linear-stack"], "here") == ("G1", "CHN", "", "ACT104")
    with pytest.raises(OptionError, match="no rule is called 'linear-stak', did you mean"):
        codes_of(["linear-stak"], "here")


def test_configuration(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        """
        [tool.archscope.lint]
        select = ["G", "CHN"]
        ignore = ["G4"]
        severity = "info"
        per-file-ignores = {"old_*.yaml" = ["G1"]}
        [tool.archscope.lint.rules.G1]
        limit = 3
        """,
        encoding="utf-8",
    )
    below = tmp_path / "specs"
    below.mkdir()
    assert find(below) == path
    config = read(path)
    assert [rule.code for rule in config.chosen()] == [
        "CHN101",
        "CHN102",
        "CHN103",
        "G1",
        "G2",
        "G3",
    ]
    assert config.rules["G1"].limit == 3.0  # type: ignore[attr-defined]
    assert config.ignored("G1", "specs/old_net.yaml") and not config.ignored("G1", "net.yaml")
    name = document("mobilenet_v2")
    assert not lint(graph(name), name, config)
    own = tmp_path / "archscope.toml"
    own.write_text('[lint]\nselect = ["G2"]\n', encoding="utf-8")
    assert find(below) == own
    assert [rule.code for rule in read(own).chosen()] == ["G2"]


def test_a_section_that_is_no_toml_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.archscope\nlint = 3\n", encoding="utf-8")
    assert find(tmp_path) == path
    with pytest.raises(OptionError, match=r"pyproject\.toml:1:16: not TOML: expected ']'"):
        read(path)
    path.write_text("[tool.archscope-old]\nlint = 3\n", encoding="utf-8")
    assert find(tmp_path) != path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[lint]\nselekt = []", "unknown key 'selekt', did you mean 'select'?"),
        ("[lint]\nselect = 'G1'", "lint.select must be a list of codes, got 'G1'"),
        ("[lint]\nignore = ['G9']", "no rule is called 'G9'"),
        ("[lint]\nseverity = 'bad'", "severity must be one of info, warning, error, got 'bad'"),
        ("[lint.rules.G1]\nlimitt = 1", "unknown threshold 'limitt', did you mean 'limit'?"),
        ("[lint.rules.G1]\nlimit = 'x'", "lint.rules.G1.limit: expected a number, got 'x'"),
        (
            "[lint.rules.G1]\nlimit = nan",
            "limit: expected a finite number of at least 0, got nan",
        ),
        ("[lint.rules.G1]\nlimit = -1", "G1.limit: expected a finite number of at least 0, got -1"),
        ("[lint.rules.CHN101]\nmultiple = 0", "multiple: expected a whole number of at least 1"),
        ("[lint.per-file-ignores]\n'a*' = 'G1'", "per-file-ignores.'a*' must be a list of codes"),
        ("lnt = 3", "unknown key 'lnt', did you mean 'lint'?"),
        ("[tool.archscope.lint]", "unknown key 'tool'; it has lint and plugins"),
        ("a = 1\na = 2\n", "archscope.toml:2:6: not TOML: cannot overwrite a value"),
        ("[lint.rules.G7]\nlimit = 1", "no rule has the code 'G7'"),
        ("[lint.rules.NRM101]\nlimit = 1", "it has none"),
        ("lint = 3", "lint must be a table, got 3"),
        ("lint = {", "not TOML: "),
    ],
)
def test_mistakes_in_the_configuration(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "archscope.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OptionError) as caught:
        read(path)
    assert message in str(caught.value) and str(path) in str(caught.value)


def test_a_folder_stands_for_its_networks(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks/parts.yaml").write_text("blocks: {a: {layers: [relu]}}", encoding="utf-8")
    (tmp_path / "space.yaml").write_text(
        "input: [3, 8, 8]\nlayers:\n  - conv: !choice [8, 16]\n", encoding="utf-8"
    )
    (tmp_path / "net.yaml").write_text("input: [3, 8, 8]\nlayers: [relu]\n", encoding="utf-8")
    assert list(expand([str(tmp_path), "vgg16"])) == [(tmp_path / "net.yaml").as_posix(), "vgg16"]
    with pytest.raises(OptionError, match="no spec in folder"):
        list(expand([str(tmp_path / "blocks")]))


def test_a_spec_that_cannot_be_read_is_kept_as_its_error() -> None:
    assert "is no file" in str(load("vgg17").error)
    assert isinstance(load("vgg16").graph, Graph)


def test_no_rule_raises_on_any_network_of_the_zoo_without_a_document() -> None:
    every = Config(rules={code: cls() for code, cls in RULES.items()})
    for name in zoo():
        lint(load_graph(name), config=every)
