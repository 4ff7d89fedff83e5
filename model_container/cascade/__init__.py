"""The two-track model: two songs' EnCodec latents in, the latents of a new one out.

Knows torch and nothing else. Must not know audio, EnCodec, HTTP, or how the model is trained.
"""

from model_container.cascade.architecture import Agent, Architecture
from model_container.cascade.blocks import LONGEST
from model_container.cascade.critic import Critic
from model_container.cascade.loading import load, load_critic
from model_container.cascade.network import Blend, Cascade, SingleStage, TwoTrack, build

__all__ = [
    "LONGEST",
    "Agent",
    "Architecture",
    "Blend",
    "Cascade",
    "Critic",
    "SingleStage",
    "TwoTrack",
    "build",
    "load",
    "load_critic",
]
