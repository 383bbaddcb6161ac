"""Model files that archscope cannot read: what they are, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from archscope.errors import OptionError, WordError

_CODE = "the network is in code: name it as mynet.py:MyNet, or export it to ONNX"
_TO_ONNX = "convert it: pip install tf2onnx, then python -m tf2onnx.convert"
_TORCH = (
    "a file of PyTorch, weights or a pickled module, which archscope does not unpickle",
    _CODE,
)
_SCRIPT = (
    "a program of TorchScript, whose layers are no longer known",
    "name the code that it was made of as mynet.py:MyNet, or export that to ONNX or as .pt2",
)
_CHECKPOINT = ("a checkpoint: weights without a network", _CODE)
KINDS = {
    ".pt": _TORCH,
    ".pth": _TORCH,
    ".pkl": ("a pickle, which archscope does not unpickle", _CODE),
    ".pickle": ("a pickle, which archscope does not unpickle", _CODE),
    ".ckpt": _CHECKPOINT,
    ".bin": ("a file of weights without a network", _CODE),
    ".safetensors": ("weights without a network", f"{_CODE}; --weights takes such a file"),
    ".npz": ("arrays of NumPy without a network", _CODE),
    ".npy": ("an array of NumPy", _CODE),
    ".ptl": ("a program of PyTorch Mobile", _CODE),
    ".torchscript": _SCRIPT,
    ".h5": (
        "a model or weights of Keras in HDF5",
        "save it as .keras: keras.models.load_model('net.h5').save('net.keras')",
    ),
    ".hdf5": (
        "a model or weights of Keras in HDF5",
        "save it as .keras: keras.models.load_model('net.hdf5').save('net.keras')",
    ),
    ".pb": (
        "a graph or a saved model of TensorFlow",
        f"{_TO_ONNX} --saved-model FOLDER --output net.onnx",
    ),
    ".weights": ("weights of darknet", "the network is in its .cfg"),
    ".mlmodelc": ("a compiled model of Core ML", "take the .mlpackage or .mlmodel"),
    ".engine": ("an engine of TensorRT", "take the ONNX file that it was built from"),
    ".trt": ("an engine of TensorRT", "take the ONNX file that it was built from"),
    ".plan": ("an engine of TensorRT", "take the ONNX file that it was built from"),
    ".xml": ("XML, but no network of OpenVINO", "its networks begin with <net"),
    ".mnn": ("a model of MNN", "take the model that it was converted from"),
    ".om": ("a model of Ascend", "take the model that it was converted from"),
    ".rknn": ("a model of RKNN", "take the model that it was converted from"),
    ".tmfile": ("a model of Tengine", "take the model that it was converted from"),
    ".pdmodel": ("a program of Paddle", "convert it: paddle2onnx, then read the .onnx"),
    ".pdparams": ("weights of Paddle", "convert the model: paddle2onnx, then read the .onnx"),
    ".params": ("weights of MXNet", "export the model to ONNX"),
    ".gguf": ("weights of a language model", "archscope reads networks"),
    ".t7": ("a file of Lua Torch", _CODE),
    ".mat": ("a file of MATLAB", "export the network: exportONNXNetwork(net, 'net.onnx')"),
    ".ipynb": ("a notebook", "put the class into a file: jupyter nbconvert --to script FILE"),
    ".zip": ("an archive", "unpack it first"),
    ".tar": ("an archive", "unpack it first"),
    ".gz": ("an archive", "unpack it first"),
}
"""A description of files and advice, by suffix."""
INSIDE = ("spec.yaml", "winner.yaml")
"""The networks of a run and of a study, in their folders."""
READ = (
    ".onnx", ".pt2", ".cfg", ".prototxt", ".param", ".keras", ".tflite", ".xml", ".yaml",
    ".py", ".caffemodel", ".mlmodel", ".mlpackage",
)  # fmt: skip
"""Suffixes of readable files that may be next to one that is not."""


def refuse(word: str) -> None:
    """Raise OptionError for a file that cannot be read; WordError if one next to it can.

    A word without an existing file is left to the code that looks for files.
    """
    if word.startswith(("http://", "https://")):
        raise OptionError(f"'{word}' is an address; download the file and give its path")
    path = Path(word)
    inside = next((path / name for name in INSIDE if _exists(path / name)), None)
    if inside is not None:
        raise WordError(f"'{word}' is a folder", word, inside.as_posix())
    if word and _is_folder(path):
        _refuse_folder(word, path)
    kind = KINDS.get(path.suffix.lower())
    if kind is None or not _exists(path):
        return
    what, advice = _SCRIPT if kind is _TORCH and _is_script(path) else kind
    others = (path.with_suffix(suffix) for suffix in READ if suffix != path.suffix.lower())
    beside = [other for other in others if other.is_file()]
    if beside:
        raise WordError(f"'{word}' is {what}", word, beside[0].as_posix())
    raise OptionError(f"'{word}' is {what}; {advice}")


def _refuse_folder(word: str, path: Path) -> None:
    """Raise WordError for a folder with one spec, OptionError for one with several."""
    specs = [spec.as_posix() for spec in sorted(path.glob("*.yaml")) if spec.is_file()]
    if len(specs) == 1:
        raise WordError(f"'{word}' is a folder", word, specs[0])
    if specs:
        raise OptionError(f"'{word}' is a folder; name a spec in it, such as {specs[0]}")


def refuse_without_suffix(word: str) -> None:
    """Raise WordError for a word that lacks the suffix of a file: `net` instead of `net.yaml`."""
    if word.strip() and not _exists(Path(word)):
        for suffix in READ:
            if _exists(Path(f"{word}{suffix}")):
                raise WordError(f"'{word}' is no file", word, f"{word}{suffix}")


def _is_script(path: Path) -> bool:
    """Return whether a PyTorch file is a TorchScript program, which contains its code."""
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, BadZipFile, ValueError):
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
