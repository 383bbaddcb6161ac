"""Read the data of tensors, which are in the model, in its file, or in external files."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from archscope.errors import DataError, LimitError, UnavailableError
from archscope.importers.file_content import Content, content_of
from archscope.importers.onnx.limits import COMPUTED_BYTES


class TensorData:
    """Returns tensors as arrays; those of large files are views of the file, read when used."""

    def __init__(self, onnx: Any, path: Path, content: Content) -> None:
        self.onnx, self.folder, self.own = onnx, path.parent, path.name
        self.contents: dict[str, Content] = {path.name: content}
        self.left = COMPUTED_BYTES + len(content)
        self.bytes = len(content)  # of the file, and of tensors in others

    def is_external(self, tensor: Any) -> bool:
        """Return whether the data of a tensor are external."""
        return bool(tensor.data_location == self.onnx.TensorProto.EXTERNAL)

    def array(self, tensor: Any) -> Any:
        """Return a tensor as a numpy array.

        Raises UnavailableError for a file that cannot be used, LimitError if tensors use the same
        bytes of it too often, other exceptions for broken tensors.
        """
        import numpy

        to_array = self.onnx.numpy_helper.to_array
        if not self.is_external(tensor):
            return to_array(tensor)
        content, offset, length = self._place(tensor)
        dtype = self.onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        shape = tuple(tensor.dims)
        if length and dtype.itemsize * prod(shape) == length:
            return numpy.frombuffer(content, dtype, prod(shape), offset).reshape(shape)
        # 4 bits, a type that numpy lacks, or too few bytes: left to ONNX.
        return to_array(self.loaded(tensor))

    def loaded(self, tensor: Any) -> Any:
        """Return a tensor with its data inside."""
        content, offset, length = self._place(tensor)
        made = self.onnx.TensorProto()
        made.CopyFrom(tensor)
        made.raw_data = content[offset : offset + length]
        made.data_location = self.onnx.TensorProto.DEFAULT
        del made.external_data[:]
        return made

    def _place(self, tensor: Any) -> tuple[Content, int, int]:
        """Return the bytes of a file, and the offset and length of a tensor in them."""
        given = {entry.key: entry.value for entry in tensor.external_data}
        location = given.get("location", "")
        content = self._content(tensor.name, location)
        try:
            offset = int(given.get("offset") or 0)
            length = int(given.get("length") or len(content) - offset)
        except ValueError:
            offset = length = -1
        if offset < 0 or length < 0 or offset + length > len(content):
            raise DataError(
                f"the weights of '{tensor.name}' are said to lie at"
                f" {given.get('offset', 0)!r:.30}, {given.get('length', '')!r:.30} bytes, of"
                f" '{location}', which has {len(content)}"
            )
        self.bytes += length if location != self.own else 0
        self.left -= length
        if self.left < 0:
            raise LimitError(
                f"its weights take the same bytes more than once, beyond the limit of"
                f" {COMPUTED_BYTES:,} more than there are"
            )
        return content, offset, length

    def _content(self, tensor: str, location: str) -> Content:
        """Return the bytes of an external file, after ONNX has accepted its name."""
        if location in self.contents:
            return self.contents[location]
        path = self.folder / location
        probe = self.onnx.TensorProto(name=tensor, data_location=1)
        # A byte is enough: files outside the folder, and links, are refused by name.
        for key, value in (("location", location), ("offset", "0"), ("length", "1")):
            probe.external_data.add(key=key, value=value)
        try:
            self.onnx.external_data_helper.load_external_data_for_tensor(probe, str(self.folder))
            content = content_of(path)
        except Exception as error:  # onnx versions raise different exceptions
            lines = (str(error).strip().splitlines() or [type(error).__name__])[0]
            reason = f"cannot be used: {lines}" if path.exists() else "is missing"
            raise UnavailableError(
                f"the weights of '{tensor}' are in '{location}', which {reason}"
            ) from None
        self.left += len(content)
        self.contents[location] = content
        return content
