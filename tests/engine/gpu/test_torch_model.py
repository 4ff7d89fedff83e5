"""A checkpoint packed for a GPU: loaded as a server loads it, its sound and its refusals."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model_container.engine import torch_model
from model_container.engine.checkpoint import SINGLE, Checkpoint
from model_container.engine.config import CheckpointError, load_config
from model_container.engine.delay import DelayedCodes
from model_container.engine.encodec import CodecStream
from model_container.engine.generate import Window, generate, prefill
from model_container.engine.live import Engine
from model_container.engine.model import Model, max_positions
from model_container.engine.sampling import Sampling
from model_container.engine.song import Request
from model_container.engine.torch_codec import TorchCodec
from model_container.engine.torch_decoder import song_bytes
from model_container.engine.torch_graph import eagerly
from model_container.engine.torch_model import MAX_SLOTS, SPARE, device, fitting
from model_container.engine.torch_player import TorchPlayer
from model_container.pack import pack
from tests.engine import tiny
from tests.engine.conftest import Folders
from tests.engine.gpu.conftest import Players

# On a GPU cuDNN may choose other ways to sum than ONNX Runtime does on a CPU.
CLOSE = 1e-5 if device() == "cpu" else 1e-4


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_a_pack_for_a_gpu_is_loaded_by_itself_and_makes_songs(kind: str, packs: Folders) -> None:
    """One at a time: on a GPU a song's bits depend on how many are made beside it."""
    model = Model.load(packs(kind, "fp16"))

    with Engine(model) as engine:
        lives = [engine.play(Request("a b", 90, Sampling(seed=seed))) for seed in (1, 2, 1)]
        sounds = [np.concatenate(list(live), axis=1) for live in lives]

    assert isinstance(model.decoder, TorchPlayer)
    assert isinstance(model.codec, TorchCodec)
    assert sounds[0].shape == (model.config.decoder.channels, 90 * 640)
    np.testing.assert_array_equal(sounds[0], sounds[2])
    assert not np.array_equal(sounds[0], sounds[1])


@pytest.mark.parametrize("frames", [4, 55, 108, 142, 333])
@pytest.mark.parametrize("kind", ["text", "stereo"])
def test_codes_sound_as_in_the_cpu_engine_at_once_and_as_a_stream(
    kind: str, frames: int, packs: Folders
) -> None:
    codec, cpu = Model.load(packs(kind, "fp16")).codec, Model.load(packs(kind)).codec
    codes = np.random.default_rng(frames).integers(0, tiny.VOCABULARY, (tiny.BOOKS * codec.channels, frames))

    expected = cpu.decode(codes)
    stream = CodecStream(codec)
    pieces = [stream.push(codes[:, start : start + 13]) for start in range(0, frames, 13)]

    assert expected.std() > 0.01
    np.testing.assert_allclose(codec.decode(codes), expected, atol=CLOSE)
    np.testing.assert_allclose(np.concatenate([*pieces, stream.finish()], axis=1), expected, atol=CLOSE)


def logits_of(model: Model) -> np.ndarray:
    codes = np.random.default_rng(0).integers(0, tiny.VOCABULARY, (4, 40))
    window = Window(0, model.conditions("brass"), DelayedCodes(model.config.decoder, 50, codes), Sampling())
    for _ in prefill(model, window):
        pass
    hidden = model.embedding.tokens(window.codes.columns(40, 41), np.array([40]))
    return model.decoder.step(np.array([0]), hidden, np.array([40]), np.array([3.0], np.float32))


def test_weights_in_16_bits_stay_close(packs: Folders) -> None:
    expected, logits = map(
        logits_of, (Model.load(packs("text"), decoder="onnx"), Model.load(packs("text", "fp16")))
    )

    error = np.sqrt(np.mean((logits - expected) ** 2)) / expected.std()
    assert 1e-5 < error < 0.005


def test_a_precision_is_refused_for_a_pack_that_has_its_own(packs: Folders) -> None:
    with pytest.raises(CheckpointError, match="bf16 is for a pack for GPUs"):
        Model.load(packs("text"), dtype="bf16")


def test_recordings_are_continued(packs: Folders) -> None:
    model = Model.load(packs("text", "fp16"))
    recording = np.random.default_rng(3).standard_normal((1, 64 * 640), np.float32) * 0.3
    prompt = model.codec.encode(recording)

    codes = generate(
        model, Window(0, model.conditions("x"), DelayedCodes(model.config.decoder, 100, prompt), Sampling())
    )

    np.testing.assert_array_equal(codes[:, :64], prompt)
    assert len(np.unique(codes[:, 64:])) > 10


def test_what_it_holds_is_the_decoder_in_16_bits_and_the_codecs_one_side(packs: Folders) -> None:
    folder = packs("text", "fp16")
    names = list(Checkpoint(folder).shapes(""))

    assert {".".join(name.split(".")[:2]) for name in names} == {
        "audio_encoder.decoder",
        "decoder.lm_heads",
        "decoder.model",
    }
    assert not (folder / "decoder.native").exists()


@pytest.mark.parametrize("kind", ["text", "stereo-melody"])
def test_what_a_song_is_said_to_take_is_what_its_slot_takes(kind: str, players: Players) -> None:
    one, two = (
        players(kind, slots=slots, device="meta", dtype=torch.float16, record=eagerly) for slots in (1, 2)
    )

    small, large = (player._past.both.nbytes + player._texts.both.nbytes for player in (one, two))

    assert song_bytes(one.config, one.max_positions, torch.float16) == large - small > 0


def test_songs_fill_the_memory_beside_weights_and_what_is_spared() -> None:
    weights, song = 5 << 30, 900 << 20

    assert fitting(weights + SPARE + 7 * song, weights, song) == 7
    assert fitting(weights + SPARE + 7 * song - 1, weights, song) == 6
    assert fitting(weights, weights, song) == 1
    assert fitting(1 << 40, weights, song) == MAX_SLOTS


@pytest.mark.parametrize(("dtype", "more"), [("auto", 1), ("bf16", 1), ("fp32", 2)])
def test_a_gpus_slots_are_counted_by_its_free_memory_and_the_precision(
    dtype: str, more: int, packs: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packs("text", "fp16")
    config, weights = load_config(folder), (folder / SINGLE).stat().st_size
    song = song_bytes(config.decoder, max_positions(config), torch.float16)
    free = SPARE + more * (weights + 9 * song)
    monkeypatch.setattr(torch_model, "device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 1 << 40))

    assert torch_model.slots(folder, config, max_positions(config), dtype) == 9


def test_a_precision_can_be_chosen(packs: Folders) -> None:
    logits = {name: logits_of(Model.load(packs("text", "fp16"), dtype=name)) for name in ("fp32", "bf16")}

    error = np.sqrt(np.mean((logits["bf16"] - logits["fp32"]) ** 2)) / logits["fp32"].std()
    assert 1e-3 < error < 0.03


def test_a_checkpoint_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "checkpoint")
    every = tiny.tensors("text")
    del every["decoder.model.decoder.layers.1.fc2.weight"]
    tiny.save(folder / SINGLE, every)

    with pytest.raises(CheckpointError, match=r"layers\.1\.fc2\.weight is missing"):
        pack(folder, tmp_path / "pack", "fp16")
