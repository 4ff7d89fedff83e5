"""Whether there is a GPU to compute on.

Knows where the driver and torch would be. Must not know models.
"""

from importlib.util import find_spec
from pathlib import Path

NVIDIA = Path("/dev/nvidiactl")


def cuda() -> bool:
    """Torch is imported only where there is a driver: that takes seconds."""
    if not NVIDIA.exists() or find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())
