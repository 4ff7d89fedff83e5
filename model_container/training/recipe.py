"""Everything that decides what a training comes to, as one value. The defaults are the published recipe.

Knows the names that a checkpoint's `args` use. Must not know how anything is computed.
"""

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_type_hints

if TYPE_CHECKING:
    from model_container.cascade import Architecture

FREE = ("epochs", "patience", "save_every")  # may change when a training is resumed


class TrainingError(Exception):
    """The training cannot be done as asked; the message is for the person who asked."""


@dataclass(frozen=True)
class Recipe:
    """Options of a training; each is a flag. Raises TrainingError for values that cannot be."""

    model: Annotated[Literal["cascade", "single"], "two stages, or one that hears one track"] = "cascade"
    layers: Annotated[int, "encoder layers in each stage"] = 6
    heads: Annotated[int, "attention heads"] = 8
    dropout: Annotated[float, "share of activations dropped in training"] = 0.1
    agent: Annotated[Literal["masking", "compositional", "none"], "what prepares the tracks"] = "masking"
    anti_cheating: Annotated[float, "noise added to what the stages read, in standard deviations"] = 0.1
    weight_input: Annotated[float, "RMS error against the first track"] = 0.3
    weight_target: Annotated[float, "RMS error against the second track"] = 0.3
    weight_spectral: Annotated[float, "multi-resolution spectral error against both"] = 0.0
    weight_mel: Annotated[float, "log-mel error against both"] = 0.0
    weight_corr: Annotated[float, "likeness of the loudness envelope to either track's"] = 0.5
    weight_reg: Annotated[float, "the agent's regularization"] = 0.1
    weight_balance: Annotated[float, "the agent's balance between the tracks"] = 15.0
    weight_outlier: Annotated[float, "tones that stand out of the spectrum"] = 0.01
    weight_gan: Annotated[float, "what the critic thinks; 0 trains without one"] = 0.1
    shuffle_targets: Annotated[bool, "pair each first track with a random second one"] = True
    seconds: Annotated[float, "length of a segment"] = 16.0
    pairs_per_song: Annotated[int, "pairs taken from a song, at most"] = 10
    max_pairs: Annotated[int, "pairs taken in all, at most"] = 2000
    validation: Annotated[float, "share of the songs that is kept for validation"] = 0.1
    batch: Annotated[int, "pairs in a step, on each device"] = 8
    lr: Annotated[float, "learning rate"] = 1e-4
    critic_lr: Annotated[float, "learning rate of the critic"] = 5e-5
    weight_decay: Annotated[float, "AdamW's weight decay"] = 0.01
    clip: Annotated[float, "largest gradient norm"] = 10.0
    lr_patience: Annotated[int, "epochs without a better validation before the rate is halved"] = 5
    seed: Annotated[int, "of the split, the order, the weights and the noise"] = 42
    epochs: Annotated[int, "epochs in all"] = 200
    patience: Annotated[int, "epochs without a better validation before it ends"] = 20
    save_every: Annotated[int, "epochs between checkpoints that are kept; 0 keeps none"] = 10

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
                raise TrainingError(f"{flag(each.name)} must not be negative or infinite, and is {value}")
        for name in ("layers", "batch", "epochs", "pairs_per_song", "max_pairs", "lr", "critic_lr", "clip"):
            if not getattr(self, name):
                raise TrainingError(f"{flag(name)} must be more than 0")
        if not self.dropout < 1:
            raise TrainingError(f"--dropout must be less than 1, and is {self.dropout}")
        if not 0 < self.validation < 1:
            raise TrainingError(f"--validation must lie between 0 and 1, and is {self.validation}")
        if not 0.5 <= self.seconds <= 26:
            raise TrainingError(f"--seconds must lie between 0.5 and 26, and is {self.seconds}")

    def architecture(self, dim: int) -> "Architecture":
        """Of the model for latents of so many channels. Raises CheckpointError if the heads do not fit."""
        # Here, since it brings torch, which sending a recipe away does not need.
        from model_container.cascade import Architecture

        cascade = self.model == "cascade"
        agent = None if self.agent == "none" or not cascade else self.agent
        return Architecture(cascade, self.layers, self.heads, dim, self.dropout, agent, self.anti_cheating)

    def published(self, dim: int) -> dict[str, Any]:
        """As a checkpoint's `args`, under the names that its readers know."""
        architecture = self.architecture(dim)
        return {
            "encoding_dim": dim,
            "num_layers": self.layers,
            "num_transformer_layers": len(architecture.widths),
            "nhead": self.heads,
            "dropout": self.dropout,
            "anti_cheating": self.anti_cheating,
            "use_creative_agent": architecture.agent == "masking",
            "use_compositional_agent": architecture.agent == "compositional",
            "loss_weight_input": self.weight_input,
            "loss_weight_target": self.weight_target,
            "loss_weight_spectral": self.weight_spectral,
            "loss_weight_mel": self.weight_mel,
            "corr_weight": self.weight_corr,
            "mask_reg_weight": self.weight_reg,
            "balance_loss_weight": self.weight_balance,
            "gan_weight": self.weight_gan,
            "disc_lr": self.critic_lr,
            "batch_size": self.batch,
            "unity_test": False,
            **{
                name: getattr(self, name)
                for name in ("shuffle_targets", "epochs", "lr", "weight_decay", "seed")
            },
        }

    def decisive(self) -> dict[str, Any]:
        """What must stay the same when a training is resumed."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}

    def arguments(self) -> list[str]:
        """The command line that gives this recipe."""
        return [word for name, value in asdict(self).items() for word in _words(name, value)]


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag(name) if value else f"--no-{name.replace('_', '-')}"]
    return [flag(name), str(value)]


@dataclass(frozen=True)
class Option:
    """A field of the recipe as a command line offers it."""

    name: str
    kind: type
    choices: tuple[str, ...]
    help: str


def options() -> list[Option]:
    hints = get_type_hints(Recipe, include_extras=True)
    told = ((each.name, *get_args(hints[each.name])) for each in fields(Recipe))
    return [Option(name, str if get_args(kind) else kind, get_args(kind), help) for name, kind, help in told]
