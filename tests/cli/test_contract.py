"""Every command documents itself and refuses unknown input; new files are tested here."""

from __future__ import annotations

import inspect
import shlex

import click
import pytest

from archscope.cli import bench_search, device_profiles
from archscope.cli.shared import app
from archscope.cli.shared.app import FILES, GROUPS, archscope
from tests.cli.conftest import Run

every_command = pytest.mark.parametrize("name", FILES)


WIDTH = 76
"""The longest line of an example that a terminal of 80 columns shows as it is."""


def command_of(name: str) -> click.Command:
    found = archscope.get_command(click.Context(archscope), name)
    assert found is not None
    return found


def examples(page: str) -> list[list[str]]:
    """Return the commands of the examples in a help text, each as words, without what follows."""
    return [
        shlex.split(line.partition(" | ")[0])
        for line in page.replace("\\\n", "").splitlines()
        if line.strip().startswith("archscope ")
    ]


def check_page(name: str, command: click.Command) -> None:
    page = inspect.cleandoc(command.help or "")
    assert page.split("\n")[0].endswith("."), "the first line is a sentence"
    assert command.name == name
    check_width(command)
    shown = examples(page)
    assert name in {words[1] for words in shown}, "a command has an example"
    for words in shown:
        options = options_of(command if words[1] == name else command_of(words[1]))
        used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        assert used <= options, "an example has an option that there is not"


def check_width(command: click.Command) -> None:
    """Check the examples of a command, and of those under it."""
    lines = inspect.cleandoc(command.help or "").partition("Example")[2].splitlines()
    assert max(map(len, lines), default=0) <= WIDTH, "an example is wrapped"
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    alone = len(paragraphs) == 2 and paragraphs[1].startswith("\b")
    assert not alone, "examples are not indented unless another paragraph stands before them"
    for under in getattr(command, "commands", {}).values():
        check_width(under)


def options_of(command: click.Command) -> set[str]:
    return {word for param in command.params for word in (*param.opts, *param.secondary_opts)}


def check_refusal(run: Run, name: str) -> None:
    result = run(name, "--no-such-option")
    assert (result.code, result.out) == (2, "")
    *usage, mistake = result.err.splitlines()
    assert "--no-such-option" in mistake
    assert not any("rror" in line or "Traceback" in line for line in usage)


@every_command
def test_its_page_has_an_example_that_can_be_typed(name: str) -> None:
    check_page(name, command_of(name))
    assert app._module(name).GROUP in GROUPS


@pytest.mark.parametrize("command", [archscope, bench_search.command, device_profiles.group])
def test_examples_of_groups_and_subcommands_are_not_wrapped(command: click.Command) -> None:
    check_width(command)


@every_command
def test_an_unknown_option_is_one_line_and_exit_code_2(run: Run, name: str) -> None:
    check_refusal(run, name)


@every_command
def test_every_option_is_explained(name: str) -> None:
    context = click.Context(command_of(name), show_default=True)
    for param in context.command.params:
        if isinstance(param, click.Option):
            default = param.get_default(context, call=False)
            shown = default is not None and not param.is_flag
            plain = shown and not isinstance(param.type, click.Choice)
            assert param.help or plain, f"{param.opts} has neither help nor a default that says it"


SHARED = {
    "--set": "NAME=VALUE",
    "--input": "SHAPE",
    "--batch": "INTEGER RANGE",
    "--dtype": "CHOICE",
    "--fused": "BOOLEAN",
}
"""The options of every command that takes a SPEC, with the kind of their values."""
SPECS = [
    name
    for name in FILES
    if any(
        isinstance(param, click.Argument) and "SPEC" in f"{param.metavar or param.name}".upper()
        for param in command_of(name).params
    )
]


def kind_of(option: click.Parameter) -> str:
    return option.metavar or option.type.name.upper()


@pytest.mark.parametrize("name", SPECS)
def test_what_takes_a_spec_takes_the_shared_options(name: str) -> None:
    options = {param.opts[0]: param for param in command_of(name).params}
    for word, kind in SHARED.items():
        option = options.get(word)
        assert option is not None, f"{name} has no {word}"
        assert kind_of(option) in (kind, "INTEGER" if word == "--batch" else kind), word


def test_the_commands_that_take_a_spec() -> None:
    assert {"lint", "report", "plot", "draw", "search", "guidelines", "space", "bench"} < {*SPECS}


@pytest.mark.parametrize("name", SPECS)
def test_a_shared_option_that_cannot_be_followed_is_refused_with_a_reason(
    run: Run, name: str
) -> None:
    values = {"--batch": ["2"], "--dtype": ["float16"], "--fused": []}
    for param in command_of(name).params:
        if getattr(param, "hidden", False):
            words = {"plot": ["pareto", "vgg16"], "im2col": ["vgg16", "x"]}.get(name, ["lenet5"])
            option = param.opts[0]
            result = run(name, *words, *required(name), option, *values[option])
            assert (result.code, result.out) == (2, "")
            assert result.err.startswith(f"error: {option}: ")


def required(name: str) -> list[str]:
    """Return what a command takes besides what it is called for."""
    params = command_of(name).params
    options = [p for p in params if p.param_type_name == "option" and p.required]
    return [word for option in options for word in (option.opts[0], "x.onnx")]


@pytest.mark.parametrize(
    "page",
    [
        "Do something",
        "Do something.",
        "Do something.\n\n\b\nExample:\n  archscope analyze x",
        "Do something.\n\n\b\nExample:\n  archscope broken x --fast",
        f"Do something.\n\n\b\nExample:\n  archscope broken {'x' * 60}",
    ],
)
def test_a_broken_page_is_found(page: str) -> None:
    right = click.Command("broken", help="Do something.\n\nExample:\n  archscope broken x")
    check_page("broken", right)
    with pytest.raises(AssertionError):
        check_page("broken", click.Command("broken", help=page))
