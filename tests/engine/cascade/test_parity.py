"""The model computes what the published one does, in every configuration whose outputs were recorded."""

import pytest
import torch
from torch import Tensor

from model_container.cascade import LONGEST, load, load_critic
from model_container.cascade.composing import CompositionalAgent
from model_container.cascade.masking import MaskingAgent
from model_container.cascade.network import Cascade
from tests.engine.cascade.weights import GOLDEN, SHAPES, drawn, plain, tracks

CLOSE = 1e-4


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("single_L4", 810_112),
        ("single_L6", 1_206_656),
        ("cascade_L4", 10_341_632),
        ("cascade_L6", 15_470_080),
        ("cascade_L4_mask", 11_623_362),
        ("cascade_L6_mask", 16_751_810),
        ("cascade_L4_comp", 24_856_710),
        ("cascade_L6_comp", 29_985_158),
    ],
)
def test_names_shapes_and_numbers_of_parameters_are_the_published_ones(name, parameters):
    model = load(plain(name))

    assert {key: list(value.shape) for key, value in model.state_dict().items()} == SHAPES[name]
    assert sum(each.numel() for each in model.parameters()) == parameters


def test_the_critic_has_the_published_names_and_shapes():
    critic = load_critic(plain("critic"))

    assert {key: list(value.shape) for key, value in critic.state_dict().items()} == SHAPES["critic"]


@pytest.mark.parametrize("name", ["single_L4", "cascade_L4", "cascade_L4_mask"])
def test_the_output_is_the_published_models(name):
    expected = GOLDEN[name]

    out = load(drawn(name))(*tracks())

    assert out.mean().item() == pytest.approx(expected["mean"], abs=CLOSE)
    assert out.std().item() == pytest.approx(expected["std"], abs=CLOSE)
    assert out[0, 0, :4].tolist() == pytest.approx(expected["first"], abs=CLOSE)
    assert out[1, 127, -4:].tolist() == pytest.approx(expected["last"], abs=CLOSE)


def test_the_masks_and_the_agents_losses_are_the_published_ones():
    expected = GOLDEN["cascade_L4_mask"]
    model = load(drawn("cascade_L4_mask"))
    assert isinstance(model, Cascade)
    assert isinstance(model.creative_agent, MaskingAgent)

    masks, blend = model.creative_agent.masks(*tracks()), model.blend(*tracks())

    assert masks.track1.mean().item() == pytest.approx(expected["input_mask_mean"], abs=CLOSE)
    assert masks.track2.mean().item() == pytest.approx(expected["target_mask_mean"], abs=CLOSE)
    assert masks.overlap().item() == pytest.approx(expected["overlap"], abs=CLOSE)
    assert masks.track1[0, 0, :4].tolist() == pytest.approx(expected["input_mask_first"], abs=CLOSE)
    assert _number(blend.regularization) == pytest.approx(expected["reg"], abs=CLOSE)
    assert _number(blend.balance) == pytest.approx(expected["balance"], abs=CLOSE)


def test_the_critics_logits_are_the_published_ones():
    logits = load_critic(drawn("critic"))(tracks()[0])

    assert logits.shape == (2, 1)
    assert logits[:, 0].tolist() == pytest.approx(GOLDEN["critic"]["logits(A)"], abs=CLOSE)


@pytest.mark.parametrize("name", ["single_L4", "cascade_L4_mask"])
def test_a_folded_projection_gives_the_same_as_the_stored_one(name):
    model = load(drawn(name))
    folded = model(*tracks())

    unfolded = model.train().eval()(*tracks())

    assert torch.allclose(folded, unfolded, atol=1e-5, rtol=0)


def test_the_single_stage_hears_the_first_track_alone_and_no_order():
    model, (first, second) = load(drawn("single_L4")), tracks()

    assert torch.equal(model(first, second), model(first, first))
    assert torch.allclose(model(first.flip(2), second).flip(2), model(first, second), atol=1e-5)


