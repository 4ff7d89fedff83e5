"""EnCodec's two ends around the model: sound to continuous latents and back; its quantizer is never asked.

Knows transformers' EnCodec (Défossez et al. 2022, arXiv:2210.13438). Must not know what is done to latents.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_container.training.recipe import TrainingError
from model_container.training.songs import RATE


class Codec(nn.Module):
    """A frozen encoder and decoder; gradients pass through the decoder to the latents."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        config = model.config
        if config.sampling_rate != RATE or config.audio_channels != 1 or config.normalize:
            raise TrainingError(
                f"EnCodec must be the {RATE // 1000} kHz model: mono and without normalisation, not "
                f"{config.sampling_rate} Hz, {config.audio_channels} channels, normalize={config.normalize}"
            )
        self.encoder, self.decoder = model.encoder, model.decoder
        self.dim: int = config.hidden_size
        self.requires_grad_(False)

    def train(self, mode: bool = True) -> "Codec":
        # cuDNN computes an LSTM's gradient in training mode only. Nothing else here differs by mode.
        super().train(True)
        return self

    def encode(self, sound: Tensor) -> Tensor:
        """[B, N] → [B, dim, ⌈N / 320⌉], 75 frames a second."""
        with torch.no_grad():
            latents: Tensor = self.encoder(sound.unsqueeze(1))
        return latents

    def decode(self, latents: Tensor, length: int) -> Tensor:
        """[B, dim, T] → [B, length]; what the last frame has beyond is cut off."""
        sound: Tensor = self.decoder(latents)
        return sound[:, 0, :length]


def load_codec(folder: Path) -> Codec:
    """From a folder with transformers' config.json and weights. Raises TrainingError."""
    from transformers import EncodecModel
    from transformers.utils import logging

    logging.disable_progress_bar()  # there is a bar for what takes long
    if not (folder / "config.json").is_file():
        raise TrainingError(f"{folder} holds no EnCodec: config.json is missing")
    try:
        model, told = EncodecModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise TrainingError(f"{folder} holds no EnCodec that can be read: {error}") from error
    lacking = sorted(name for name in told["missing_keys"] if name.startswith(("encoder.", "decoder.")))
    if lacking:
        raise TrainingError(f"{folder} lacks weights of EnCodec: {', '.join(lacking[:5])}")
    return Codec(model.float())
