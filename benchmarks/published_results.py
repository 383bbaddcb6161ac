"""Published ImageNet results of timm and torchvision, with the features of their networks."""

from __future__ import annotations

import csv
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OWN_RECIPES = {
    "convnext": "tv2_in1k", "efficientnet_v2": "tv2_in1k", "resnext101_64x4d": "tv2_in1k",
    "efficientnet_b": "in1k", "mobilenet_v3": "in1k",
}  # fmt: skip
"""First weights of torchvision that were not trained by its recipe of 2016."""

FAMILIES = (
    ("efficientnetv2", r"gc_efficientnetv2|efficientnet_v2"), ("nfnet", r"(dm|eca)_nfnet|nfnet"),
    ("mobilenet v1", "mobilenetv1"), ("mobilenet v2", "mobilenet_?v2"),
    ("mobilenet v3", "(tf_)?mobilenet_?v3"), ("mobilenet v4", "mobilenetv4"),
    ("resnet ts and q", r"(gc|se|eca_)?resne[xt]+\d+(ts|q)"), ("res2net", "(dla60_)?res2ne"),
    ("resnext", "resnext"), ("seresnext", "(legacy_)?(seresnext|senet)"),
    ("seresnet", "(legacy_)?seresnet"), ("regnetx", "regnet_?x"), ("regnety", "regnet_?y"),
    ("regnetz", "regnetz"), ("vovnet", "ese_vovnet"), ("mnasnet", "(se)?mnasnet|spnasnet"),
    ("mobilenet edgetpu", "mobilenet_edgetpu"), ("fbnetv3", "fbnetv3"), ("hrnet", "hrnet"),
    ("efficientnet", "(tf_)?efficientnet"), ("xception", "(legacy_)?xception"),
    ("nf_resnet", "nf_resnet"), ("nf_regnet", "nf_regnet"), ("wide_resnet", "wide_resnet"),
    ("convnextv2", "convnextv2"), ("resnetv2", "resnetv2"), ("mixnet", "(tf_)?mixnet"),
    ("shufflenetv2", "shufflenet_v2"),
)  # fmt: skip
"""Families whose names do not all begin with the same letters."""


def family_of(arch: str) -> str:
    """Return the family of an architecture: by its name up to the first digit or underscore."""
    for family, pattern in FAMILIES:
        if re.match(pattern, arch):
            return family
    start = re.match(r"cs3[a-z]+|[a-z]+", arch)
    return start[0] if start else arch


KIN = (
    ("resnets", r".*(resnet|resnext|senet)"), ("regnets", ".*regnet"), ("convnexts", "convnext"),
    ("mobile networks", ".*(mobile|mnasnet|efficientnet|mixnet|fbnet|rexnet|ghostnet|spnasnet)"),
)  # fmt: skip
"""Families that are variants of each other."""


def kin_of(arch: str) -> str:
    """Return the group of related families that an architecture belongs to."""
    return next((kin for kin, name in KIN if re.match(name, arch)), family_of(arch))


class Result(NamedTuple):
    """A published top-1 accuracy; `side` is the size of the images of the evaluation."""

    library: str
    arch: str
    recipe: str
    side: int
    top1: float


def published(table: Path, torchvision: Path | None) -> list[Result]:
    """Return the results of both tables; those of torchvision that timm has, too, count once."""
    with table.open(encoding="utf-8") as file:
        rows = [
            Result("timm", row["arch"], row["recipe"], int(row["img_size"]), float(row["top1"]))
            for row in csv.DictReader(file)
        ]
    known = {(row.arch, row.recipe, row.side) for row in rows}
    more = _of_torchvision(torchvision) if torchvision else ()
    return rows + [row for row in more if (row.arch, row.recipe, row.side) not in known]


def _of_torchvision(table: Path) -> Iterator[Result]:
    """Yield the results of torchvision's convolutional networks, without extra training data."""
    from tests.zoo.oracle import torchvision

    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name, weights = row["name"], row["weights"]
            if re.match("vit|swin|maxvit", name) or not re.fullmatch(r"IMAGENET1K_V\d", weights):
                continue
            entry = torchvision().models.get_model_weights(name)[weights]
            recipe = "tv2_in1k" if weights.endswith("2") else "tv_in1k"
            if recipe == "tv_in1k":
                own = (tag for start, tag in OWN_RECIPES.items() if name.startswith(start))
                recipe = next(own, recipe)
            side = entry.transforms.keywords["crop_size"]
            yield Result("torchvision", name, recipe, side, float(row["top1"]))


def features_of(rows: list[Result], kept: Path | None) -> list[dict[str, float]]:
    """Return the features of the network of each row, imported if they are not in the file."""
    known = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    for row in rows:
        key = f"{row.library}:{row.arch}:{row.side}"
        if key not in known:
            print(key, flush=True)
            known[key] = _imported(row)
            if kept:
                kept.write_text(json.dumps(known), encoding="utf-8")
    return [known[f"{row.library}:{row.arch}:{row.side}"] for row in rows]


def _imported(row: Result) -> dict[str, float]:
    import torch

    from archscope.analysis.features import features
    from archscope.importers.torch import from_module
    from tests.zoo.oracle import torchvision

    models = torchvision().models
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore")
        if row.library == "timm":
            import timm

            module = timm.create_model(row.arch)
        else:
            module = models.get_model(row.arch, weights=None)
    return features(from_module(module.eval(), (3, row.side, row.side)).graph)
