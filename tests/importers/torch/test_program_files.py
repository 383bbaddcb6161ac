"""Files of torch.export programs, and other torch files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archscope.analysis import analyze
from archscope.build import build
from archscope.errors import OptionError
from archscope.folding.fold import readable
from archscope.sources import imported
from archscope.weights import state_dict_of

SHAPE = (3, 12, 12)


class Net(nn.Module):
    """A network of named parts; `fixed` has the batch in its operators."""

    def __init__(self, fixed: bool = False) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 4)
        self.fixed = fixed

    def forward(self, x: Tensor) -> Tensor:
        x = (1 - self.stem(x)).mean((2, 3))
        return self.head(x.reshape(2, 8) if self.fixed else x)


def saved(module: nn.Module, path: Path, dynamic: bool) -> str:
    shapes = ({0: torch.export.Dim("batch", min=1, max=4096)},) if dynamic else None
    program = torch.export.export(module, (torch.rand(2, *SHAPE),), dynamic_shapes=shapes)
    torch.export.save(program, path)
    return path.as_posix()


@pytest.mark.parametrize("dynamic", [False, True])
def test_programs_are_imported_with_their_weights_and_names(tmp_path: Path, dynamic: bool) -> None:
    module = Net().eval()
    found = imported(saved(module, tmp_path / "net.pt2", dynamic))
    assert found.graph.name == "net" and not found.graph.about
    assert {"stem.0", "stem.1", "head"} <= found.graph.by_name.keys()
    read = readable(found.graph)
    network = build(read.graph).eval()
    network.load_state_dict(state_dict_of(read.graph, found.weights(), read.names))
    images = torch.rand(3, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(network(images), module(images))


def test_a_program_of_one_batch_is_counted_at_it(tmp_path: Path) -> None:
    found = imported(saved(Net(fixed=True).eval(), tmp_path / "net.pt2", False))
    assert "counted at batch 2" in found.graph.about
    assert analyze(found.graph).totals.params == 3 * 8 * 9 + 8 + 16 + 36


def test_files_that_are_no_programs_are_refused(tmp_path: Path) -> None:
    whole = Path(saved(Net().eval(), tmp_path / "net.pt2", False)).read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[:500])
    with pytest.raises(OptionError, match=r"cut.pt2' is not a torch.export program"):
        imported((tmp_path / "cut.pt2").as_posix())
    with pytest.raises(OptionError, match="there is no file"):
        imported((tmp_path / "none.pt2").as_posix())


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.trace(Net().eval(), torch.rand(1, *SHAPE)), path)
    with pytest.raises(OptionError, match=r"a program of TorchScript.*or as \.pt2"):
        imported(path.as_posix())
