"""The effect of operators on channels: `follow` follows them, `narrowed` removes some.

Both dispatch on the class of the operator, and the modules of this folder have the rules of
families. `flow` has those of operators that treat each position alike, `follow` those for all axes.
The rule of an operator holds if, for any channels that the tracker unites, the narrowed
operator computes on the rest the same as the operator with the removed channels set to zero.
`tests/compress/test_operators.py` tries it on every example of every operator. An operator without
a rule keeps all its channels.
"""

from archscope.compress.operators import (
    attention,
    axes,
    channelwise,
    layers,
    merges,
    rearrangements,
    recurrent,
)
from archscope.compress.operators.dispatch import flow, follow, narrowed, share

__all__ = [
    "attention", "axes", "channelwise", "flow", "follow", "layers", "merges", "narrowed",
    "rearrangements", "recurrent", "share",
]  # fmt: skip
