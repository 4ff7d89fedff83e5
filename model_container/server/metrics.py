"""The engine's numbers in Prometheus' text format.

Knows the format (https://prometheus.io/docs/instrumenting/exposition_formats). Must not know HTTP.
"""

from model_container.engine.live import Stats
from model_container.server.capacity import resident


def exposition(stats: Stats) -> str:
    """One line a number, each with its kind."""
    gauges = {
        "songs_waiting": stats.waiting,
        "songs_running": stats.running,
        "batch_size": stats.columns / stats.rounds if stats.rounds else 0.0,
        "real_time_factor": stats.busy_seconds / stats.music_seconds if stats.music_seconds else 0.0,
        "resident_bytes": resident(),
    }
    counters = {
        "rounds_total": stats.rounds,
        "busy_seconds_total": stats.busy_seconds,
        "music_seconds_total": stats.music_seconds,
    }
    lines = [
        f"# TYPE cadenza_{name} {kind}\ncadenza_{name} {value}"
        for kind, numbers in (("gauge", gauges), ("counter", counters))
        for name, value in numbers.items()
    ]
    return "\n".join(lines) + "\n"
