"""Python source of a network: alone with torch it is the network, and it reads like one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from torch import Tensor, nn

from archscope import load
from archscope.build import build
from archscope.exporters.source.module_text import write
from archscope.ir import Example, Graph, Output
from archscope.ops import OPS
from tests.nets import Net, chain
from tests.strategies import graphs

ZOO = sorted(path.stem for path in (Path(__file__).parents[2] / "specs").glob("*.yaml"))
CASES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, op in sorted(OPS.items())
    if name != "input"
    for number, example in enumerate(op.examples())
]
BLOCKS = ["", "a.", "a.b.", "c0.", "c1.", "c1.d."]


def space_of(text: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec"), space)
    return space


def module_of(graph: Graph) -> nn.Module:
    """Return the module that a graph's source describes, with weights of its own."""
    space = space_of(write(graph))
    module: nn.Module = space[space["__all__"][0]]()
    return module


def lively(graph: Graph) -> nn.Module:
    """Return a network in eval mode whose batch norms are not at their start."""
    torch.manual_seed(0)
    network = build(graph).eval()
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            value.uniform_(0.5, 1.5)
    return network


def same(graph: Graph, *, training: bool = False, positive: bool = False) -> None:
    """Hold a graph's source to its network: names of weights, and outputs to the last bit."""
    network, module = lively(graph), module_of(graph)
    module.load_state_dict(network.state_dict(), strict=True)
    results: list[dict[str, Tensor]] = []
    for one in (network, module):
        torch.manual_seed(1)
        inputs = [torch.randn(2, *node.out) for node in graph.inputs]
        if positive:
            inputs = [value.abs() + 0.1 for value in inputs]
        with torch.no_grad():
            out = one.train(training)(*inputs)
        results.append(out if isinstance(out, dict) else {"": out})
    assert list(results[0]) == list(results[1])
    for name, value in results[0].items():
        assert torch.equal(value, results[1][name])


@pytest.mark.parametrize("case", CASES)
def test_every_operator(case: Example) -> None:
    net = Net(**{f"x{number}": shape for number, shape in enumerate(case.ins)})
    net.builder.add("part", case.op, tuple(f"x{number}" for number in range(len(case.ins))))
    same(net.graph(), positive=case.positive)


@pytest.mark.parametrize("case", CASES)
def test_every_operator_in_a_block_behind_another(case: Example) -> None:
    """The value before is read once more, so nothing may work over it."""
    net = Net(**{f"x{number}": shape for number, shape in enumerate(case.ins)})
    before = [
        net("mul_scalar", f"x{n}", name=f"times{n}", factor=2.0) for n in range(len(case.ins))
    ]
    net.builder.add("block.part", case.op, tuple(before))
    net("identity", before[0], name="block.kept")
    same(net.graph("block.part", Output("kept", before[0])), positive=case.positive)


@settings(max_examples=100, deadline=None)
@given(
    graphs(), st.lists(st.sampled_from(["", "a.", "a.b.", "c0.", "c1.", "c1.d."])), st.booleans()
)
def test_random_networks_in_random_blocks(graph: Graph, blocks: list[str], training: bool) -> None:
    """Blocks may be woven into one another, share weights with others, and repeat."""
    near = 2 * len(graph.nodes)
    names = {
        node.name: (blocks * near)[place // 2] + node.name if blocks else node.name
        for place, node in enumerate(graph.nodes)
        if node.inputs
    }
    nodes = tuple(
        structs.replace(
            node,
            name=names.get(node.name, node.name),
            inputs=tuple(names.get(name, name) for name in node.inputs),
            shares=node.shares and names[node.shares],
        )
        for node in graph.nodes
    )
    outputs = tuple(structs.replace(o, node=names.get(o.node, o.node)) for o in graph.outputs)
    same(structs.replace(graph, nodes=nodes, outputs=outputs), training=training)


@pytest.mark.parametrize("name", ZOO)
def test_zoo_has_the_same_weights(name: str) -> None:
    graph = load(name)
    with torch.device("meta"):
        module, network = module_of(graph), build(graph)
    shapes = [(key, value.shape) for key, value in network.state_dict().items()]
    assert [(key, value.shape) for key, value in module.state_dict().items()] == shapes


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("lenet5", None),
        ("siamese", None),
        ("multitask", None),
        ("resnet18", 32),
        ("densenet_bc_100_12_cifar10", None),
        ("shufflenet_v2_x0_5", 64),
        ("mobilenet_v3_small", 64),
        ("convnext_tiny", 32),
        ("squeezenet1_1", 64),
        ("inception_v4", 139),
        ("hard_attention_cifar10", None),
        ("cbam_resnet50", 64),
        ("attention56", 64),
    ],
)
def test_zoo_computes_the_same(name: str, size: int | None) -> None:
    same(load(name) if size is None else load(name, input=(3, size, size)))


