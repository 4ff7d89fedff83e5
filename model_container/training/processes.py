"""The processes of one training: alone, or several that torchrun started, each with a device of its own.

Knows torch.distributed. Must not know what is trained.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from model_container.training.recipe import TrainingError

Result = TypeVar("Result")

PATIENCE = timedelta(hours=2)  # for the one process that decodes the songs


@dataclass(frozen=True)
class Processes:
    """This process among `world`; the one of rank 0 speaks and writes."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def parallel(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over all processes, its weights the first's."""
        return module if self.world == 1 else DistributedDataParallel(module)

    def gathered(self, value: Result) -> list[Result]:
        """Everyone's, by rank, for everyone. Values must not lie on a device."""
        everyone: list[Any] = [value] * self.world
        if self.world > 1:
            distributed.all_gather_object(everyone, value)
        return everyone

    def once(self, work: Callable[[], Result]) -> Result:
        """What the first process makes of it, for all; its TrainingError too: nobody waits in vain."""
        answer: list[Any] = [None, None]
        if self.leads:
            try:
                answer = [work(), None]
            except TrainingError as error:
                answer = [None, str(error)]
        if self.world > 1:
            distributed.broadcast_object_list(answer)
        if answer[1] is not None:
            raise TrainingError(answer[1])
        result: Result = answer[0]
        return result


@contextmanager
def started() -> Iterator[Processes]:
    """Alone unless torchrun's environment says otherwise; on a GPU where there is one."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" not in os.environ:
        yield Processes(device=device)
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
