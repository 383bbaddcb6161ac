"""What a file is by its first bytes, for errors about a file that is not what was expected."""

from __future__ import annotations

from pathlib import Path

WEIGHTS = "a file of weights (.safetensors)"
BEGIN = 512
"""How many bytes from the beginning of a file `described` reads."""
_LFS = "a pointer of Git LFS in place of the file, which `git lfs pull` fetches"
_PAGE = "a web page; download the raw file"
_KINDS = {
    b"version https://git-lfs.": _LFS,
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"RIFF": "an image, a sound or a film (RIFF)",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"PK\x03\x04": "a ZIP archive, as .pt, .npz, .keras and .docx files are",
    b"\x1f\x8b": "an archive compressed with gzip",
    b"BZh": "an archive compressed with bzip2",
    b"\xfd7zXZ": "an archive compressed with xz",
    b"\x28\xb5\x2f\xfd": "an archive compressed with zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x7fELF": "a program",
    b"MZ\x90": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"SQLite format 3": "a SQLite database",
    b"\x89HDF": "an HDF5 file, as .h5 files are",
    b"\x93NUMPY": "a NumPy array (.npy)",
    b"\xd0\xcf\x11\xe0": "a document of Microsoft Office",
    b"{\\rtf": "a document in rich text",
    b"\xff\xfe\0\0": "text in UTF-32; save it as UTF-8",
    b"\xff\xfe": "text in UTF-16; save it as UTF-8",
    b"\xfe\xff": "text in UTF-16; save it as UTF-8",
    **{b"\x80" + bytes([protocol]): "a pickle of Python" for protocol in range(2, 6)},
}
"""Kinds of files by their first bytes; of two that fit, the first counts."""


def described_file(path: Path) -> str:
    """Return what a file is, as `described` does; "" if it cannot be read."""
    try:
        with path.open("rb") as file:
            return described(file.read(BEGIN))
    except (OSError, ValueError):
        return ""


def described(data: bytes) -> str:
    """Return what a file is whose content begins so, such as `a PDF document`, or ""."""
    begin = data[:BEGIN]
    for signature, what in _KINDS.items():
        if begin.startswith(signature):
            return what
    if begin.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        return _PAGE
    if begin[257:262] == b"ustar":
        return "a tar archive"
    if begin[4:8] == b"TFL3":
        return "a TensorFlow Lite model; give it the suffix .tflite"
    if begin[7:10] == b'\0{"':
        return WEIGHTS
    if begin[:1] == b"\x08" and begin[2:3] == b"\x12":  # its version and the name of its producer
        return "an ONNX model; give it the suffix .onnx"
    return ""
