"""The cache of seeded requests: the same piece for the same owner is the same audio."""

from hashlib import sha256

from lambdas.core.pieces import Piece


def cache_key(owner: str, piece: Piece) -> str:
    """Names what decides the samples: every field but the format asked for, since all are made."""
    told = piece.model_dump_json(exclude={"format", "prompt", "genre"})
    return f"cache#{owner}#{sha256(told.encode()).hexdigest()}"