def test_heads_for_training_run_only_while_training() -> None:
    graph = load("googlenet")
    module = module_of(graph)
    ran: list[str] = []
    for name in ("auxiliary0", "auxiliary1"):
        module.get_submodule(name).register_forward_hook(lambda *_: ran.append("head"))
    x = torch.rand(1, 3, 224, 224)
    assert isinstance(module.eval()(x), Tensor) and not ran
    assert list(module.train()(x)) == ["aux1", "aux2", "output"] and len(ran) == 2
    same(graph, training=True)


def test_everything_is_formatted_and_clean(tmp_path: Path) -> None:
    for name in ZOO:
        (tmp_path / f"{name}.py").write_text(write(load(name)), encoding="utf-8")
    for word in ("add", "mul", "concat"):
        net = Net(x=(3, 8, 8))
        branches = [net("conv", "x", name=f"a_rather_long_name{n}", out=3) for n in range(9)]
        total = net("relu", net(word, *branches))
        (tmp_path / f"{word}.py").write_text(write(net.graph(total)), encoding="utf-8")
    (tmp_path / "ruff.toml").write_text(
        "line-length = 100\n[lint]\nselect = ['E', 'F', 'W', 'I', 'B', 'N', 'UP', 'SIM', 'RET']\n"
    )
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", "."],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny", "hard_attention_cifar10"])
def test_source_imports_nothing_but_torch(name: str) -> None:
    found = set()
    for node in ast.walk(ast.parse(write(load(name)))):
        if isinstance(node, ast.Import):
            found |= {entry.name for entry in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module))
    standard = {one for one in found if one in sys.stdlib_module_names}
    assert found - standard <= {"torch", "torch.nn"}


def test_source_runs_where_archscope_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(write(load("shufflenet_v2_x0_5")), encoding="utf-8")
    code = (
        "import sys; sys.modules['archscope'] = None; sys.path.insert(0, sys.argv[1]);"
        "import torch, net; out = net.ShufflenetV2X05()(torch.rand(2, 3, 64, 64));"
        "print(tuple(out.shape))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(2, 1000)\n"


def classes_of(text: str) -> dict[str, str]:
    """Return the source of each class by name."""
    tree = ast.parse(text)
    return {n.name: ast.unparse(n) for n in tree.body if isinstance(n, ast.ClassDef)}


def test_equal_blocks_are_one_class_and_a_loop() -> None:
    found = classes_of(write(load("resnet50")))
    assert list(found) == [
        "ConvBn", "ConvBnRelu", "Stem", "Shortcut", "Bottleneck", "Bottleneck2", "Stage",
        "Classifier", "Resnet50",
    ]  # fmt: skip
    assert "for i in range(bottlenecks):" in found["Stage"]
    assert "self.stage2 = Stage(512, 256, 5, stride=2)" in found["Resnet50"]
    assert "4 * out_channels" in found["Bottleneck"]
    assert "forward" not in found["ConvBnRelu"], "layers in a row need no forward"
    assert "return self.relu(y + x)" in found["Bottleneck"]


def test_source_grows_with_kinds_of_blocks_not_with_their_number() -> None:
    lines = {name: len(write(load(name)).splitlines()) for name in ("resnet50", "resnet152")}
    assert lines["resnet152"] == lines["resnet50"]


def test_channels_that_grow_evenly_are_a_formula() -> None:
    found = classes_of(write(load("densenet121")))
    assert "DenseLayer(num_features + i * 32)" in found["DenseBlock"]


def test_docstring_tells_the_facts() -> None:
    text = ast.get_docstring(ast.parse(write(load("googlenet"))))
    assert text is not None and text.startswith("googlenet: Going deeper with convolutions")
    assert "3x224x224" in text
    assert "6,998,552 (13,378,280 with the heads that serve only training)" in text
    assert "1,582,671,872" in text


def test_a_block_that_shares_all_weights_is_called_again() -> None:
    found = classes_of(write(load("siamese")))
    assert found["Siamese"].count("self.a(") == 2 and "B" not in found


def test_blocks_that_share_some_weights_are_taken_apart() -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name="a.conv", out=3)
    two = net("batchnorm", one, name="a.batchnorm")
    three = net("conv", two, name="b.conv", out=3, shares=one)
    four = net("batchnorm", three, name="b.batchnorm")  # its own
    same(net.graph(net("add", two, four)))


