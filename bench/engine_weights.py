"""Random weights of musicgen-small's exact architecture: `python -m bench.engine_weights FOLDER`.

Speed and memory do not depend on what the weights are.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)


def config() -> MusicgenConfig:
    text = T5Config(vocab_size=32128, d_model=768, d_ff=3072, num_layers=12, num_heads=12)
    audio = EncodecConfig(
        sampling_rate=32_000,
        num_filters=64,
        upsampling_ratios=[8, 5, 4, 4],
        use_causal_conv=False,
        use_conv_shortcut=False,
        codebook_size=2048,
        target_bandwidths=[2.2],
    )
    return MusicgenConfig(text_encoder=text, audio_encoder=audio, decoder=MusicgenDecoderConfig())


def tokenizer() -> Tokenizer:
    """A token for each letter, and T5's end mark: about as many as real tokens for a prompt of few words."""
    words = ["<pad>", "</s>", "<unk>", *(chr(ord("a") + i) for i in range(26)), " "]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return made


def main() -> None:
    folder = Path(sys.argv[1])
    torch.manual_seed(0)
    model = MusicgenForConditionalGeneration(config())
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()
    model.save_pretrained(folder)
    tokenizer().save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
