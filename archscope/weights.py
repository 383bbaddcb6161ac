"""State dicts: read from files, matched with a network, and written."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from archscope.errors import GraphError, OptionError, did_you_mean, reason_of
from archscope.ir import Graph, Shape, text_of
from archscope.module_names import module_path
from archscope.signatures import WEIGHTS, described_file

if TYPE_CHECKING:
    from torch import Tensor, nn

COUNTER = "num_batches_tracked"
"""The step counter of torch's batch normalisation, which only training reads."""


LENGTH = "weight_g"
"""The lengths of the filters of a layer with weight norm; `weight_v` are their directions."""

SAFETENSORS = ".safetensors"
TORCH_FILES = (".pth", ".pt", ".bin", ".ckpt", ".tar")
"""Suffixes of files written by torch.save."""

WRAPPINGS = (
    "state_dict", "model_state_dict", "model", "net", "weights", "params", "state_dict_ema", "ema",
)  # fmt: skip
"""Keys of the weights in checkpoints, which also hold the optimizer, epoch and so on."""

PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
"""Prefixes that wrappers (DataParallel, torch.compile, trainers) add to every name."""

T = TypeVar("T")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file by their names in it; nothing in the file is executed.

    The file is safetensors, or a state dict written by torch.save, possibly inside a checkpoint.
    Raises OptionError if it cannot be read, or holds anything else.
    """
    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "no such file"
        raise OptionError(f"cannot read '{path}': {why}")
    if path.suffix in TORCH_FILES:
        return _state_dict(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    check_suffix(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise OptionError(f"cannot read '{path}': {why_unreadable(path, error)}") from None


def why_unreadable(path: Path, error: Exception) -> str:
    """Return why a file could not be read as safetensors, and what it is instead if that is known.

    `error` is that of the system or of safetensors.
    """
    if isinstance(error, OSError):
        return reason_of(error)
    what = described_file(path)
    if what == WEIGHTS:
        return "it is cut off or damaged"
    return f"it is {what}" if what else f"it is not {WEIGHTS}"


def check_suffix(path: Path) -> None:
    """Raise OptionError unless a file has the suffix of weights files."""
    if path.suffix not in (SAFETENSORS, *TORCH_FILES):
        known = ", ".join((SAFETENSORS, *TORCH_FILES))
        raise OptionError(f"expected a weights file ({known}), got '{path}'")


def _state_dict(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file written by torch.save. Raises OptionError."""
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how the file was pickled
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many exceptions for damaged files
        raise OptionError(_why_not_read(path, error)) from None
    found = tensors_in(content)
    for key in WRAPPINGS:
        if not found and isinstance(content, Mapping):
            found = tensors_in(content.get(key))
    if not found:
        raise OptionError(f"'{path}' holds no state dict: expected tensors by name")
    return found


