"""Means of losses over batches and processes; the numbers stay on their device until they are asked for."""

from torch import Tensor

from model_container.training.processes import Processes

Means = dict[str, float]


class Mean:
    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, values: dict[str, Tensor], count: int) -> None:
        """The means of a batch of so many."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach().double() * count
        self._count += count

    def over(self, processes: Processes) -> Means:
        """Of all that was added in any process; the same in each."""
        own = {name: value.item() for name, value in self._sums.items()}
        everyone = processes.gathered((own, self._count))
        count = sum(each for _, each in everyone)
        names = dict.fromkeys(name for sums, _ in everyone for name in sums)
        return {name: sum(sums.get(name, 0.0) for sums, _ in everyone) / count for name in names}
