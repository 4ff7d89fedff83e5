"""The mock composer: a prompt and a seed become a song, with no model and no network."""

from lambdas.backends.composer.planning import plan
from lambdas.backends.composer.render import perform
from lambdas.backends.composer.score import Score
from lambdas.backends.composer.wav import SAMPLE_RATE, to_wav

__all__ = ["SAMPLE_RATE", "Score", "perform", "plan", "to_wav"]
