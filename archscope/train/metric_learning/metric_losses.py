"""Metric losses by name: embeddings (N, D) of a batch and its labels (N,) -> a scalar."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import degrees

import torch
from pytorch_metric_learning import losses, miners
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices
from torch import Tensor, nn
from torch.nn import functional

from archscope.train.metric_learning.distance import ORDERS, pairwise
from archscope.train.recipe import Recipe


class ContrastiveLoss(losses.ContrastiveLoss):  # type: ignore[misc]
    """Images of a class are drawn together, others pushed apart up to a margin.

    Hadsell, Chopra, LeCun 2006, equation 4: d^2 / 2 of pairs that match and
    max(0, margin - d)^2 / 2 of pairs that do not; of each kind the mean over the pairs of a batch
    that have a loss. The library's own has no squares. With a slack, matches have max(0, d - slack)
    in place of d.
    """

    def pos_calc(self, pos_pair_dist: Tensor, margin: float) -> Tensor:
        """Return the loss of each pair that matches."""
        loss: Tensor = super().pos_calc(pos_pair_dist, margin)
        return loss.square() / 2

    def neg_calc(self, neg_pair_dist: Tensor, margin: float) -> Tensor:
        """Return the loss of each pair that does not match."""
        loss: Tensor = super().neg_calc(neg_pair_dist, margin)
        return loss.square() / 2


class SphereFaceLoss(losses.SphereFaceLoss):  # type: ignore[misc]
    """Softmax over angles to a direction for each class, that to the right one multiplied.

    Liu, Wen, Yu, Li, Raj, Song 2017, equation 7, of the angles t: |x| cos(t) for the other classes
    and |x| psi(t) for the right one, where psi goes on falling where cos(margin t) turns. psi alone
    drives |x| to nothing at first; as in the authors' published configuration the right one has
    (blend cos(t) + psi(t)) / (1 + blend), with a blend of 1000 / (1 + 0.12 step), at least 5.
    """

    steps: Tensor

    def __init__(self, classes: int, size: int, margin: float, scale: float) -> None:
        super().__init__(classes, size, margin=margin, scale=scale)
        self.register_buffer("steps", torch.zeros(()))

    def init_margin(self) -> None:
        """Get the multiple-angle formula ready; scipy's binomial of a tensor warns for nothing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            super().init_margin()

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar; count the step."""
        loss: Tensor = super().forward(embeddings, labels)
        if self.training:
            self.steps += 1
        return loss

    def modify_cosine_of_target_classes(self, cosine_of_target_classes: Tensor) -> Tensor:
        """Return what is taken for the cosine to the right class of each image, (N,)."""
        blend = (1000 / (1 + 0.12 * self.steps)).clamp(min=5)
        psi: Tensor = super().modify_cosine_of_target_classes(cosine_of_target_classes)
        return (blend * cosine_of_target_classes + psi) / (1 + blend)


class TripletLoss(nn.Module):
    """An anchor is to be closer to one of its class than to one of another, by a margin.

    Schroff, Kalenichenko, Philbin 2015 (FaceNet), here with plain distances as in Hermans, Beyer,
    Leibe 2017: max(0, d(a, p) - d(a, n) + margin), the mean over those above 0. `mining` chooses
    triplets of a batch: `hard` takes each anchor's farthest p and nearest n (Hermans), `semihard`
    those where n is farther than p but within the margin (FaceNet), `all` takes all. A d(a, p)
    below the slack counts as the slack.
    """

    def __init__(self, margin: float, distance: str, mining: str, slack: float = 0.0) -> None:
        super().__init__()
        self.margin, self.slack, self.measure = margin, slack, _measure(distance)
        self.miner: Callable[[Tensor, Tensor], tuple[Tensor, ...]] = _all_triplets
        if mining == "hard":
            self.miner = miners.BatchHardMiner(distance=self.measure)
        elif mining == "semihard":
            self.miner = miners.TripletMarginMiner(margin, "semihard", distance=self.measure)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar."""
        anchors, matches, others = self.miner(embeddings, labels)
        distances = self.measure(embeddings)
        near = distances[anchors, matches].clamp(min=self.slack)
        above: Tensor = (near - distances[anchors, others] + self.margin).relu()
        return above.sum() / (above > 0).sum().clamp(min=1)


