"""One operator of torch at a time: the same macs and output, or listed as not recognised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.analysis import analyze
from archscope.build import build
from archscope.folding.fold import readable
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of
from tests.importers.torch.test_modules import flops
from tests.zoo.oracle import randomise


class Form(nn.Module):
    """A function of an input and of modules."""

    def __init__(self, function: Callable[..., Tensor], *parts: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parts)


def alias_in_place(x: Tensor) -> Tensor:
    y = functional.relu(x)
    z = y
    z += 1
    return y + z


def part_in_place(x: Tensor) -> Tensor:
    a, b = (x * 2).chunk(2, 1)
    a.relu_()
    return torch.cat([a, b], 1)


def part_read_again(x: Tensor) -> Tensor:
    y = x * 2
    y.chunk(2, 1)[0].relu_()
    return y


def view_read_again(x: Tensor) -> Tensor:
    y = x * 2
    view = y.view(y.shape[0], -1)
    y.relu_()
    return view


FORMS = {
    "reflect": Form(lambda x, c: c(x), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")),
    "circular": Form(lambda x, c: c(x), nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular")),
    "replicate": Form(lambda x, c: c(x), nn.Conv2d(4, 4, 3, padding=1, padding_mode="replicate")),
    "zeropad": Form(lambda x, c: c(functional.pad(x, (0, 1, 2, 0))), nn.Conv2d(4, 4, 3)),
    "negpad": Form(lambda x: functional.pad(x, (-1, 1, 0, 0))),
    "chpad": Form(lambda x: functional.pad(x, (0, 0, 0, 0, 1, 1))),
    "valpad": Form(lambda x: functional.pad(x, (1, 1, 1, 1), value=3.0)),
    "avgdiv": Form(lambda x: functional.avg_pool2d(x, 2, divisor_override=3)),
    "avgceil": Form(
        lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
    ),
    "avgceil2": Form(lambda x: functional.avg_pool2d(x, 3, 2, 1, ceil_mode=True)),
    "avgrect": Form(lambda x: functional.avg_pool2d(x, (2, 3), (1, 2), (1, 1))),
    "maxidx": Form(lambda x: functional.max_pool2d(x, 2, return_indices=True)[0]),
    "maxdil": Form(lambda x: functional.max_pool2d(x, 2, 1, dilation=2, ceil_mode=True)),
    "adapt": Form(lambda x: functional.adaptive_avg_pool2d(x, (3, 4))),
    "adaptnone": Form(lambda x: functional.adaptive_avg_pool2d(x, (None, 1))),
    "adaptmax": Form(lambda x: functional.adaptive_max_pool2d(x, 3)),
    "adaptmax1": Form(lambda x: functional.adaptive_max_pool2d(x, 1)),
    "bicubic": Form(lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic")),
    "bilinear": Form(lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear")),
    "bilalign": Form(
        lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    ),
    "biloff": Form(lambda x: functional.interpolate(x, scale_factor=1.3, mode="bilinear")),
    "nearestoff": Form(lambda x: functional.interpolate(x, scale_factor=1.3)),
    "antialias": Form(
        lambda x: functional.interpolate(x, size=(3, 3), mode="bilinear", antialias=True)
    ),
    "nearexact": Form(lambda x: functional.interpolate(x, size=(5, 5), mode="nearest-exact")),
    "area": Form(lambda x: functional.interpolate(x, size=(3, 3), mode="area")),
    "bnbatch": Form(lambda x, b: b(x), nn.BatchNorm2d(4, track_running_stats=False)),
    "bnmom": Form(lambda x, b: b(x), nn.BatchNorm2d(4, momentum=None)),
    "bnaff": Form(lambda x, b: b(x), nn.BatchNorm2d(4, affine=False, eps=1e-3)),
    "insttrack": Form(lambda x, b: b(x), nn.InstanceNorm2d(4, track_running_stats=True)),
    "inst": Form(lambda x, b: b(x), nn.InstanceNorm2d(4)),
    "lnchw": Form(lambda x, b: b(x), nn.LayerNorm([4, 6, 8])),
    "lnw": Form(lambda x, b: b(x), nn.LayerNorm(8)),
    "gnna": Form(lambda x, b: b(x), nn.GroupNorm(2, 4, affine=False)),
    "rms": Form(lambda x, b: b(x), nn.RMSNorm(8)),
    "lrn": Form(lambda x, b: b(x), nn.LocalResponseNorm(3)),
    "drop1": Form(lambda x, b: b(x), nn.Dropout(1.0)),
    "drop2d": Form(lambda x, b: b(x), nn.Dropout2d(0.2)),
    "alpha": Form(lambda x, b: b(x), nn.AlphaDropout(0.2)),
    "step": Form(lambda x: x[:, ::2]),
    "last": Form(lambda x: x[:, -1]),
    "lastkeep": Form(lambda x: x[:, -2:]),
    "crop": Form(lambda x: x[..., 1:-1]),
    "crop2": Form(lambda x: x[:, 1:3, 2:]),
    "roll": Form(lambda x: torch.roll(x, 1, 2)),
    "flip": Form(lambda x: x.flip(3)),
    "meanc": Form(lambda x: x.mean(1, keepdim=True)),
    "meanw": Form(lambda x: x.mean(3)),
    "meanall": Form(lambda x: x.mean()),
    "mean23": Form(lambda x: x.mean((-1, -2), keepdim=True)),
    "mean32": Form(lambda x: x.mean((3, 2))),
    "meanchw": Form(lambda x: x.mean((1, 2, 3))),
    "sum": Form(lambda x: x.sum((2, 3))),
    "amax": Form(lambda x: x.amax((2, 3))),
    "maxd": Form(lambda x: x.max(1)[0]),
    "max1": Form(lambda x: x.max(1)[1].float()),
    "split": Form(lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1)),
    "splitw": Form(lambda x: torch.cat(x.split([3, 5], 3)[::-1], 3)),
    "catw": Form(lambda x: torch.cat([x, x], 2)),
    "catself": Form(lambda x: torch.cat([x, x], 1)),
    "stack": Form(lambda x: torch.stack([x, x], 1)),
    "stackflat": Form(lambda x: torch.stack([x, x], 1).flatten(1, 2)),
    "sq": Form(lambda x: x**2),
    "xx": Form(lambda x: x * x),
    "xdx": Form(lambda x: x / (x + 1)),
    "rec": Form(lambda x: 1 / (x + 1)),
    "rsub": Form(lambda x: 1 - x),
    "neg": Form(lambda x: -x),
    "addc": Form(lambda x: x + 1),
    "mulc": Form(lambda x: x * 0.5),
    "divc": Form(lambda x: x / 3),
    "rdiv": Form(lambda x: 3 / (x + 1)),
    "alpha_add": Form(lambda x: torch.add(x, x, alpha=2)),
    "sub": Form(lambda x: x - x.mean((2, 3), keepdim=True)),
    "bcast": Form(lambda x: x + x.mean((2, 3), keepdim=True)),
    "bcastmul": Form(lambda x: x * x.mean((2, 3), keepdim=True)),
    "bcastmul1": Form(lambda x: x * x.mean(1, keepdim=True)),
    "bcastadd1": Form(lambda x: x.mean(1, keepdim=True) + x),
    "relu6": Form(lambda x: functional.relu6(x)),
    "hardtanh": Form(lambda x: functional.hardtanh(x)),
    "clamp": Form(lambda x: x.clamp(0, 6)),
    "clampmin": Form(lambda x: x.clamp(min=0)),
    "leaky": Form(lambda x: functional.leaky_relu(x)),
    "elu": Form(lambda x: functional.elu(x, 0.5)),
    "gelutanh": Form(lambda x: functional.gelu(x, approximate="tanh")),
    "mish": Form(lambda x: functional.mish(x)),
    "softplus2": Form(lambda x: functional.softplus(x, 2)),
    "softsign": Form(lambda x: functional.softsign(x)),
    "softmaxw": Form(lambda x: x.softmax(-1)),
    "softmaxc": Form(lambda x: x.softmax(1)),
    "softmax-3": Form(lambda x: x.softmax(-3)),
    "logsm": Form(lambda x: x.log_softmax(1)),
    "hsw": Form(lambda x: x * functional.relu6(x + 3) / 6),
    "sig": Form(lambda x: torch.sigmoid(x)),
    "glu": Form(lambda x: functional.glu(x, 1)),
    "prelu1": Form(lambda x, p: p(x), nn.PReLU()),
    "norm": Form(lambda x: functional.normalize(x, dim=1)),
    "norm2": Form(lambda x: functional.normalize(x.flatten(1))),
    "flat2": Form(lambda x: x.flatten(2)),
    "flat12": Form(lambda x: x.flatten(1, 2)),
    "view": Form(lambda x: x.view(x.shape[0], 2, 2, 6, 8)),
    "viewc": Form(lambda x: x.reshape(x.shape[0], -1)),
    "squeeze": Form(lambda x: x.mean((2, 3), keepdim=True).squeeze(-1).squeeze(-1)),
    "unsq": Form(lambda x: x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1) * x),
    "none": Form(lambda x: x.mean((2, 3))[:, :, None, None] * x),
    "transpose": Form(lambda x: x.transpose(2, 3)),
    "T": Form(lambda x: x.mT),
    "foldbatch": Form(
        lambda x, c: c(x.reshape(-1, 1, 6, 8)).reshape(x.shape[0], -1), nn.Conv2d(1, 2, 3)
    ),
    "linw": Form(lambda x, c: c(x), nn.Linear(8, 3)),
    "lin": Form(lambda x, c: c(x.flatten(1)), nn.Linear(192, 3, bias=False)),
    "ident": Form(lambda x, c: c(x), nn.Identity()),
    "same": Form(lambda x: x),
    "unfold": Form(lambda x: functional.unfold(x, 3)),
    "pixel": Form(lambda x: functional.pixel_shuffle(x, 2)),
    "chshuf": Form(lambda x: functional.channel_shuffle(x, 2)),
    "where": Form(lambda x: torch.where(x > 0, x, 0 * x)),
    "cumsum": Form(lambda x: x.cumsum(2)),
    "topk": Form(lambda x: x.topk(2, 1)[0]),
    "repeat": Form(lambda x: x.repeat(1, 2, 1, 1)),
    "repi": Form(lambda x: x.repeat_interleave(2, 1)),
    "expand": Form(lambda x: x.mean(1, keepdim=True).expand(-1, 4, -1, -1)),
    "ia": Form(alias_in_place),
    "ip": Form(part_in_place),
    "partagain": Form(part_read_again),
    "viewagain": Form(view_read_again),
    "reluin": Form(lambda x, r: r(x * 2) + 1, nn.ReLU(True)),
    "matmul": Form(lambda x: x @ x.mT),
    "bmmf": Form(lambda x: torch.bmm(x.flatten(2), x.flatten(2).mT)),
    "ctr": Form(lambda x, c: c(x), nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, False, 2)),
    "ctrout": Form(lambda x, c: c(x, output_size=(12, 16)), nn.ConvTranspose2d(4, 6, 3, 2, 1)),
    "lp": Form(lambda x: functional.lp_pool2d(x, 2, 2)),
    "frac": Form(
        lambda x: functional.max_unpool2d(*functional.max_pool2d(x, 2, return_indices=True), 2)
    ),
    "biln": Form(lambda x, b: b(x.mean((2, 3)), x.amax((2, 3))), nn.Bilinear(4, 4, 3)),
    "emb": Form(lambda x, e: e(x.argmax(1)).mean((1, 2)), nn.Embedding(4, 5)),
    "dw": Form(lambda x, c: c(x), nn.Conv2d(4, 8, (3, 1), groups=4, padding=(1, 0))),
    "spec": Form(lambda x, c: c(x), nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 4, 3))),
    "ones": Form(lambda x: x + torch.ones_like(x)),
    "new": Form(lambda x: torch.cat([x, x.new_zeros(x.shape[0], 2, 6, 8)], 1)),
    "zeros": Form(lambda x: torch.cat([x, torch.zeros(x.shape[0], 2, 6, 8)], 1)),
    "lstm": Form(
        lambda x, c: c(x.flatten(1, 2))[1][1][-1],
        nn.LSTM(8, 5, 2, bidirectional=True, batch_first=True),
    ),
    "attn": Form(
        lambda x, c: c(*[x.flatten(2).mT] * 3)[0], nn.MultiheadAttention(4, 2, batch_first=True)
    ),
    "encoder": Form(
        lambda x, c: c(x.flatten(2).mT), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    ),
    "rare": Form(lambda x, c: torch.lgamma(c(x).abs() + 1).nansum(1), nn.Conv2d(4, 2, 1)),
    "diagonal": Form(
        lambda x, c: (
            (c(x).flatten(2).mT @ x.flatten(2)[:, :, :6]).softmax(-1)[:, :6]
            - torch.diag(torch.tensor(2.0).repeat(6)).unsqueeze(0)
        ),
        nn.Conv2d(4, 4, 1),
    ),
    "seqfirst": Form(
        lambda x, c: c(*[x.flatten(2).permute(2, 0, 1)] * 3)[0], nn.MultiheadAttention(4, 2)
    ),
}
PARTIAL = {"bnbatch", "insttrack", "meanall", "rare"}
"""Forms that are counted, and not operators of ours."""
NOT_COUNTED = {"biln", "lstm"}
"""Forms whose products torch's counter does not see on a CPU."""
POSITIONS_FIRST = {"seqfirst"}
"""Forms that give (positions, N, channels), where a network of ours has the batch in front."""


