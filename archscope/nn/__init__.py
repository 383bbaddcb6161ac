"""Torch modules that `torch.nn` lacks, for operators that need one; a file for each family."""

from archscope.nn.arithmetic import *  # noqa: F403
from archscope.nn.attention import *  # noqa: F403
from archscope.nn.axes import *  # noqa: F403
from archscope.nn.fourier import *  # noqa: F403
from archscope.nn.held_weights import *  # noqa: F403
from archscope.nn.layers import *  # noqa: F403
from archscope.nn.layout import *  # noqa: F403
from archscope.nn.mask import *  # noqa: F403
from archscope.nn.ordering import *  # noqa: F403
from archscope.nn.padded import *  # noqa: F403
from archscope.nn.product import *  # noqa: F403
from archscope.nn.recurrent import *  # noqa: F403
from archscope.nn.sampling import *  # noqa: F403
from archscope.nn.tokens import *  # noqa: F403
