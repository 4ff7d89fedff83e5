"""The measure of the bench of quality: how far one model's next-token distribution is from another's."""

import numpy as np
import pytest

from bench.quality import distance

SHAPE = (3, 4, 50)  # positions, codebooks, vocabulary


def logits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def test_a_model_is_no_distance_from_itself_wherever_its_logits_lie():
    figures = distance([logits(0)], [logits(0) + 5]).figures()

    assert figures["kl_mean"] == figures["kl_p95"] == 0
    assert figures["top1_agreement"] == 1


def test_two_coins_are_as_far_apart_as_by_hand():
    fairer, loaded = (np.log(np.array([[[p, 1 - p]]], np.float32)) for p in (0.6, 0.9))

    (divergence,) = distance([fairer], [loaded]).divergence.ravel()

    assert divergence == pytest.approx(0.6 * np.log(0.6 / 0.9) + 0.4 * np.log(0.4 / 0.1), rel=1e-5)


def test_every_position_of_every_song_counts():
    found = distance([logits(0), logits(1)], [logits(0), logits(2)])

    assert found.divergence.shape == (6, 4)
    assert not found.divergence[:3].any()
    assert found.divergence[3:].min() > 0
    assert found.error > 0
