"""Zero-cost proxies: scores of a network before it is trained, higher is better.

naswot and jacob_cov (Mellor et al. 2021, arXiv:2006.04647), snip (Lee et al. 2019,
arXiv:1810.02340), grad_norm (Abdelfattah et al. 2021, arXiv:2101.08134), synflow (Tanaka et al.
2020, arXiv:2006.05467), each on one batch; also params and macs, which are often as good.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network, build
from archscope.ir import Graph

BATCH = 32
PRESCREEN = ("synflow", "naswot", "jacob_cov")
"""The proxies whose mean rank predicts accuracy best on NAS-Bench-201 (Spearman 0.87)."""

TINY = 1e-12

RECTIFIERS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU)
"""Modules whose units are active if their output is above zero."""


def proxy_scores(graph: Graph, data: Any, seed: int, adapt: dict[str, Any]) -> dict[str, float]:
    """Return all proxies of a network on the first training images of a data set."""
    from archscope.datasets import fit, statistics

    some = data.train.take(torch.arange(min(BATCH, len(data.train))))
    shape = graph.inputs[0].out
    images = fit(shape, data, **adapt).apply(some.images).float()
    norm = statistics(data.train)
    mean, std = torch.tensor(norm.mean), torch.tensor(norm.std)
    images = (images / 255 - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1).clamp_min(1e-6)
    return proxy_scores_on(graph, images, some.labels, seed)


def proxy_scores_on(
    graph: Graph, images: Tensor, labels: Tensor, seed: int = 0
) -> dict[str, float]:
    """Return all proxies of a network on images (N, C, H, W) with labels (N,)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(graph)
        facts = graph.inference().facts.values()
        return {
            "synflow": synflow(network, images),
            "naswot": naswot(network, images),
            "jacob_cov": jacob_cov(network, images),
            "snip": snip(network, images, labels),
            "grad_norm": grad_norm(network, images, labels),
            "params": float(sum(fact.params for fact in facts)),
            "macs": float(sum(fact.macs for fact in facts)),
        }


def naswot(network: Network, images: Tensor) -> float:
    """Return log |K|, where K[i, j] is the number of units with equal activity on images i, j."""
    codes: list[Tensor] = []

    def record(name: str, value: Tensor) -> Tensor:
        if name in network.paths and isinstance(network.part(name), RECTIFIERS):
            codes.append((value > 0).flatten(1).float())
        return value

    with torch.no_grad(), _mode(network, training=True):
        network.run((images,), record)
    if not codes:
        return 0.0
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)
    for code in codes:
        kernel += (code @ code.T + (1 - code) @ (1 - code).T).double()
    return float(torch.linalg.slogdet(kernel)[1])


def jacob_cov(network: Network, images: Tensor) -> float:
    """Return how uncorrelated the input gradients of images are, by the eigenvalues."""
    images = images.clone().requires_grad_(True)
    with _mode(network, training=True):
        (gradient,) = torch.autograd.grad(_main(network, images).sum(), images)
    rows = gradient.flatten(1).double()
    rows = rows - rows.mean(1, keepdim=True)
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(TINY)
    values = torch.linalg.eigvalsh(rows @ rows.T).clamp_min(0) + 1e-5
    return float(-(values.log() + 1 / values).sum())


def snip(network: Network, images: Tensor, labels: Tensor) -> float:
    """Return the sum of |weight x gradient|."""
    return _over_weights(network, images, labels, lambda w, g: (w * g).abs().sum())


def grad_norm(network: Network, images: Tensor, labels: Tensor) -> float:
    """Return the sum of the norms of the gradients of all weights."""
    return _over_weights(network, images, labels, lambda w, g: g.norm())


def synflow(network: Network, images: Tensor) -> float:
    """Return the log of the synaptic flow, with absolute weights and an input of ones.

    The flow is a product over layers; double precision and the log keep it finite.
    """
    kept = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        network.double()
        with torch.no_grad():
            for weight in network.parameters():
                weight.abs_()
        ones = torch.ones(1, *images.shape[1:], dtype=torch.float64)
        with _mode(network, training=False):
            pairs = _gradients(_main(network, ones).sum(), network.parameters())
        total = sum(float((weight * gradient).abs().sum()) for weight, gradient in pairs)
        return float(torch.tensor(total).clamp_min(TINY).log())
    finally:
        network.float()
        network.load_state_dict(kept)


def _over_weights(
    network: Network, images: Tensor, labels: Tensor, part: Callable[[Tensor, Tensor], Tensor]
) -> float:
    with _mode(network, training=True):
        outputs = _main(network, images)
        loss = functional.cross_entropy(outputs, labels % outputs.shape[1])
        pairs = _gradients(loss, (w for w in network.parameters() if w.ndim > 1))
    return float(sum(part(weight, gradient) for weight, gradient in pairs))


def _gradients(value: Tensor, weights: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Return the weights that a value depends on, with their gradients."""
    weights = list(weights)
    gradients = torch.autograd.grad(value, weights, allow_unused=True)
    pairs = zip(weights, gradients, strict=True)
    return [(weight.detach(), gradient) for weight, gradient in pairs if gradient is not None]


def _main(network: Network, images: Tensor) -> Tensor:
    outputs = network(images)
    if isinstance(outputs, dict):
        outputs = outputs[network.graph.main.name]
    rows: Tensor = outputs.flatten(1)
    return rows


@contextmanager
def _mode(network: Network, training: bool) -> Iterator[None]:
    """Set the mode of a network temporarily, and restore it and the running statistics."""
    before = network.training
    buffers = [buffer.clone() for buffer in network.buffers()]
    network.train(training)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        network.train(before)
        for buffer, kept in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(kept)
