"""The modules of YOLO models by their names in files."""

from __future__ import annotations

from collections.abc import Callable

from archscope.importers.ultralytics import attention, csp, earlier, later
from archscope.importers.ultralytics.blocks import conv, dwconv

SCALED: dict[str, Callable[..., str]] = {
    "Conv": conv,
    "DWConv": dwconv,
    "Bottleneck": csp.bottleneck,
    "SPP": csp.spp,
    "SPPF": csp.sppf,
    "Focus": csp.focus,
    "GhostConv": csp.ghost_conv,
    "GhostBottleneck": csp.ghost_bottleneck,
    "RepConv": later.repconv,
    "SCDown": later.scdown,
    "AConv": later.aconv,
    "ADown": later.adown,
    "RepNCSPELAN4": later.rep_elan,
    "ELAN1": later.elan1,
    "SPPELAN": later.sppelan,
    "PSA": attention.psa,
    "Stem": earlier.stem,
    "Res": earlier.res,
}
"""Modules whose first argument is a number of channels, multiplied by the width."""

REPEATED: dict[str, Callable[..., str]] = {
    "C1": csp.c1,
    "C2": csp.c2_,
    "C2f": csp.c2f,
    "C3": csp.c3,
    "C3x": csp.c3x,
    "C3k2": csp.c3k2,
    "C3Ghost": csp.c3ghost,
    "BottleneckCSP": csp.bottleneck_csp,
    "C2fCIB": later.c2fcib,
    "RepC3": later.repc3,
    "C2PSA": attention.c2psa,
    "A2C2f": later.a2c2f,
    "SPPCSPC": earlier.sppcspc,
    "DownC": earlier.downc,
    **{f"BottleneckCSP{kind}": earlier.bottleneck_csp_of(kind) for kind in "ABC"},
    **{f"ResCSP{kind}": earlier.res_csp_of(kind, 1, 0.5) for kind in "ABC"},
    **{f"ResXCSP{kind}": earlier.res_csp_of(kind, 32, 1.0) for kind in "ABC"},
}
"""Those of them whose parts are repeated, instead of the whole module."""
