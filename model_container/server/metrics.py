"""The engine's numbers.

Knows what the engine counts. Must not know HTTP.
"""

from model_container.engine.live import Stats
from model_container.server.capacity import resident


def numbers(stats: Stats) -> dict[str, float]:
    """Rates are over the time in which there was something to do."""
    return {
        "songs_waiting": stats.waiting,
        "songs_running": stats.running,
        "rounds": stats.rounds,
        "columns": stats.columns,
        "busy_seconds": round(stats.busy_seconds, 3),
        "batch_size": round(stats.columns / stats.rounds, 3) if stats.rounds else 0.0,
        "steps_per_second": round(stats.rounds / stats.busy_seconds, 3) if stats.busy_seconds else 0.0,
        "real_time_factor": round(stats.busy_seconds / stats.music_seconds, 4) if stats.columns else 0.0,
        "resident_bytes": resident(),
    }
