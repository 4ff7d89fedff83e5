"""The laptop: the stacks of infra/ on an AWS emulator. Imported by tests and benchmarks only."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
ACCOUNT = "000000000000"
REGION = "us-east-1"


class LocalError(Exception):
    """Something a person can act on; its message is one line."""
