"""A checkpoint is loaded as it is, or refused with the names of what is wrong: never half, never by guess."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from model_container.cascade import Critic, load, load_critic
from model_container.cascade.loading import Source
from model_container.engine.config import CheckpointError
from tests.engine.cascade.weights import tiny

ARGS = {"num_layers": 1, "nhead": 8, "num_transformer_layers": 3, "use_creative_agent": True, "dropout": 0.1}
WEIGHTS, PLAIN, SINGLE = tiny(True, "masking"), tiny(True, None), tiny(False, None)
COMPOSED = tiny(True, "compositional")
CRITIC = Critic(16).state_dict()
TRACKS = torch.randn(2, 2, 16, 20, generator=torch.Generator().manual_seed(1))


def _container(**changes: Any) -> dict[str, Any]:
    return {"epoch": 0, "model_state_dict": WEIGHTS, "args": ARGS, **changes}


@pytest.fixture(scope="module")
def expected() -> Tensor:
    return load(WEIGHTS)(*TRACKS)


def test_the_container_and_the_bare_weights_give_the_same_model(tmp_path: Path, expected: Tensor) -> None:
    torch.save(_container(best_val_loss=float("inf")), tmp_path / "best_model.pt")
    torch.save(WEIGHTS, tmp_path / "bare.pt")
    save_file(WEIGHTS, tmp_path / "bare.safetensors")

    sources: list[Source] = [
        tmp_path / "best_model.pt",
        str(tmp_path / "bare.pt"),
        tmp_path / "bare.safetensors",
    ]

    assert all(torch.equal(load(source)(*TRACKS), expected) for source in [*sources, _container()])


def test_numpys_arrays_serve_as_well_as_torchs(expected: Tensor) -> None:
    arrays = {name: value.numpy() for name, value in WEIGHTS.items()}

    assert torch.equal(load(arrays)(*TRACKS), expected)


def test_a_wrapper_of_parallel_training_is_taken_off(expected: Tensor) -> None:
    wrapped = {f"module.{name}": value for name, value in WEIGHTS.items()}

    assert torch.equal(load(wrapped)(*TRACKS), expected)


def test_torchs_newer_spectral_norm_is_understood(expected: Tensor) -> None:
    new = {
        "weight_orig": "parametrizations.weight.original",
        "weight_u": "parametrizations.weight.0._u",
        "weight_v": "parametrizations.weight.0._v",
    }

    def renamed(name: str) -> str:
        head, _, last = name.rpartition(".")
        return f"{head}.{new[last]}" if "output_proj" in name and last in new else name

    assert torch.equal(load({renamed(name): value for name, value in WEIGHTS.items()})(*TRACKS), expected)


def test_half_precision_is_widened():
    halves = {name: value.half() for name, value in SINGLE.items()}

    out = load(halves)(*TRACKS)

    assert out.dtype == torch.float32
    assert torch.allclose(out, load(SINGLE)(*TRACKS), atol=0.05)


def test_the_model_is_frozen_in_evaluation_mode_and_apart_from_its_source():
    source = {name: value.clone() for name, value in SINGLE.items()}
    model = load(source)
    before = model(*TRACKS)

    source["output_proj.bias"].fill_(100)

    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert torch.equal(model(*TRACKS), before)


def test_loading_costs_the_caller_no_random_numbers():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)

    load(SINGLE)

    assert torch.equal(torch.rand(3), expected)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_checkpoint_without_any_one_tensor_is_refused_by_its_name(data):
    weights = dict(data.draw(st.sampled_from([WEIGHTS, PLAIN, SINGLE, COMPOSED])))
    gone = data.draw(st.sampled_from(sorted(weights)))

    del weights[gone]

    with pytest.raises(CheckpointError, match=gone.replace(".", r"\.")):
        load(weights)


@settings(max_examples=12, deadline=None)
@given(st.data(), st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_number_that_is_none_is_refused_by_its_name(data, bad):
    weights = dict(tiny(True, "masking"))
    name = data.draw(st.sampled_from(sorted(weights)))
    weights[name] = weights[name].clone()

    weights[name].view(-1)[-1] = bad

    with pytest.raises(CheckpointError, match=f"{name.replace('.', '[.]')} is not finite"):
        load(weights)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_another_shape_is_refused_by_its_name(data):
    weights = dict(tiny(True, "masking"))
    name = data.draw(st.sampled_from(sorted(set(weights) - {"cascade_stages.0.output_proj.bias"})))

    weights[name] = weights[name].unsqueeze(0)

    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load(weights)


def test_a_tensor_that_nobody_asked_for_is_refused():
    with pytest.raises(CheckpointError, match=r"unexpected creative_agent\.extra"):
        load({**WEIGHTS, "creative_agent.extra": torch.zeros(1)})


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("cascade_stages.2.input_norm.weight", "three real stages"),
        ("rms_scale_logs.0", "learnable RMS"),
        ("rms_input_weights.1", "learnable RMS"),
        ("output_proj.weight", "without spectral"),
        ("cascade_stages.0.output_proj.weight", "without spectral"),
        ("output_proj.0.weight", "small network"),
        ("creative_agent.input_extractor.rhythm_extractor.0.weight", "no skips"),
        ("window_selector.0.weight", "window selector"),
        ("tonality_reducer_input.0.weight", "window selector"),
    ],
)
def test_an_older_layout_is_named(name, layout):
    with pytest.raises(CheckpointError, match=f"legacy.*{layout}.*{name}"):
        load({**PLAIN, name: torch.zeros(1)})


@pytest.mark.parametrize(
    "contradiction",
    [
        {"use_creative_agent": False},
        {"use_compositional_agent": True},
        {"num_transformer_layers": 1},
        {"num_layers": 2},
        {"encoding_dim": 64},
    ],
)
def test_args_that_contradict_the_weights_are_refused(contradiction):
    with pytest.raises(CheckpointError, match=next(iter(contradiction))):
        load(_container(args={**ARGS, **contradiction}))


def test_an_agent_that_was_asked_for_and_is_missing_is_refused():
    with pytest.raises(CheckpointError, match="use_creative_agent"):
        load({"model_state_dict": PLAIN, "args": ARGS})


def test_an_agent_changes_what_comes_out(expected: Tensor) -> None:
    alone = {name: value for name, value in WEIGHTS.items() if not name.startswith("creative_agent")}

    assert not torch.allclose(load(alone)(*TRACKS), expected, atol=0.01)


def test_a_single_stage_needs_no_agent_whatever_its_args_say():
    args = {**ARGS, "num_transformer_layers": 1}

    assert load({"model_state_dict": SINGLE, "args": args})(*TRACKS).shape == (2, 16, 20)


def test_the_number_of_heads_comes_from_the_args(expected: Tensor) -> None:
    assert not torch.allclose(load(_container(args={**ARGS, "nhead": 4}))(*TRACKS), expected, atol=1e-3)


@pytest.mark.parametrize("heads", [7, 0, -8, "8", True, 8.0])
def test_a_number_of_heads_that_cannot_be_is_refused(heads):
    with pytest.raises(CheckpointError, match="head"):
        load(_container(args={**ARGS, "nhead": heads}))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({}, "no weights"),
        ({"model_state_dict": {}}, "no weights"),
        ({"model_state_dict": [1]}, "no weights"),
        ({"a": 1}, "not a tensor"),
        ({"a": torch.zeros(2)}, "not a two-track model"),
        ({"a": np.zeros(2)}, "not a two-track model"),
        ({"transformer.layers.9999999999.x": torch.zeros(2)}, "missing"),
    ],
)
def test_what_is_no_checkpoint_is_refused(source, words):
    with pytest.raises(CheckpointError, match=words):
        load(source)


def test_args_of_a_kind_that_no_checkpoint_has_are_refused():
    with pytest.raises(CheckpointError, match="Namespace"):
        load(_container(args=argparse.Namespace(**ARGS)))


def test_a_file_that_is_missing_broken_or_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save(_container(), tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:100_000])
    (tmp_path / "text.pt").write_text("no checkpoint")
    (tmp_path / "empty.pt").touch()
    (tmp_path / "text.safetensors").write_text("no checkpoint")

    for name in ("absent.pt", "cut.pt", "text.pt", "empty.pt", "text.safetensors", "."):
        with pytest.raises(CheckpointError):
            load(tmp_path / name)


class Payload:
    def __reduce__(self) -> Any:
        return (Path("pwned").touch, ())


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model_state_dict": SINGLE, "args": Payload()}, tmp_path / "evil.pt")

    with pytest.raises(CheckpointError, match="read safely"):
        load(tmp_path / "evil.pt")

    assert not (tmp_path / "pwned").exists()


def test_vectors_that_divide_by_zero_are_refused():
    weights = dict(SINGLE)
    weights["output_proj.weight_u"] = torch.zeros(16)

    with pytest.raises(CheckpointError, match="output_proj divide by zero"):
        load(weights)


def test_the_critic_is_told_from_the_model():
    with pytest.raises(CheckpointError, match="critic"):
        load(CRITIC)
    with pytest.raises(CheckpointError, match="without a critic"):
        load_critic(_container())

    critic = load_critic(_container(discriminator_state_dict=CRITIC))

    assert torch.equal(critic(TRACKS[0]), load_critic(CRITIC)(TRACKS[0]))
