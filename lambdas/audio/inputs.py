"""A caller's recordings, as models take them. In work."""

from lambdas.core.errors import UnusableAudio
from lambdas.core.ports import Cut, Prepared


class Inputs:
    """Implements ports.Preparing."""

    def prepare(self, raw: bytes, cut: Cut) -> Prepared:
        raise UnusableAudio("Recordings are not read yet.")
