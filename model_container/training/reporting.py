"""How a training is followed: a bar for each epoch, a line after it, and TensorBoard's curves."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from model_container.training.loop import Batch
from model_container.training.means import Means


class Reporting:
    """Implements loop.Reporter. Curves go to `folder`/tensorboard; going on appends to them."""

    def __init__(self, folder: Path, purge_after: int = -1) -> None:
        # Curves beyond the state that is gone on from belong to epochs that are done again.
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge_after + 1)

    def steps(self, batches: Sequence[Batch], title: str) -> Iterable[Batch]:
        bar: Iterable[Batch] = tqdm(batches, desc=title, unit="step", leave=False, dynamic_ncols=True)
        return bar

    def epoch(self, epoch: int, training: Means, validation: Means, rate: float) -> None:
        for side, means in (("training", training), ("validation", validation)):
            for name, value in means.items():
                self._writer.add_scalar(f"{name}/{side}", value, epoch)
        self._writer.add_scalar("rate", rate, epoch)
        self._writer.flush()
        tqdm.write(
            f"epoch {epoch + 1}: training {training['loss']:.4f}, validation {validation['loss']:.4f}, "
            f"rate {rate:.1e}, gradient {training['gradient']:.2f}"
        )

    def __enter__(self) -> "Reporting":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
