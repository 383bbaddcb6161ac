"""Model files of YOLO: published params of each scale and family, and names of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.sources import imported, is_foreign
from tests.importers.files import YOLO

SCALES = {
    "n": [0.33, 0.25, 1024], "s": [0.33, 0.5, 1024], "m": [0.67, 0.75, 768],
    "l": [1.0, 1.0, 512], "x": [1.0, 1.25, 512],
}  # fmt: skip
DEEP = {"n": [0.5, 0.25, 1024], "s": [0.5, 0.5, 1024], "m": [0.5, 1.0, 512],
        "l": [1.0, 1.0, 512], "x": [1.0, 1.5, 512]}  # fmt: skip
Rows = list[list[object]]


def up() -> list[object]:
    return [-1, 1, "nn.Upsample", ["None", 2, "nearest"]]


def pyramid(block: Callable[[int], list[object]], down: str, ends: tuple[int, int, int]) -> Rows:
    """Return the path up and down again, which joins the layers of three sizes."""
    small, middle, large = ends
    first = large + 3
    return [
        up(), [[-1, middle], 1, "Concat", [1]], block(512),
        up(), [[-1, small], 1, "Concat", [1]], block(256),
        [-1, 1, "Conv", [256, 3, 2]], [[-1, first], 1, "Concat", [1]], block(512),
        [-1, 1, down, [512, 3, 2]], [[-1, large], 1, "Concat", [1]],
    ]  # fmt: skip


def levels(large: int) -> list[int]:
    return [large + 6, large + 9, large + 12]


def v8(end: list[object]) -> tuple[Rows, Rows]:
    backbone: Rows = [[-1, 1, "Conv", [64, 3, 2]]]
    for wide, number in ((128, 3), (256, 6), (512, 6), (1024, 3)):
        backbone += [[-1, 1, "Conv", [wide, 3, 2]], [-1, number, "C2f", [wide, True]]]
    backbone.append([-1, 1, "SPPF", [1024, 5]])
    if end[0] == "Classify":
        return backbone[:-1], [[-1, 1, *end]]
    head = pyramid(lambda wide: [-1, 3, "C2f", [wide]], "Conv", (4, 6, 9))
    return backbone, [*head, [-1, 3, "C2f", [1024]], [levels(9), 1, *end]]


def v11() -> tuple[Rows, Rows]:
    backbone: Rows = [[-1, 1, "Conv", [64, 3, 2]]]
    for wide, out, more in ((128, 256, [False, 0.25]), (256, 512, [False, 0.25]),
                            (512, 512, [True]), (1024, 1024, [True])):  # fmt: skip
        backbone += [[-1, 1, "Conv", [wide, 3, 2]], [-1, 2, "C3k2", [out, *more]]]
    backbone += [[-1, 1, "SPPF", [1024, 5]], [-1, 2, "C2PSA", [1024]]]
    head = pyramid(lambda wide: [-1, 2, "C3k2", [wide, False]], "Conv", (4, 6, 10))
    head += [[-1, 2, "C3k2", [1024, True]], [levels(10), 1, "Detect", ["nc"]]]
    return backbone, head


def v10() -> tuple[Rows, Rows]:
    backbone: Rows = [[-1, 1, "Conv", [64, 3, 2]]]
    for wide, number in ((128, 3), (256, 6), (512, 6), (1024, 3)):
        down = "Conv" if wide < 512 else "SCDown"
        backbone += [[-1, 1, down, [wide, 3, 2]], [-1, number, "C2f", [wide, True]]]
    backbone += [[-1, 1, "SPPF", [1024, 5]], [-1, 1, "PSA", [1024]]]
    head = pyramid(lambda wide: [-1, 3, "C2f", [wide]], "SCDown", (4, 6, 10))
    head += [[-1, 3, "C2fCIB", [1024, True, True]], [levels(10), 1, "v10Detect", ["nc"]]]
    return backbone, head


def v9c() -> tuple[Rows, Rows]:
    def elan(out: int, wide: int, thin: int) -> list[object]:
        return [-1, 1, "RepNCSPELAN4", [out, wide, thin, 1]]

    backbone: Rows = [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]]]
    for sizes in ((256, 128, 64), (512, 256, 128), (512, 512, 256), (512, 512, 256)):
        backbone += [elan(*sizes), [-1, 1, "ADown", [min(2 * sizes[1], 512)]]]
    backbone[-1] = [-1, 1, "SPPELAN", [512, 256]]
    head = pyramid(lambda wide: elan(wide, wide, wide // 2), "ADown", (4, 6, 9))
    head = [[r[0], r[1], "ADown", [r[3][0]]] if r[2] in ("Conv", "ADown") else r for r in head]  # type: ignore[index]
    return backbone, [*head, elan(512, 512, 256), [levels(9), 1, "Detect", ["nc"]]]


def v5(classes: int) -> tuple[Rows, Rows]:
    backbone: Rows = [[-1, 1, "Conv", [64, 6, 2, 2]]]
    for wide, number in ((128, 3), (256, 6), (512, 9), (1024, 3)):
        backbone += [[-1, 1, "Conv", [wide, 3, 2]], [-1, number, "C3", [wide]]]
    backbone.append([-1, 1, "SPPF", [1024, 5]])
    head: Rows = []
    for wide, other in ((512, 6), (256, 4)):
        head += [[-1, 1, "Conv", [wide, 1, 1]], up(), [[-1, other], 1, "Concat", [1]],
                 [-1, 3, "C3", [wide, False]]]  # fmt: skip
    for wide, other in ((256, 14), (512, 10)):
        head += [[-1, 1, "Conv", [wide, 3, 2]], [[-1, other], 1, "Concat", [1]],
                 [-1, 3, "C3", [2 * wide, False]]]  # fmt: skip
    return backbone, [*head, [[17, 20, 23], 1, "Detect", ["nc", "anchors"]]]


def saved(where: Path, name: str, rows: tuple[Rows, Rows], **more: object) -> str:
    content = {"nc": 80, **more, "backbone": rows[0], "head": rows[1]}
    (where / name).write_text(yaml.safe_dump(content, sort_keys=False))
    return str(where / name)


def params(source: str) -> int:
    return archscope.analyze(imported(source).graph).totals.params


@pytest.mark.parametrize(
    ("scale", "published"),
    [("n", 3_157_184), ("s", 11_166_544), ("m", 25_902_624), ("l", 43_691_504), ("x", 68_229_632)],
)
def test_yolov8(scale: str, published: int, tmp_path: Path) -> None:
    saved(tmp_path, "yolov8.yaml", v8(["Detect", ["nc"]]), scales=SCALES)
    assert params(str(tmp_path / f"yolov8{scale}.yaml")) == published  # those with gradients


@pytest.mark.parametrize(
    ("task", "end", "classes", "published"),
    [
        ("seg", ["Segment", ["nc", 32, 256]], 80, 3_409_952),
        ("pose", ["Pose", ["nc", [17, 3]]], 1, 3_295_454),
        ("cls", ["Classify", ["nc"]], 1000, 2_719_288),
    ],
)
def test_tasks(task: str, end: list[object], classes: int, published: int, tmp_path: Path) -> None:
    saved(tmp_path, f"yolov8-{task}.yaml", v8(end), scales=SCALES, nc=classes)
    source = str(tmp_path / f"yolov8n-{task}.yaml")
    assert params(source) == published
    assert imported(source).graph.name == f"yolov8n_{task}"


@pytest.mark.parametrize(
    ("scale", "published"),
    [("n", 2_624_064), ("s", 9_458_736), ("m", 20_114_672), ("l", 25_372_144), ("x", 56_966_160)],
)
def test_yolo11(scale: str, published: int, tmp_path: Path) -> None:
    saved(tmp_path, "yolo11.yaml", v11(), scales=DEEP)
    assert params(str(tmp_path / f"yolo11{scale}.yaml")) == published


def test_other_families(tmp_path: Path) -> None:
    assert params(saved(tmp_path, "yolov9c.yaml", v9c())) == 25_590_896
    source = saved(tmp_path, "yolov10n.yaml", v10(), scales={"n": SCALES["n"]})
    assert round(params(source) / 1e6, 1) == 2.3
    assert (
        "the one-to-many head, which only training uses, is left out"
        in imported(source).graph.about
    )
    anchors = [[1, 2, 3, 4, 5, 6]] * 3
    for scale, published in (("n", 1_872_157), ("s", 7_235_389), ("x", 86_749_405)):
        depth, width = {"n": (0.33, 0.25), "s": (0.33, 0.5), "x": (1.33, 1.25)}[scale]
        source = saved(tmp_path, f"yolov5{scale}.yaml", v5(80), anchors=anchors,
                       depth_multiple=depth, width_multiple=width)  # fmt: skip
        assert params(source) == published


def test_the_first_scale_is_taken_where_the_name_has_none(tmp_path: Path) -> None:
    source = saved(tmp_path, "yolov8.yaml", v8(["Detect", ["nc"]]), scales=SCALES)
    assert params(source) == 3_157_184
    assert "scale n, the first of the file" in imported(source).graph.about
    with pytest.raises(ArchscopeError, match="has no scale 'b', it has n, s, m, l, x"):
        imported(str(tmp_path / "yolov8b.yaml"))


def test_specs_are_no_model_files(tmp_path: Path) -> None:
    assert not is_foreign("specs/vgg16.yaml")
    (tmp_path / "a.yaml").write_text("name: a\ninput: [3, 8, 8]\nlayers: [relu]\n")
    assert not is_foreign(str(tmp_path / "a.yaml"))
    (tmp_path / "b.yaml").write_text("name: b\nblocks:\n  backbone: {layers: [relu]}\n  head:\n")
    assert not is_foreign(str(tmp_path / "b.yaml"))
    assert is_foreign(saved(tmp_path, "c.yaml", v8(["Detect", ["nc"]])))


class Conv(nn.Sequential):
    """A convolution as the authors' code has it, for a network to compare with."""

    def __init__(self, c1: int, c2: int, k: int = 1, s: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, k, s, k // 2, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=0.001)
        self.act = nn.SiLU()


def test_names_and_outputs_are_those_of_the_modules(tmp_path: Path) -> None:
    rows: Rows = [[-1, 1, "Conv", [8, 3, 2]], [-1, 2, "C2f", [8, True]]]
    source = saved(tmp_path, "net.yaml", (rows, [[-1, 1, "SPPF", [8, 5]]]))
    graph = imported(source, (3, 32, 32)).graph
    network = build(graph).eval()
    state = network.state_dict()
    modules = nn.ModuleDict({
        "a": Conv(3, 8, 3, 2), "b": Conv(8, 8), "c": Conv(16, 8), "d": Conv(8, 4), "e": Conv(16, 8),
        **{f"m{i}{j}": Conv(4, 4, 3) for i in "01" for j in "12"},
    }).eval()  # fmt: skip
    places = {"a": "model.0", "b": "model.1.cv1", "c": "model.1.cv2", "d": "model.2.cv1"}
    places |= {"e": "model.2.cv2"}
    places |= {f"m{i}{j}": f"model.1.m.{i}.cv{j}" for i in "01" for j in "12"}
    by_node = {node.name: node for node in graph.nodes}
    for name, place in places.items():
        for part in ("conv", "bn"):
            assert f"{place}.{part}" in by_node
            prefix = module_path(f"{place}.{part}")
            own = {k[len(prefix) + 1 :]: v for k, v in state.items() if k.startswith(f"{prefix}.")}
            modules[name].get_submodule(part).load_state_dict(own)
    x = torch.randn(1, 3, 32, 32)
    m = {name: modules[name] for name in places}
    y = [*m["b"](m["a"](x)).chunk(2, 1)]
    for i in "01":
        y.append(y[-1] + m[f"m{i}2"](m[f"m{i}1"](y[-1])))
    z = [m["d"](m["c"](torch.cat(y, 1)))]
    for _ in range(3):
        z.append(nn.functional.max_pool2d(z[-1], 5, 1, 2))
    assert torch.allclose(network(x), m["e"](torch.cat(z, 1)), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("3, C3, [32]", "3, C3, [many]"), "net.yaml:8:1: the channels of C3 must be a whole"),
        (("3, C3,", "1000000, C3,"), "repeats must be a whole number from 1 to 1000"),
        (("3, C3,", "3, C33,"), "unknown module 'C33', did you mean 'C3'"),
        (("[-1, 0]", "[-1, 90]"), "reads layer 90, which is not one of the 5 before it"),
        (("[-1, 0]", "[-1, 6]"), "reads layer 6, which is not one of the 5 before it"),
        (("[32, False]", "[32, 1, 2, 3, 4, 5, 6, 7, 8]"), "C3 does not take the arguments"),
        (("[16, 3, 2]", "[16, three, 2]"), "Conv does not take the arguments"),
        (("[32, False]", "[32, x, 1, {}]"), "C3 does not take the arguments"),
        (("[32, False]", "[32, x, {}, 2.5]"), "'groups' of 'conv' must be a whole number"),
        (("LeakyReLU(0.1)", "Fancy()"), "unknown activation"),
        (("nc: 4", "nc: four"), "'nc' must be a whole number"),
        (("width_multiple: 0.5", "width_multiple: 0"), "2 or 3 numbers above 0"),
        (("[-1, 1, Conv, [16, 3, 2]]", "[-1, 1, Conv]"), "expected .from, repeats, module, args."),
        (("[6, 3], 1, Detect", "[6, 7], 1, Detect"), "reads layer 7"),
    ],
)
def test_errors(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    assert change[0] in YOLO
    (tmp_path / "net.yaml").write_text(YOLO.replace(*change, 1))
    with pytest.raises(ArchscopeError, match=said):
        imported(str(tmp_path / "net.yaml"))


def load(where: Path, text: str) -> Graph:
    (where / "net.yaml").write_text(text)
    return imported(str(where / "net.yaml")).graph


def test_aliases_and_depth_cost_nothing(tmp_path: Path) -> None:
    deep = "a: " + "[" * 5000 + "]" * 5000 + "\n"
    assert load(tmp_path, deep + YOLO).nodes
    laughs = "a0: &a0 [1, 2]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
    )
    assert load(tmp_path, laughs + YOLO).nodes
    for args in ("*a11", "[32, 1, *a11]", "[32, 1, 1, *a11]"):
        with pytest.raises(ArchscopeError) as caught:
            load(tmp_path, laughs + YOLO.replace("3, C3, [32]", f"3, C3, {args}"))
        assert len(str(caught.value)) < 500
