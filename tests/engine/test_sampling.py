"""Choosing tokens: the right odds, the right candidates, and noise that is the same again."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model_container.engine.sampling import COLD, Sampling, exponential, sample

ODDS = np.array([0.5, 0.25, 0.125, 0.1, 0.025])
LOGITS = np.log(ODDS).astype(np.float32)[None]


def counts(sampling: Sampling, logits: np.ndarray = LOGITS, steps: int = 4000) -> np.ndarray:
    """How often each token of codebook 0 was chosen."""
    chosen = [sample(logits, sampling, step)[0] for step in range(steps)]
    return np.bincount(chosen, minlength=logits.shape[1]) / steps


def test_tokens_come_as_often_as_they_should() -> None:
    np.testing.assert_allclose(counts(Sampling(top_k=0)), ODDS, atol=0.025)


def test_temperature_sharpens_and_flattens() -> None:
    for temperature in (0.5, 2.0):
        expected = ODDS ** (1 / temperature)
        np.testing.assert_allclose(
            counts(Sampling(temperature, top_k=0)), expected / expected.sum(), atol=0.025
        )


def test_temperature_zero_takes_the_likeliest() -> None:
    assert counts(Sampling(0), steps=20)[0] == 1


@pytest.mark.parametrize("temperature", [1e-10, 1e-40, 1e-300, 5e-324])
def test_so_does_one_that_is_hardly_more(temperature: float) -> None:
    assert counts(Sampling(temperature, top_k=0), steps=20)[0] == 1


ANY_LOGITS = arrays(
    np.float32, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.floats(-1e4, 1e4, width=32)
)


@given(
    logits=ANY_LOGITS,
    temperature=st.floats(0, 10),
    top_k=st.integers(0, 10_000),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, 2**32 - 1),
)
@example(logits=LOGITS, temperature=1.0, top_k=250, top_p=1e-17, seed=0)
@example(logits=LOGITS, temperature=5e-324, top_k=1, top_p=5e-324, seed=0)
def test_every_way_to_sample_gives_a_token(
    logits: np.ndarray, temperature: float, top_k: int, top_p: float, seed: int
) -> None:
    tokens = sample(logits, Sampling(temperature, top_k, top_p, seed), step=3)

    chosen = logits[np.arange(len(logits)), tokens]
    better = (logits > chosen[:, None]).sum(axis=1)
    assert tokens.shape == (len(logits),)
    assert (better < (top_k or 10_000)).all()
    if temperature < COLD or top_p < 0.02:  # of 40 tokens, the likeliest has a share of 0.025
        assert (better == 0).all()


def test_top_k_leaves_the_k_best_and_their_equals() -> None:
    tied = np.array([[3.0, 1.0, 2.0, 2.0, 0.0]], np.float32)

    assert (counts(Sampling(top_k=2), steps=500) > 0).tolist() == [True, True, False, False, False]
    assert (counts(Sampling(top_k=2), tied, steps=500) > 0).tolist() == [True, False, True, True, False]


@pytest.mark.parametrize(("top_p", "left"), [(0.4, 1), (0.6, 2), (0.8, 3), (0.95, 4), (1.0, 5)])
def test_top_p_leaves_the_likeliest_that_reach_it(top_p: float, left: int) -> None:
    found = counts(Sampling(top_k=0, top_p=top_p), steps=800)

    assert (found > 0).tolist() == [token < left for token in range(5)]


def test_codebooks_and_steps_and_seeds_have_their_own_noise() -> None:
    flat = np.zeros((4, 2048), np.float32)

    tokens = [sample(flat, Sampling(top_k=0, seed=seed), step) for seed in range(5) for step in range(5)]

    assert len(np.unique(tokens)) > 90


def test_noise_is_exponential_and_has_no_pattern() -> None:
    tokens = np.arange(2048)
    noise = np.stack([exponential(1, step, 0, tokens) for step in range(200)])

    assert np.isclose(noise.mean(), 1, atol=0.01)
    assert np.isclose(noise.var(), 1, atol=0.03)
    assert np.isclose(np.quantile(noise, 0.9), -np.log(0.1), rtol=0.01)
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.01


@given(seed=st.integers(-(2**70), 2**70), step=st.integers(0, 20_000), codebook=st.integers(0, 7))
def test_noise_of_a_token_does_not_depend_on_which_others_are_left(
    seed: int, step: int, codebook: int
) -> None:
    every = exponential(seed, step, codebook, np.arange(64))
    some = exponential(seed, step, codebook, np.array([3, 60]))

    np.testing.assert_array_equal(some, every[[3, 60]])
    assert np.isfinite(every).all()
    assert (every > 0).all()


@pytest.mark.parametrize("wrong", [{"temperature": -1}, {"top_k": -1}, {"top_p": 0}, {"top_p": 1.1}])
def test_what_is_no_way_to_sample_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a way"):
        Sampling(**wrong)  # type: ignore[arg-type]