def _why_not_read(path: Path, error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text:
        return (
            f"'{path}' is a TorchScript program; save only its weights with"
            " torch.save(torch.jit.load(file).state_dict(), 'weights.pth')"
        )
    if "weights_only" in text or "Weights only" in text:
        name = re.search(r"GLOBAL ([\w.]+)", text)
        what = f"more than weights ({name[1]})" if name else "more than weights"
        return (
            f"'{path}' holds {what}; save only the weights with"
            " torch.save(model.state_dict(), 'weights.pth')"
        )
    if what := described_file(path):
        return f"cannot read '{path}' as a file of torch.save: it is {what}, or it is damaged"
    reason = text.partition("\n")[0] if isinstance(error, OSError) else "it is damaged"
    return f"cannot read '{path}' as a file of torch.save: {reason}, or has another format"


def tensors_in(content: Any) -> dict[str, Tensor]:
    """Return the tensors of a state dict; empty for anything else."""
    import torch

    if not isinstance(content, Mapping):
        return {}
    return {str(name): value for name, value in content.items() if torch.is_tensor(value)}


def without_prefix(tensors: dict[str, T], wanted: Iterable[str]) -> dict[str, T]:
    """Remove the prefix of a wrapper from all names, unless the network has it."""
    known = set(wanted)
    while tensors and not known & tensors.keys():
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None)
        if prefix is None:
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write weights as safetensors, atomically. Raises OptionError."""
    from safetensors.torch import save

    from archscope.files import write_bytes

    if path.suffix != ".safetensors":
        raise OptionError(f"weights are written as .safetensors, got '{path}'")
    write_bytes(path, save(dict(weights), {"format": "pt"}))


def is_weight(name: str, axes: int) -> bool:
    """Return whether a tensor of a layer is a kernel or matrix, not a bias, norm or factor."""
    kind = name.rpartition(".")[2]
    return axes > 1 and "weight" in kind and kind != LENGTH


def kernel_names(graph: Graph) -> frozenset[str]:
    """Return the names of the kernels and matrices of convolutions and other layers with products.

    Learned factors and embeddings are none, and neither are constant filters.
    """
    from archscope.build import build

    layers = {module_path(node.name) for node in graph.nodes if node.facts.macs}
    return frozenset(
        name
        for name, tensor in build(graph, device="meta").named_parameters()
        if is_weight(name, tensor.ndim) and name.rpartition(".")[0] in layers
    )


def layer_names(kernels: Collection[str]) -> dict[str, str]:
    """Return a name for each kernel: that of its layer, its own if the layer has several."""
    layers = {name: name.rpartition(".")[0] for name in kernels}
    counts = Counter(layers.values())
    return {name: layer if counts[layer] == 1 else name for name, layer in layers.items()}


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 of weights: of their names, types, shapes and numbers."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> None:
    """Load weights into a network; errors refer to them as `source`.

    Raises OptionError unless names and shapes are those of the network.
    """
    check_fit(
        {name: tuple(tensor.shape) for name, tensor in weights.items()},
        {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()},
        source,
    )
    network.load_state_dict(dict(weights), strict=False)


def check_fit(weights: Mapping[str, Shape], wanted: Mapping[str, Shape], source: str) -> None:
    """Raise OptionError unless weights have the wanted names and shapes."""
    strange = [name for name in weights if name not in wanted]
    # Files of other tools may leave out torch's step counter, which inference does not read.
    missing = [name for name in wanted if name not in weights and not name.endswith(COUNTER)]
    if strange:
        guess = did_you_mean(strange[0], missing or wanted)
        raise OptionError(
            f"{source} has weights that the network lacks ({len(strange)} in all), first"
            f" '{strange[0]}'{guess}"
        )
    if missing:
        raise OptionError(
            f"{source} lacks {len(missing)} of the network's {len(wanted)} weights, first"
            f" '{missing[0]}'"
        )
    for name, shape in weights.items():
        if shape != wanted[name]:
            found, expected = (text_of(given) or "a number" for given in (shape, wanted[name]))
            raise OptionError(
                f"{source}: '{name}' has shape {found}, the network expects {expected}"
            )


def state_dict_of(
    graph: Graph, weights: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Return the weights of an imported model as a state dict of the graph's network.

    `weights` are by node, as importers give them; `names` maps the nodes that have another name
    in the graph. Raises GraphError if the graph cannot be built, or has other weights.
    """
    import torch

    from archscope.build import build

    wanted = build(graph, device="meta").state_dict()
    state: dict[str, Tensor] = {}
    for key, value in weights.items():
        node, _, name = key.rpartition(".")
        path = f"{module_path((names or {}).get(node, node))}.{name}"
        if path not in wanted:
            raise GraphError(f"the network has no weight '{path}'")
        # A factor per channel has the same numbers with and without axes of size 1.
        tensor = torch.as_tensor(value).detach().cpu()
        if tensor.squeeze().shape != wanted[path].squeeze().shape:
            raise GraphError(
                f"'{path}' needs shape {tuple(wanted[path].shape)}, got {tuple(tensor.shape)}"
            )
        state[path] = tensor.reshape(wanted[path].shape).clone().contiguous()
    for path in wanted:
        if path.rpartition(".")[2] == COUNTER:
            state.setdefault(path, torch.tensor(0))
    missing = [path for path in wanted if path not in state]
    if missing:
        raise GraphError(f"found no weights for {', '.join(missing[:3])}")
    return state
