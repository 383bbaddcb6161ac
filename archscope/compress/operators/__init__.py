"""The effect of operators on channels: `flow` follows them, `narrowed` removes some.

Both dispatch on the class of the operator, and the modules of this folder have the rules of
families. The rule of an operator holds if, for any channels that the tracker unites, the narrowed
operator computes on the rest the same as the operator with the removed channels set to zero.
`tests/compress/test_operators.py` tries it on every example of every operator. An operator without
a rule keeps all its channels.
"""

from archscope.compress.operators import channelwise, layers, merges, rearrangements
from archscope.compress.operators.dispatch import flow, narrowed, share

__all__ = ["channelwise", "flow", "layers", "merges", "narrowed", "rearrangements", "share"]
