"""Write a decoder's weights as the native decoder reads them: tiled, rounded if asked, mapped without a copy.

Knows the packed file (its definition is src/packed.hpp). Must not know checkpoints or how a step computes.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from model_container.engine.decoder import CrossWeights, DecoderWeights, FloatArray, LayerWeights, NormWeights

MAGIC, VERSION = b"CADENZA\0", 1
HEADER = struct.Struct("<8s 10I Q 72x")
LANES = 16  # outputs in a tile
SECTION = 64  # bytes that every section's start is a multiple of
Bytes = NDArray[np.uint8]


class Format(IntEnum):
    """How matrices are stored. INT8 is for use, FP32 and BF16 are for reference, INT4 is for drafts."""

    FP32 = 0
    BF16 = 1
    INT8 = 2
    INT4 = 3


class PackError(ValueError):
    """The weights cannot be packed; the message says why."""


def pack(weights: DecoderWeights, file: Path, format: Format = Format.INT8, group: int = 32) -> None:
    """Write `file`, whole or not at all. `group`: inputs that share a scale (16 … 128).

    Raises PackError for weights that are not finite and for sizes that the kernels do not cover.
    """
    config = weights.config
    if group % 16 or not 16 <= group <= 128 or config.hidden % group or config.ffn % group:
        raise PackError(f"groups of {group} do not divide {config.hidden} and {config.ffn} inputs")
    if config.head > 128:
        raise PackError(f"heads of {config.head} are larger than 128")
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("wb") as stream:
        _write(stream, weights, format, group)
    partial.replace(file)


def _write(stream: BinaryIO, weights: DecoderWeights, format: Format, group: int) -> None:
    config = weights.config
    sizes = config.hidden, config.heads, config.layers, config.ffn, config.codebooks, config.vocabulary
    stream.seek(HEADER.size)
    for array in _sections(weights):
        if not np.isfinite(array).all():
            raise PackError("a weight is NaN or infinite")
        data = array.astype("<f4").tobytes() if array.ndim == 1 else tile(array, format, group).tobytes()
        stream.write(data + bytes(-len(data) % SECTION))
    length = stream.tell()
    stream.seek(0)
    stream.write(HEADER.pack(MAGIC, VERSION, format, group, *sizes, int(config.melody is None), length))


def _sections(weights: DecoderWeights) -> Iterator[FloatArray]:
    """Everything in the file's order. What a step does not read comes last, so that what it reads adjoins."""
    layers = range(weights.config.layers)
    for index in layers:
        yield from _layer(weights.layer(index))
    yield from _norm(weights.norm())
    yield weights.heads()
    for index in layers:
        if cross := weights.layer(index).cross:
            yield np.concatenate([cross.key, cross.value])


def _layer(layer: LayerWeights) -> Iterator[FloatArray]:
    yield from _norm(layer.self_norm)
    yield np.concatenate([layer.query, layer.key, layer.value])
    yield layer.out
    if layer.cross:
        yield from _cross(layer.cross)
    yield from _norm(layer.ffn_norm)
    yield layer.up
    yield layer.down


def _cross(cross: CrossWeights) -> Iterator[FloatArray]:
    yield from _norm(cross.norm)
    yield cross.query
    yield cross.out


def _norm(norm: NormWeights) -> Iterator[FloatArray]:
    yield norm.scale
    yield norm.bias


def tile(matrix: FloatArray, format: Format, group: int) -> NDArray[Any]:
    """[outputs, inputs] → tiles of sixteen outputs (src/kernels.hpp), outputs padded with zeros."""
    padded = np.pad(matrix, ((0, -len(matrix) % LANES), (0, 0)))
    if format is Format.FP32:
        return _columns(padded.astype("<f4"))
    if format is Format.BF16:
        return _columns(_bfloat16(padded))
    scales, codes = quantize(padded, group, most=127 if format is Format.INT8 else 7)
    tiles = _bytes(codes + 128) if format is Format.INT8 else _nibbles(codes + 8)
    starts = (
        scales.reshape(-1, LANES, scales.shape[1]).transpose(0, 2, 1).reshape(len(tiles), -1).view(np.uint8)
    )
    starts = np.pad(starts, ((0, 0), (0, -starts.shape[1] % SECTION)))
    return np.concatenate([starts, tiles], axis=1)


def quantize(matrix: FloatArray, group: int, most: int) -> tuple[NDArray[np.uint16], NDArray[np.int16]]:
    """Round each group of inputs to integers in [-most, most] times one scale.

    Returns scales [outputs, groups], bfloat16 as its bits, and codes [outputs, inputs]. bfloat16 has fp32's
    range, so that small weights keep their precision, and is read by a shift. Scales are rounded up before
    codes are computed with them: nothing is clipped, and what a scale lost is not an error of its weights.
    """
    groups = matrix.reshape(len(matrix), -1, group)
    largest = np.abs(groups).max(axis=-1).astype(np.float32)
    bits = (largest / np.float32(most)).view(np.uint32)
    scales = ((bits.astype(np.uint64) + 0xFFFF) >> 16).astype(np.uint16)
    exact = (scales.astype(np.uint32) << 16).view(np.float32)[..., None]
    codes = np.divide(groups, exact, out=np.zeros_like(groups), where=exact > 0)
    return scales, np.rint(codes).astype(np.int16).reshape(matrix.shape)


def _columns(matrix: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(matrix.reshape(-1, LANES, matrix.shape[1]).transpose(0, 2, 1))


def _bytes(codes: NDArray[np.int16]) -> Bytes:
    quads = codes.astype(np.uint8).reshape(-1, LANES, codes.shape[1] // 4, 4)
    return np.ascontiguousarray(quads.transpose(0, 2, 1, 3)).reshape(len(quads), -1)


def _nibbles(codes: NDArray[np.int16]) -> Bytes:
    pairs = _bytes(codes).reshape(len(codes) // LANES, -1, 2, LANES * 4)
    low, high = pairs[:, :, 0], pairs[:, :, 1]
    return np.bitwise_or(low, np.left_shift(high, np.uint8(4))).reshape(len(pairs), -1)


def _bfloat16(matrix: FloatArray) -> NDArray[np.uint16]:
    """To the nearest, halves to even."""
    bits = matrix.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