@pytest.mark.parametrize("name", ["cascade_L4", "cascade_L4_mask", "cascade_L4_comp"])
def test_the_cascade_hears_both_tracks_and_which_is_which(name):
    model, (first, second) = load(drawn(name)), tracks()

    assert not torch.allclose(model(first, second), model(second, first), atol=0.1)


def test_without_a_projection_the_cascade_is_the_mean_of_the_tracks_at_their_level():
    silenced = {
        name: torch.zeros_like(value) if "output_proj" in name else value
        for name, value in drawn("cascade_L4").items()
    }
    first, second = tracks()

    out, mean = load(silenced)(first, second), (first + second) / 2

    assert torch.nn.functional.cosine_similarity(out.flatten(), mean.flatten(), dim=0) > 0.999
    assert out.square().mean() == pytest.approx((first.square().mean() + second.square().mean()) / 2, rel=0.1)


def test_the_compositional_agents_loss_weighs_likeness_and_leaning():
    model, sources = load(drawn("cascade_L4_comp")), tracks()
    assert isinstance(model, Cascade)
    assert isinstance(model.creative_agent, CompositionalAgent)

    blend, composed = model.blend(*sources), model.creative_agent.compose(*sources)

    track = composed.track
    cosines = [(track * each).sum(1) / (track.norm(dim=1) * each.norm(dim=1)) for each in sources]
    logits = composed.logits.mean(dim=(0, 2))
    leaning = abs(float(logits[0] + logits[1] + logits[2] - logits[3] - logits[4] - logits[5]))
    expected = 0.5 * sum(abs(float(each.mean())) for each in cosines) + 0.1 * leaning
    assert blend.balance is None
    assert _number(blend.regularization) == pytest.approx(expected, abs=1e-5)


def test_the_composed_track_is_bounded_and_finite():
    weights = {
        name: value * (1e4 if "output_projection.3" in name else 1)
        for name, value in drawn("cascade_L4_comp").items()
    }
    model = load(weights)
    assert isinstance(model, Cascade)
    assert isinstance(model.creative_agent, CompositionalAgent)

    track = model.creative_agent.compose(*tracks()).track

    assert track.abs().max() == 50


def test_calling_the_model_computes_no_agents_losses(monkeypatch):
    def never(masks: object) -> Tensor:
        raise AssertionError("a loss was computed")

    for name in ("overlap", "separation_loss", "balance_loss"):
        monkeypatch.setattr(f"model_container.cascade.masking.Masks.{name}", never)

    assert load(drawn("cascade_L4_mask"))(*tracks()).shape == (2, 128, 40)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ((1, 128, 2001), (1, 128, 2001), "2001 frames"),
        ((1, 128, 0), (1, 128, 0), "0 frames"),
        ((1, 128, 20), (1, 128, 21), "differ"),
        ((1, 128, 20), (2, 128, 20), "differ"),
        ((1, 64, 20), (1, 64, 20), r"\[B, 128, T\]"),
        ((128, 20), (128, 20), r"\[B, 128, T\]"),
    ],
)
@pytest.mark.parametrize("name", ["single_L4", "cascade_L4"])
def test_latents_of_another_shape_are_refused(name, first, second, words):
    with pytest.raises(ValueError, match=words):
        load(drawn(name))(torch.zeros(first), torch.zeros(second))


def test_the_longest_latents_pass():
    assert load(drawn("cascade_L4"))(*[torch.ones(1, 128, LONGEST)] * 2).shape == (1, 128, LONGEST)


@pytest.mark.parametrize("name", ["single_L4", "cascade_L4_mask", "cascade_L4_comp"])
def test_the_model_exports_for_every_length(name):
    model, frames = load(drawn(name)), torch.export.Dim("frames", min=2, max=LONGEST)

    exported = torch.export.export(model, tracks(), dynamic_shapes=({2: frames}, {2: frames})).module()

    long = tuple(each.repeat(1, 1, 3)[:, :, :77] for each in tracks())
    assert torch.allclose(exported(*long), model(*long), atol=1e-4)


def _number(loss: Tensor | None) -> float:
    assert loss is not None
    return float(loss)
