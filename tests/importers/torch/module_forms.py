"""Modules and functions as people write them in papers' code: gates, heads, orders, places.

Those of `ordinary_forms.py` are single layers, those of `further_forms.py` products and attention.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from tests.importers.torch.further_forms import tokens
from tests.importers.torch.ordinary_forms import Ordinary


def coordinate_attention(x, *m):
    c1, bn, ch, cw = m
    _n, _c, h, w = x.size()
    a = x.mean(3, keepdim=True)
    b = x.mean(2, keepdim=True).permute(0, 1, 3, 2)
    y = functional.hardswish(bn(c1(torch.cat([a, b], dim=2))))
    a, b = torch.split(y, [h, w], dim=2)
    return x * ch(a).sigmoid() * cw(b.permute(0, 1, 3, 2)).sigmoid()


def cbam(x, fc, sp):
    g = (
        fc(functional.adaptive_avg_pool2d(x, 1)) + fc(functional.adaptive_max_pool2d(x, 1))
    ).sigmoid()
    x = x * g
    return (
        x
        * sp(
            torch.cat([torch.max(x, 1)[0].unsqueeze(1), torch.mean(x, 1).unsqueeze(1)], 1)
        ).sigmoid()
    )


def involution(x, r, s):
    w = s(r(x).relu())
    n, _c, h, ww = x.shape
    w = w.view(n, 2, 9, h, ww).unsqueeze(2)
    u = functional.unfold(x, 3, padding=1).view(n, 2, 4, 9, h, ww)
    return (w * u).sum(3).view(n, 8, h, ww)


class FocalMod(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(8, 2 * 8 + 3)
        self.h = nn.Conv2d(8, 8, 1)
        self.proj = nn.Linear(8, 8)
        self.layers = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.GELU())
                for _ in range(2)
            ]
        )

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = self.f(x).permute(0, 3, 1, 2).contiguous()
        q, ctx, gates = torch.split(x, (8, 8, 3), 1)
        all_ = 0
        for place, layer in enumerate(self.layers):
            ctx = layer(ctx)
            all_ = all_ + ctx * gates[:, place : place + 1]
        g = functional.gelu(ctx.mean(2, keepdim=True).mean(3, keepdim=True))
        all_ = all_ + g * gates[:, 2:]
        return self.proj((q * self.h(all_)).permute(0, 2, 3, 1).contiguous()).permute(0, 3, 1, 2)


class Blur(nn.Module):
    def __init__(self):
        super().__init__()
        f = torch.tensor([1.0, 2.0, 1.0])
        f = f[:, None] * f[None]
        f = f / f.sum()
        self.register_buffer("filt", f[None, None].repeat(8, 1, 1, 1))

    def forward(self, x):
        return functional.conv2d(
            functional.pad(x, (1, 1, 1, 1), "reflect"), self.filt, stride=2, groups=x.shape[1]
        )


class GRN(nn.Module):
    def __init__(self, d=8):
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(1, 1, 1, d))
        self.beta = nn.Parameter(torch.rand(1, 1, 1, d))

    def forward(self, x):
        g = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        n = g / (g.mean(dim=-1, keepdim=True) + 1e-6)
        return self.gamma * (x * n) + self.beta + x


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.dw = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.norm = nn.LayerNorm(8, eps=1e-6)
        self.p1 = nn.Linear(8, 32)
        self.grn = GRN(32)
        self.p2 = nn.Linear(32, 8)
        self.gamma = nn.Parameter(1e-1 * torch.ones(8))

    def forward(self, x):
        y = self.dw(x).permute(0, 2, 3, 1)
        y = self.p2(self.grn(functional.gelu(self.p1(self.norm(y))))) * self.gamma
        return x + y.permute(0, 3, 1, 2)


class Rotary(nn.Module):
    def __init__(self, inter=False):
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.inter = inter
        inv = 1.0 / (10000 ** (torch.arange(0, 4, 2).float() / 4))
        self.register_buffer("inv", inv)

    def rot(self, x):
        if self.inter:
            return torch.stack((-x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
        a, b = x.chunk(2, dim=-1)
        return torch.cat((-b, a), dim=-1)

    def forward(self, x):
        x = tokens(x)
        n, t, c = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)
        f = torch.einsum("i,j->ij", torch.arange(t).float(), self.inv)
        e = f.repeat_interleave(2, -1) if self.inter else torch.cat((f, f), -1)
        cos, sin = e.cos(), e.sin()
        q = q * cos + self.rot(q) * sin
        k = k * cos + self.rot(k) * sin
        return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, c)


class ALiBi(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x):
        x = tokens(x)
        n, t, c = x.shape
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k, v = (z.view(n, t, 2, 4).transpose(1, 2) for z in (q, k, v))
        m = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1)
        d = -(torch.arange(t)[:, None] - torch.arange(t)[None]).abs()
        s = q @ k.transpose(-2, -1) / math.sqrt(4) + m * d
        return (s.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c)


class PosInterp(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos = nn.Parameter(torch.rand(1, 8, 4, 4))

    def forward(self, x):
        return x + functional.interpolate(
            self.pos, size=x.shape[-2:], mode="bicubic", align_corners=False
        )


class CondConv(nn.Module):
    def __init__(self, groups=1, bias=True):
        super().__init__()
        self.r = nn.Linear(8, 3)
        self.w = nn.Parameter(torch.rand(3, 8, 8 // groups, 3, 3))
        self.b = nn.Parameter(torch.rand(3, 8)) if bias else None
        self.g = groups

    def forward(self, x):
        n, c, h, w = x.shape
        r = self.r(x.mean((2, 3))).sigmoid()
        k = torch.matmul(r, self.w.view(3, -1)).view(n * 8, 8 // self.g, 3, 3)
        b = torch.matmul(r, self.b).view(-1) if self.b is not None else None
        return functional.conv2d(
            x.reshape(1, n * c, h, w), k, b, padding=1, groups=n * self.g
        ).view(n, 8, h, w)


def xcorr(x):
    z = x[:, :, 2:5, 3:6]
    n, c = x.shape[:2]
    return functional.conv2d(
        x.reshape(1, n * c, 8, 12), z.reshape(n * c, 1, 3, 3), groups=n * c
    ).view(n, c, 6, 10)


class Decoupled(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(8, 5, 1)
        self.r = nn.Conv2d(8, 4 * 4, 1)
        self.register_buffer("p", torch.arange(4.0))

    def forward(self, x):  # DFL head
        n = x.shape[0]
        box = self.r(x).flatten(2).view(n, 4, 4, -1).transpose(1, 2).softmax(1)
        box = (box * self.p.view(1, 4, 1, 1)).sum(1)
        lt, rb = box.chunk(2, 1)
        yy, xx = torch.meshgrid(torch.arange(8.0) + 0.5, torch.arange(12.0) + 0.5, indexing="ij")
        a = torch.stack([xx, yy], 0).view(1, 2, -1)
        x1, x2 = a - lt, a + rb
        return torch.cat(((x1 + x2) / 2, x2 - x1, self.c(x).flatten(2).sigmoid()), 1)


def yolo5(x, c):
    y = c(x)
    n, _, h, w = y.shape
    y = y.view(n, 2, 7, h, w).permute(0, 1, 3, 4, 2).contiguous().sigmoid()
    g = torch.stack(torch.meshgrid(torch.arange(w), torch.arange(h), indexing="xy"), 2).float()
    xy = (y[..., 0:2] * 2 - 0.5 + g) * 8
    wh = (y[..., 2:4] * 2) ** 2 * torch.tensor([[10.0, 13.0], [16.0, 30.0]]).view(1, 2, 1, 1, 2)
    return torch.cat((xy, wh, y[..., 4:]), -1).view(n, -1, 7)


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.t = nn.Sequential(nn.Conv2d(8, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x):
        a, b = self.t(x), self.t(x.flip(3))
        return torch.cat([a, b, (a - b).abs(), a * b], 1)


class STN(nn.Module):
    def __init__(self, **k):
        super().__init__()
        self.loc = nn.Linear(8, 6)
        self.k = k

    def forward(self, x):
        th = self.loc(x.mean((2, 3))).view(-1, 2, 3)
        return functional.grid_sample(
            x,
            functional.affine_grid(
                th, list(x.size()), align_corners=self.k.get("align_corners", False)
            ),
            **{"align_corners": False, **self.k},
        )


def flow(x):
    _n, _c, h, w = x.shape
    g = torch.stack(
        torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")[::-1], -1
    )
    return functional.grid_sample(
        x,
        g + x[:, :2].permute(0, 2, 3, 1) * 0.1,
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )


def ema(x, c1, c3, gn):
    b, c, h, w = x.size()
    gx = x.reshape(b * 2, -1, h, w)
    xh = functional.adaptive_avg_pool2d(gx, (None, 1))
    xw = functional.adaptive_avg_pool2d(gx, (1, None)).permute(0, 1, 3, 2)
    hw = c1(torch.cat([xh, xw], 2))
    xh, xw = torch.split(hw, [h, w], 2)
    x1 = gn(gx * xh.sigmoid() * xw.permute(0, 1, 3, 2).sigmoid())
    x2 = c3(gx)
    a = x1.mean((2, 3), keepdim=True).reshape(b * 2, -1, 1).permute(0, 2, 1).softmax(-1)
    b2 = x2.reshape(b * 2, 4, -1)
    a2 = x2.mean((2, 3), keepdim=True).reshape(b * 2, -1, 1).permute(0, 2, 1).softmax(-1)
    b1 = x1.reshape(b * 2, 4, -1)
    wts = (torch.matmul(a, b2) + torch.matmul(a2, b1)).reshape(b * 2, 1, h, w)
    return (gx * wts.sigmoid()).reshape(b, c, h, w)


def shuffle_att(x, w, b):
    n, _c, h, ww = x.shape
    y = x.reshape(n * 2, -1, h, ww)
    a, s = y.chunk(2, 1)
    g = a * (w(a.mean((2, 3), keepdim=True))).sigmoid()
    s = s * b(functional.group_norm(s, 2)).sigmoid()
    o = torch.cat([g, s], 1).contiguous().view(n, -1, h, ww)
    return o.reshape(n, 2, -1, h, ww).permute(0, 2, 1, 3, 4).flatten(1, 2)


def covariances(x):
    _n, c = x.shape[:2]
    f = x.flatten(2)
    f = f - f.mean(2, keepdim=True)
    m = f @ f.transpose(1, 2) / (f.shape[2] - 1)
    i = torch.triu_indices(c, c)
    return m[:, i[0], i[1]]


class DropP(nn.Module):
    def forward(self, x):
        if not self.training:
            return x
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.9))


class VQ(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(6, 8)

    def forward(self, x):
        z = x.permute(0, 2, 3, 1)
        d = (z.unsqueeze(-2) - self.e.weight).pow(2).sum(-1)
        i = d.argmin(-1)
        return self.e(i).permute(0, 3, 1, 2)


class Windows(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24)
        self.t = nn.Parameter(torch.rand(49, 2))
        c = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")).flatten(1)
        r = (c[:, :, None] - c[:, None]).permute(1, 2, 0) + 3
        self.register_buffer("i", r[..., 0] * 7 + r[..., 1])

    def forward(self, x):
        n, c, h, w = x.shape
        x = (
            torch.roll(x.permute(0, 2, 3, 1), (-2, -2), (1, 2))
            .view(n, h // 4, 4, w // 4, 4, c)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(-1, 16, c)
        )
        q, k, v = self.qkv(x).reshape(-1, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        s = (q * 0.5) @ k.transpose(-2, -1) + self.t[self.i.view(-1)].view(16, 16, 2).permute(
            2, 0, 1
        ).unsqueeze(0)
        y = (
            (s.softmax(-1) @ v)
            .transpose(1, 2)
            .reshape(-1, 4, 4, c)
            .view(n, h // 4, w // 4, 4, 4, c)
            .permute(0, 1, 3, 2, 4, 5)
            .reshape(n, h, w, c)
        )
        return y.permute(0, 3, 1, 2)


class Dynamic(nn.Module):  # dynamic 1x1 conv heads (CondInst)
    def __init__(self):
        super().__init__()
        self.c = nn.Linear(8, 8 * 4 + 4)

    def forward(self, x):
        p = self.c(x.mean((2, 3)))
        w, b = p.split([32, 4], 1)
        return torch.bmm(w.view(-1, 4, 8), x.flatten(2)) + b.unsqueeze(-1)


MODULES: dict[str, nn.Module] = {
    "coord_att": Ordinary(
        coordinate_attention,
        nn.Conv2d(8, 4, 1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 8, 1),
        nn.Conv2d(4, 8, 1),
        last=8,
    ),
    "cbam": Ordinary(
        cbam,
        nn.Sequential(nn.Conv2d(8, 2, 1, bias=False), nn.ReLU(), nn.Conv2d(2, 8, 1, bias=False)),
        nn.Conv2d(2, 1, 7, padding=3),
        last=8,
    ),
    "involution": Ordinary(involution, nn.Conv2d(8, 4, 1), nn.Conv2d(4, 18, 1), last=8),
    "focal_mod": Ordinary(lambda x, m: m(x), FocalMod(), last=8),
    "blur": Ordinary(lambda x, m: m(x), Blur(), last=8),
    "convnext2": Ordinary(lambda x, m: m(x), ConvNeXt(), last=8),
    "rotary": Ordinary(lambda x, m: m(x), Rotary()),
    "rotary_inter": Ordinary(lambda x, m: m(x), Rotary(True)),
    "alibi": Ordinary(lambda x, m: m(x), ALiBi()),
    "pos_interp": Ordinary(lambda x, m: m(x), PosInterp(), last=8),
    "condconv": Ordinary(lambda x, m: m(x), CondConv(), last=8),
    "condconv_dw": Ordinary(lambda x, m: m(x), CondConv(8, False), last=8),
    "xcorr": Ordinary(xcorr, last=8),
    "dfl": Ordinary(lambda x, m: m(x), Decoupled()),
    "yolo5": Ordinary(yolo5, nn.Conv2d(8, 14, 1)),
    "siamese": Ordinary(lambda x, m: m(x), Shared()),
    "stn": Ordinary(lambda x, m: m(x), STN(), last=8),
    "stn_nearest": Ordinary(
        lambda x, m: m(x), STN(mode="nearest", padding_mode="reflection"), last=8
    ),
    "stn_bicubic": Ordinary(lambda x, m: m(x), STN(mode="bicubic", align_corners=True), last=8),
    "flow": Ordinary(flow, last=8),
    "ema": Ordinary(
        ema, nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.GroupNorm(4, 4), last=8
    ),
    "shuffle_att": Ordinary(shuffle_att, nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), last=8),
    "covpool": Ordinary(covariances),
    "droppath": Ordinary(lambda x, m: x + m(x.relu()), DropP(), last=8),
    "vq": Ordinary(lambda x, m: m(x), VQ(), last=8),
    "swin_by_hand": Ordinary(lambda x, m: m(x), Windows(), last=8),
    "dynamic": Ordinary(lambda x, m: m(x), Dynamic()),
}
