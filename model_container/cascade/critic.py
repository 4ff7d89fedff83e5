"""The critic: do these latents sound like music? Trained against the model, and never part of a song."""

from torch import Tensor, nn

LAYERS = ((256, 3, 2), (512, 5, 2), (512, 7, 2), (256, 9, 1))  # channels, kernel, stride
DROPOUT = 0.3


class Critic(nn.Module):
    """[B, dim, T] → logits [B, 1]; positive means music."""

    def __init__(self, dim: int = 128) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        inputs = dim
        for outputs, kernel, stride in LAYERS:
            parts.append(nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=kernel // 2))
            parts += [nn.LeakyReLU(0.2), nn.Dropout(DROPOUT)]
            inputs = outputs
        self.conv_layers = nn.Sequential(*parts)
        self.classifier = nn.Sequential(
            nn.Linear(256, 128), nn.LeakyReLU(0.2), nn.Dropout(DROPOUT), nn.Linear(128, 1)
        )

    def forward(self, latents: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.conv_layers(latents).mean(dim=2))
        return logits