@pytest.mark.parametrize("name", FORMS)
def test_form(name: str) -> None:
    torch.manual_seed(0)
    module = FORMS[name].eval()
    randomise(module)
    found = from_module(module, (4, 6, 8), "form")
    result = analyze(found.graph)
    image = torch.rand(2, 4, 6, 8) - 0.5
    assert not any("macs" in one.facts for one in result.unknown)
    if name not in NOT_COUNTED:
        assert 2 * result.totals.macs == flops(module, (image[:1],))
    assert result.totals.params == sum(parameter.numel() for parameter in module.parameters())
    assert bool(result.opaque) == (name in PARTIAL)
    if name not in PARTIAL:
        read = readable(found.graph)
        graph = read.graph
        network = build(graph).eval()
        network.load_state_dict(state_dict_of(graph, found.weights(), read.names))
        with torch.no_grad():
            expected = module(image)
            expected = expected.transpose(0, 1) if name in POSITIONS_FIRST else expected
            found_out = network(image)  # casts are no operators: places stay whole numbers
            torch.testing.assert_close(found_out, expected, rtol=1e-5, atol=1e-5, check_dtype=False)


def test_recurrent_layers_that_no_result_needs_are_left_out() -> None:
    lstm = nn.LSTM(8, 5, 2, batch_first=True)
    found = from_module(Form(lambda x, c: c(x.flatten(1, 2))[1][1][0], lstm), (4, 6, 8), "form")
    unused = sum(p.numel() for name, p in lstm.named_parameters() if "l1" in name)
    assert found.graph.about.startswith(f"{unused} params are not used at inference")
    assert analyze(found.graph).totals.params == 5 * 4 * (8 + 5 + 2)