def test_a_layer_that_is_used_twice_in_its_block() -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name="a.conv0", out=3)
    two = net("conv", one, name="a.conv1", out=3, shares=one)
    same(net.graph(net("relu", two)))


def test_blocks_that_are_woven_into_one_another() -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name="a.conv0", out=3)
    two = net("conv", one, name="b.conv0", out=3)
    three = net("conv", two, name="a.conv1", out=3)
    same(net.graph(net("conv", three, name="b.conv1", out=2)))


def test_a_block_with_two_results() -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name="a.conv0", out=3)
    two = net("conv", one, name="a.conv1", out=3)
    last = net("mul", net("relu", one), net("sigmoid", two))
    same(net.graph(last))
    same(net.graph(Output("one", one), Output("two", two), Output("last", last)))


def test_a_block_with_two_inputs() -> None:
    net = Net(left=(3, 8, 8), right=(3, 8, 8))
    one = net("conv", "left", name="a.conv0", out=3)
    two = net("conv", "right", name="a.conv1", out=3)
    same(net.graph(net("add", one, two, name="a.add")))


def test_sums_and_products_keep_their_brackets() -> None:
    net = Net(x=(3, 8, 8), y=(3, 8, 8))
    total = net("add", "x", "y", name="total")
    gated = net("mul", total, net("sigmoid", "x", name="gate"), name="gated")
    again = net("add", net("add", gated, "x", name="one"), "y", name="two")
    same(net.graph(net("mul", again, "y", name="three")))


@pytest.mark.parametrize("word", ["add", "mul", "concat"])
def test_long_sums(word: str) -> None:
    net = Net(x=(3, 8, 8))
    branches = [net("conv", "x", name=f"a_rather_long_name{n}", out=3) for n in range(9)]
    same(net.graph(net("relu", net(word, *branches))))


def test_a_value_that_nobody_reads() -> None:
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="a.unread", out=5)
    same(net.graph(net("conv", "x", name="a.read", out=3)))


def test_an_output_in_the_middle_and_the_input_itself() -> None:
    net = Net(x=(3, 8, 8))
    middle = net("conv", "x", name="middle", out=3)
    net("relu", middle, name="last")
    same(net.graph("x", "middle", "last", Output("again", "middle")))


@pytest.mark.parametrize(
    "name",
    ["forward", "half", "append", "pop", "class", "None", "0", "é", "torch", "self", "x", "Tensor"],
)
def test_names_that_mean_something_else(name: str) -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", name=f"{name}.{name}", out=3)
    two = net("sigmoid", net("conv", one, name=f"block.{name}", out=3), name="block.gate")
    same(net.graph(net("mul", one, two)))


@pytest.mark.parametrize("name", ["3d net", "net-v2.1", 'say "hi"\\', "nn", "Tensor", "å"])
def test_names_of_networks(name: str) -> None:
    graph = chain(("conv", {"out": 3}), ("relu", {}), x=(3, 8, 8))
    same(structs.replace(graph, name=name, about='About "this" \\ """quoted"""'))


def test_numbers_of_blocks_that_skip_or_start_late() -> None:
    net = Net(x=(3, 8, 8))
    last = "x"
    for number in (1, 2, 4, 5, 6, 10):
        last = net("conv", last, name=f"unit{number}.conv", out=3)
        last = net("relu", last, name=f"unit{number}.relu")
    text = write(net.graph())
    assert "for i in range(3):" in text and 'f"unit{i + 4}"' in text
    same(net.graph())


def test_parts_that_are_numbered_only_are_torch_s_own_sequence() -> None:
    net = Net(x=(3, 8, 8))
    last = "x"
    for number in range(3):
        last = net("conv", last, name=f"features.{number}.0", out=3)
        last = net("relu", last, name=f"features.{number}.1")
    last = net("sigmoid", net("conv", last, name="head.0", out=4), name="head.2")
    found = classes_of(write(net.graph()))
    assert "super().__init__(nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True))" in found["FeaturesPart"]
    assert "super().__init__(*(FeaturesPart() for _ in range(3)))" in found["Features"]
    assert "self.add_module('2', nn.Sigmoid())" in found["Head"], "1 is missing"
    same(net.graph())


def test_the_manual_shows_what_is_written() -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    section = page.partition("## Python source\n")[2]
    shown = section.partition("```python\n")[2].partition("```")[0].strip().split("\n\n\n")
    text = write(load("resnet50"))
    assert len(shown) == 3 and all(block in text for block in shown)
    assert f"nine classes on {len(text.splitlines())} lines" in page
    assert text.count("\nclass ") == 9