def _all_triplets(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    triplets: tuple[Tensor, ...] = get_all_triplets_indices(labels)
    return triplets


class QuadrupletLoss(nn.Module):
    """Matching pairs are to be closer than pairs of other classes, with the anchor or without.

    Chen, Chen, Zhang, Huang 2017 (CVPR), equation 8, with g as distance: the mean of
    max(0, g(i,j)^2 - g(i,k)^2 + margin) + max(0, g(i,j)^2 - g(l,k)^2 + margin / 2), where j is of
    the class of i, and k and l are of two others. `mining` of `all` takes all quadruplets of a
    batch, and of each term the mean over those above 0; else each anchor takes the hardest: its
    farthest j, its nearest k, and the l nearest to that k. A term whose images the batch does not
    have is left out, and a g(i, j) below the slack counts as the slack. The second margin is the
    smaller, as the paper asks; that it is half of the first is our choice.
    """

    def __init__(self, margin: float, distance: str, mining: str, slack: float = 0.0) -> None:
        super().__init__()
        self.margin, self.distance, self.mining = margin, distance, mining
        self.least = slack**2

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar."""
        squares = pairwise(embeddings, self.distance).square()
        same = labels[:, None] == labels[None]
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        if self.mining == "all":
            return self._all(squares, labels, same & ~itself)
        far = squares.masked_fill(~same | itself, -torch.inf).amax(1)
        far = far.where(far.isinf(), far.clamp(min=self.least))
        near, k = squares.masked_fill(same, torch.inf).min(1)
        apart = squares[k].masked_fill(same | same[k], torch.inf).amin(1)
        # Where there is no such image the term is -inf, and max(0, -inf) is 0 without gradient.
        first = (far - near + self.margin).relu()
        second = (far - apart + self.margin / 2).relu()
        return (first + second).mean()

    def _all(self, squares: Tensor, labels: Tensor, matching: Tensor) -> Tensor:
        """Return the loss of all quadruplets, class by class: they are too many to keep."""
        sums, counts = squares.new_zeros(2), squares.new_zeros(2)
        for label in torch.unique(labels):
            mine = labels == label
            others = ~mine
            near = squares[mine][:, mine][matching[mine][:, mine]].clamp(min=self.least)
            anchors = matching[mine][:, mine].nonzero()[:, 0]
            first = (near[:, None] - squares[mine][:, others][anchors] + self.margin).relu()
            apart = labels[others][:, None] < labels[others][None]
            second = _hinge(near + self.margin / 2, squares[others][:, others][apart])
            sums = sums + torch.stack([first.sum(), second[0]])
            counts = counts + torch.stack([(first > 0).sum(), second[1]])
        return (sums / counts.clamp(min=1)).sum()


def _hinge(limits: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of max(0, limit - value) over all pairs of both, and how many are above 0."""
    ordered = values.sort().values
    below = torch.searchsorted(ordered.detach(), limits.detach())
    until = torch.cat([ordered.new_zeros(1), ordered.cumsum(0)])
    return (limits * below - until[below]).sum(), below.sum()


class CoupledClustersLoss(nn.Module):
    """Images of a class are to be closer to their centre than the nearest of the others is.

    Liu, Tian, Yang, Pang, Huang 2016 (CVPR, Deep Relative Distance Learning), equation 5: with c
    the mean of a class's embeddings in the batch and x* the image of another class nearest to it,
    the sum over the class of max(0, |x - c|^2 + margin - |x* - c|^2) / 2. Each class of the batch
    takes its turn, and the sum is divided by the number of images. A class with one image in the
    batch, or alone in it, adds nothing.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar."""
        total = embeddings.sum() * 0  # something to derive, whatever the batch has
        for label in torch.unique(labels):
            mine = labels == label
            if mine.sum() < 2 or mine.all():
                continue
            squares = (embeddings - embeddings[mine].mean(0)).square().sum(1)
            nearest = squares[~mine].amin()
            total = total + (squares[mine] + self.margin - nearest).relu().sum() / 2
        return total / len(labels)


class CenterLoss(nn.Module):
    """Softmax tells classes apart while each class is drawn to its centre.

    Wen, Zhang, Li, Qiao 2016 (ECCV), equation 5: cross-entropy of a linear layer on the embedding,
    and share / 2 times |x - c|^2 to the centre c of the class, as the mean over the batch. Centres
    are no weights: in training, each moves by rate * sum(c - x) / (1 + n) over its n images of
    the batch (equation 4). Rate 0.5 and share 0.003 are the paper's.
    """

    centers: Tensor

    def __init__(self, classes: int, size: int, share: float = 0.003, rate: float = 0.5) -> None:
        super().__init__()
        self.classify = nn.Linear(size, classes)
        self.register_buffer("centers", torch.zeros(classes, size))
        self.share, self.rate = share, rate

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar; move the centres."""
        away = embeddings - self.centers[labels]
        drawn = away.square().sum(1).mean() / 2
        loss = functional.cross_entropy(self.classify(embeddings), labels) + self.share * drawn
        if self.training:
            self._move(away.detach(), labels)
        return loss

    def _move(self, away: Tensor, labels: Tensor) -> None:
        sums = torch.zeros_like(self.centers).index_add_(0, labels, away)
        counts = torch.bincount(labels, minlength=len(self.centers))
        self.centers += self.rate * sums / (1 + counts)[:, None]


MARGINS = {
    "contrastive": 1.4, "triplet": 0.4, "quadruplet": 1.0, "coupled-clusters": 1.0,
    "sphereface": 4.0, "cosface": 0.35, "am-softmax": 0.35, "arcface": 0.5,
}  # fmt: skip
"""Of the papers for the angular losses; of the others for embeddings of length 1 (`unit_of`)."""

RELATIVE = ("contrastive", "triplet", "quadruplet", "coupled-clusters")
"""Losses whose margin is a distance, and means something beside the length of embeddings."""

SCALES = {"sphereface": 1.0, "cosface": 64.0, "am-softmax": 30.0, "arcface": 64.0}
"""Of the papers: what cosines are multiplied by before the softmax."""

MANY, LOW_SCALE = 100, 16.0
"""Classes below which the scale is no higher: the papers' are for thousands."""

ANCHORS = {"contrastive": 2.0, "triplet": 20.0, "quadruplet": 40.0, "arcface": 25.0}
"""Weights of the anchor by default; the gradients of losses differ in size."""

WORTH_KEEPING = 0.8
"""AUC of an untrained network from which on it is anchored; training gains most on poor ones."""


def distance_of(recipe: Recipe) -> str:
    """Return how embeddings are compared after a training: by `angle` where the loss does."""
    if recipe.loss in SCALES:
        return "angle"
    return "euclidean" if recipe.distance == "auto" else recipe.distance


def unit_of(recipe: Recipe, embeddings: Tensor) -> float:
    """Return the length that margins are measured in, from embeddings (N, D) before training.

    A margin beyond all distances of a network would only push, one far below would only pull, and
    both end in a point. So the margins of `MARGINS` are multiples of the mean length of untrained
    embeddings; a margin that the recipe gives is taken as it is.
    """
    if recipe.margin is not None or recipe.loss not in RELATIVE:
        return 1.0
    length = torch.linalg.vector_norm(embeddings, ord=ORDERS[distance_of(recipe)], dim=1).mean()
    return max(float(length), 1e-6)


def anchor_of(loss: str, auc: float) -> float:
    """Return the weight of a loss's anchor, from the validation auc of the untrained network."""
    return ANCHORS[loss] if auc >= WORTH_KEEPING else 0.0


def metric_loss(recipe: Recipe, classes: int, size: int) -> nn.Module:
    """Return the loss of a recipe for so many classes and embeddings of a size.

    CosFace is Wang, Wang, Zhou, Ji, Gong, Zhou, Li, Liu 2018: softmax of scale * cosines, of
    which the right one is lowered by the margin. AM-Softmax is Wang, Cheng, Liu, Liu 2018, the
    same formula with another scale. ArcFace, Deng, Guo, Xue, Zafeiriou 2019, adds the margin to
    the right angle instead. They and SphereFace keep a direction for each class, which is trained
    along with the network.
    """
    margin = MARGINS.get(recipe.loss, 0.0) if recipe.margin is None else recipe.margin
    scale = SCALES.get(recipe.loss, 0.0) if recipe.scale is None else recipe.scale
    if recipe.scale is None and classes < MANY:
        scale = min(scale, LOW_SCALE)
    distance = distance_of(recipe)
    loss: nn.Module
    match recipe.loss:
        case "contrastive":
            loss = ContrastiveLoss(
                pos_margin=recipe.slack, neg_margin=margin, distance=_measure(distance)
            )
        case "triplet":
            loss = TripletLoss(margin, distance, recipe.mining, recipe.slack)
        case "quadruplet":
            loss = QuadrupletLoss(margin, distance, recipe.mining, recipe.slack)
        case "coupled-clusters":
            loss = CoupledClustersLoss(margin)
        case "center":
            loss = CenterLoss(classes, size)
        case "sphereface":
            loss = SphereFaceLoss(classes, size, margin=margin, scale=scale)
        case "cosface" | "am-softmax":
            loss = losses.CosFaceLoss(classes, size, margin=margin, scale=scale)
        case "arcface":
            loss = losses.ArcFaceLoss(classes, size, margin=degrees(margin), scale=scale)
        case _:
            raise ValueError(f"'{recipe.loss}' is no metric loss")
    return loss


def _measure(kind: str) -> LpDistance:
    return LpDistance(normalize_embeddings=False, p=ORDERS[kind])
