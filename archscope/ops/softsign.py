"""An activation function that torch computes in steps."""

from __future__ import annotations

from math import prod

from archscope.ir import Saved, Shape
from archscope.ops.activation import INPUT, Activation
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op


@op("softsign")
class Softsign(Activation, frozen=True):
    """x / (1 + |x|), Bergstra et al. 2009."""

    module, cost, keeps = "nn.Softsign", 3, INPUT

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, elements=prod(ins[0]))  # 1 + |x|


@recognises("onnx.Softsign")
def onnx_softsign(foreign: Foreign) -> Recognised | None:
    """Recognise a softsign."""
    return Recognised(Softsign(), foreign.ins)
