"""Checkpoints in, models out, strictly: what does not fit is refused by name, and nothing stays random.

Reads the training container (`args` and `model_state_dict`), a bare state dict, or safetensors. A checkpoint
is data: torch unpickles it with `weights_only`, so that it cannot run code.
"""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from model_container.cascade.architecture import Architecture
from model_container.cascade.critic import Critic
from model_container.cascade.network import TwoTrack, build
from model_container.engine.config import CheckpointError

Source = str | Path | Mapping[str, Any]
Module = TypeVar("Module", bound=nn.Module)

# What torch's newer spectral normalisation calls the tensors.
RENAMED = {
    ".parametrizations.weight.original": ".weight_orig",
    ".parametrizations.weight.0._u": ".weight_u",
    ".parametrizations.weight.0._v": ".weight_v",
}


def load(source: Source) -> TwoTrack:
    """The model of a checkpoint, on the CPU, frozen, in evaluation mode, spectral norm folded.

    `source` is a file (.pt or .safetensors) or a mapping: a training container, or tensors by name (torch's
    or numpy's). The variant comes from the weights; `args`, where there are some, give the number of heads
    (else 8). Raises CheckpointError, which is a ValueError, naming what is missing, unexpected, of another
    shape, not finite, or older than the published layout.
    """
    container = _read(source)
    args = container.get("args") or {}
    if not isinstance(args, Mapping):
        raise CheckpointError(f"the checkpoint's args are a {type(args).__name__}, not a dict")
    weights = _weights(container.get("model_state_dict", container))
    if all(name.startswith(("conv_layers.", "classifier.")) for name in weights):
        raise CheckpointError("these are the critic's weights, not the model's")
    architecture = Architecture.of({name: tuple(value.shape) for name, value in weights.items()}, args)
    with torch.device("meta"):  # nothing is drawn or stored that the weights replace
        model = build(architecture)
    folded = _filled(model, weights).fold()
    for name, value in folded.named_buffers():
        if not bool(value.isfinite().all()):
            raise CheckpointError(f"the stored u and v of {name.removesuffix('.folded')} divide by zero")
    return folded


def load_critic(source: Source) -> Critic:
    """The critic of a training container, or of its own weights; frozen, in evaluation mode.

    Raises CheckpointError as `load` does, and when the container holds no critic.
    """
    container = _read(source)
    if "model_state_dict" in container and "discriminator_state_dict" not in container:
        raise CheckpointError("the checkpoint was trained without a critic")
    weights = _weights(container.get("discriminator_state_dict", container))
    first = weights.get("conv_layers.0.weight")
    with torch.device("meta"):
        critic = Critic(first.shape[1] if first is not None and first.ndim == 3 else 128)
    return _filled(critic, weights)


def _read(source: Source) -> Mapping[str, Any]:
    if isinstance(source, Mapping):
        return source
    path = Path(source)
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file")
    try:
        if path.suffix == ".safetensors":
            content = _safetensors(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, EOFError, KeyError, UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"{path} is not a checkpoint that can be read safely: {reason}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not weights by name")
    return content


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        from safetensors import SafetensorError  # needed only where this is the file's format
        from safetensors.torch import load_file
    except ImportError as error:
        raise CheckpointError(f"{path} needs the package safetensors, which is not installed") from error
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return tensors


def _weights(tensors: Any) -> dict[str, Tensor]:
    """Tensors under the published names; floats as fp32."""
    if not isinstance(tensors, Mapping) or not tensors:
        raise CheckpointError("the checkpoint holds no weights")
    wrapped = all(str(name).startswith("module.") for name in tensors)
    return {
        _name(str(name).removeprefix("module.") if wrapped else str(name)): _tensor(str(name), value)
        for name, value in tensors.items()
    }


def _name(name: str) -> str:
    for new, classic in RENAMED.items():
        if name.endswith(new):
            return name.removesuffix(new) + classic
    return name


def _tensor(name: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor) and not hasattr(value, "__array__"):
        raise CheckpointError(f"{name} is a {type(value).__name__}, not a tensor")
    tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.tensor(value)
    return tensor.float() if tensor.is_floating_point() else tensor


def _filled(model: Module, weights: dict[str, Tensor]) -> Module:
    expected = model.state_dict()
    faults = [
        *(f"missing {name}" for name in sorted(expected.keys() - weights.keys())),
        *(f"unexpected {name}" for name in sorted(weights.keys() - expected.keys())),
        *(_fault(name, weights[name], expected[name]) for name in sorted(expected.keys() & weights.keys())),
    ]
    if named := [fault for fault in faults if fault]:
        raise CheckpointError(f"the weights do not fit {type(model).__name__}: {'; '.join(named)}")
    model.load_state_dict({name: value.clone() for name, value in weights.items()}, assign=True)
    model.eval().requires_grad_(False)
    return model


def _fault(name: str, found: Tensor, expected: Tensor) -> str | None:
    if found.shape != expected.shape:
        return f"{name} is {list(found.shape)}, not {list(expected.shape)}"
    if found.is_floating_point() != expected.is_floating_point():
        return f"{name} is of type {found.dtype}, not {expected.dtype}"
    return None if bool(found.isfinite().all()) else f"{name} is not finite"
