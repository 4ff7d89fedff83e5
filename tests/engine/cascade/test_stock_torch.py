"""Our layers beside torch's own: the same names, so that either reads the other's weights, and numbers."""

import pytest
import torch
from torch import Tensor, nn

from model_container.cascade import Architecture, build
from model_container.cascade.blocks import SpectralLinear

WIDTH, HEADS, LAYERS = 32, 4, 2


class Stock(nn.Module):
    """A single stage of nothing but torch's modules."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 4 * WIDTH, 0.0, "gelu", batch_first=True)
        self.input_norm = nn.LayerNorm(WIDTH)
        self.transformer = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.post_norm = nn.LayerNorm(WIDTH)
        self.output_proj = nn.utils.spectral_norm(nn.Linear(WIDTH, WIDTH))

    def forward(self, track: Tensor) -> Tensor:
        frames = track.transpose(1, 2)
        refined = self.output_proj(self.post_norm(self.transformer(self.input_norm(frames))))
        result: Tensor = (frames + refined).transpose(1, 2)
        return result


@pytest.fixture
def ours() -> nn.Module:
    torch.manual_seed(3)
    return build(Architecture(cascade=False, layers=LAYERS, heads=HEADS, dim=WIDTH, dropout=0.0))


@pytest.fixture
def stock(ours: nn.Module) -> Stock:
    made = Stock()
    made.load_state_dict(ours.state_dict(), strict=True)
    return made


def test_torchs_own_modules_read_our_weights_and_compute_the_same(ours: nn.Module, stock: Stock) -> None:
    track = torch.randn(2, WIDTH, 50)

    with torch.no_grad():
        assert torch.allclose(ours.eval()(track, track), stock.eval()(track), atol=1e-5)


def test_training_takes_the_same_steps(ours: nn.Module, stock: Stock) -> None:
    track, wanted = torch.randn(2, WIDTH, 50), torch.randn(2, WIDTH, 50)
    optimizers = [torch.optim.SGD(model.parameters(), lr=0.1) for model in (ours.train(), stock.train())]

    for _ in range(3):
        for out, optimizer in zip((ours(track, track), stock(track)), optimizers, strict=True):
            optimizer.zero_grad()
            (out - wanted).square().mean().backward()
            optimizer.step()

    theirs = stock.state_dict()
    assert all(torch.allclose(value, theirs[name], atol=1e-5) for name, value in ours.state_dict().items())


def test_a_new_projection_has_the_norm_one_at_once() -> None:
    torch.manual_seed(0)
    projection = SpectralLinear(384, 128).eval()

    largest = torch.linalg.matrix_norm(projection._normalised(), 2)

    assert largest.item() == pytest.approx(1, abs=0.05)
