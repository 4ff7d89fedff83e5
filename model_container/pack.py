"""Turn a published checkpoint into the files that the engine maps into memory, once.

    python -m model_container.pack CHECKPOINT FOLDER [--weights int8|fp32|bf16|int4|fp16]
    python -m model_container.pack CASCADE.pt FOLDER --encodec ENCODEC

The first packs MusicGen, without torch. The second packs the two-track model (a file, or a folder that holds
it, perhaps with EnCodec's folder `encodec` beside it) and needs torch, with which such files are written.

MusicGen's decoder is packed for both that can run it, our own and, where that is not compiled, ONNX Runtime;
the other's file is never read. bf16 and int4 are for our own alone, and fp16 is for a GPU alone.

Knows what a packed folder holds. Must not know how the engine runs it.
"""

import argparse
import hashlib
import shutil
import sys
from pathlib import Path

import numpy as np

from model_container.engine.checkpoint import SINGLE, Checkpoint
from model_container.engine.config import CheckpointError, DecoderConfig, load_config
from model_container.engine.decoder import DecoderWeights
from model_container.engine.manifest import Manifest
from model_container.engine.model import NATIVE
from model_container.engine.weights import CheckpointWeights
from model_container.graphs.codec import build_codec
from model_container.graphs.decoder import build_cross, build_decoder
from model_container.graphs.quantize import Linear, float32, int8
from model_container.graphs.tensors import ask, write_tensors
from model_container.graphs.text import build_text
from model_container.native import pack as native
from model_container.native.pack import Format

WEIGHTS: dict[str, tuple[Format | None, Linear | None]] = {
    "int8": (Format.INT8, int8),
    "fp32": (Format.FP32, float32),
    "bf16": (Format.BF16, None),
    "int4": (Format.INT4, None),
    "fp16": (None, None),
}
# Fixed positions, tied copies and what only training needs.
UNUSED = (
    "embed_positions.weights",
    "encoder.embed_tokens.weight",
    "codebook.inited",
    "codebook.cluster_size",
    "codebook.embed_avg",
)

ENCODEC = "encodec"  # EnCodec's folder beside a two-track checkpoint
BEST = "best_model.pt"  # what a training calls its result, among other files
REVISION = "REVISION"  # model and commit, where the weights were fetched with them


def pack(source: Path, target: Path, weights: str = "int8", encodec: Path | None = None) -> None:
    """Pack the checkpoint in `source` into `target`, which is made or replaced as a whole.

    encodec: EnCodec's folder, for a two-track checkpoint; default: the one beside it.
    Raises CheckpointError if the engine cannot run the checkpoint, and leaves `target` as it was.
    """
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        if (tracks := two_tracks(source, encodec)) is not None:
            _write_tracks(tracks, encodec or tracks.parent / ENCODEC, partial)
        else:
            _write(source, partial, weights)
    except BaseException:
        shutil.rmtree(partial)
        raise
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def two_tracks(source: Path, encodec: Path | None = None) -> Path | None:
    """The two-track checkpoint that this is or holds; None when it is none, and no EnCodec goes with it.

    Raises CheckpointError.
    """
    if source.is_file():
        return source
    if not (encodec or (source / ENCODEC).is_dir() or any(source.glob("*.pt"))):
        return None
    if (source / BEST).exists():
        return source / BEST
    found = sorted(file for kind in ("*.pt", "*.safetensors") for file in source.glob(kind))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise CheckpointError(f"{source} holds several checkpoints: {names}. Name one of them.")
    if not found:
        raise CheckpointError(f"{source} holds no two-track checkpoint: *.pt or *.safetensors is expected")
    return found[0]


def _write_tracks(source: Path, encodec: Path, folder: Path) -> None:
    try:
        from model_container.tracks import packing  # here, as MusicGen is packed without torch
    except ModuleNotFoundError as error:
        raise CheckpointError(
            f"a two-track checkpoint is packed with {error.name}, which is missing: it is of "
            "model_container/requirements-train.txt"
        ) from error
    packing.write_tracks(source, encodec, folder)
    revision = digest(source, *sorted(encodec.glob("*.safetensors")))
    Manifest("tracks", "cascade", revision, "fp32").write(folder)


def digest(*files: Path) -> str:
    """What names weights that carry no name of their own."""
    made = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            made.update(hashlib.file_digest(content, "sha256").digest())
    return f"sha256:{made.hexdigest()[:16]}"


def _about(source: Path, weights: str, melody: bool) -> Manifest:
    """Named as `model_container.weights` wrote down, or else by kind and content."""
    try:
        model, revision = (source / REVISION).read_text().split()
    except (OSError, ValueError):
        model = "musicgen-melody" if melody else "musicgen"
        revision = digest(*sorted(source.glob("*.safetensors")))
    return Manifest("songs", model.rpartition("/")[2], revision, weights)


def _write(source: Path, folder: Path, weights: str) -> None:
    config = load_config(source)
    checkpoint = Checkpoint(source)
    for name in ("config.json", "tokenizer.json"):
        if not (source / name).exists():
            raise CheckpointError(f"{source / name} is missing")
        shutil.copyfile(source / name, folder / name)
    decoder = CheckpointWeights(checkpoint, config.decoder)
    build_text(folder / "text.onnx", checkpoint, config)
    _write_decoder(folder, decoder, *WEIGHTS[weights])
    if config.decoder.melody is not None:
        _write_melody(folder, checkpoint, config.decoder, config.decoder.melody.bins)
    np.save(folder / "embeddings.npy", decoder.embeddings())
    build_codec(folder, checkpoint, config.codec)
    checkpoint.finish(UNUSED)
    if weights == "fp16":
        write_tensors(folder / SINGLE, checkpoint, UNUSED)
    _about(source, weights, config.decoder.melody is not None).write(folder)


def _write_decoder(
    folder: Path, weights: DecoderWeights, format: Format | None, linear: Linear | None
) -> None:
    if format is None:
        ask(weights)
        return
    try:
        native.pack(weights, folder / NATIVE, format)
    except native.PackError as error:
        raise CheckpointError(str(error)) from error
    if linear is None:
        return
    build_decoder(folder / "decoder.onnx", weights, linear)
    if weights.config.melody is None:
        build_cross(folder / "cross.onnx", weights)


def _write_melody(folder: Path, checkpoint: Checkpoint, config: DecoderConfig, bins: int) -> None:
    weight = checkpoint.tensor("audio_enc_to_dec_proj.weight", config.hidden, bins)
    bias = checkpoint.tensor("audio_enc_to_dec_proj.bias", config.hidden)
    np.savez(folder / "melody.npz", weight=weight, bias=bias)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m model_container.pack", description=__doc__)
    parser.add_argument(
        "source", type=Path, metavar="CHECKPOINT", help="folder with config.json and safetensors, or a file"
    )
    parser.add_argument("target", type=Path, metavar="FOLDER", help="where the packed files go")
    parser.add_argument(
        "--weights", choices=WEIGHTS, default="int8", help="how the decoder's weights are stored"
    )
    parser.add_argument("--encodec", type=Path, metavar="FOLDER", help="EnCodec at 24 kHz, for two tracks")
    arguments = parser.parse_args()
    try:
        pack(arguments.source, arguments.target, arguments.weights, arguments.encodec)
    except CheckpointError as error:
        print(f"Not packed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
