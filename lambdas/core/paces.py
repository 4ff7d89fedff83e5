"""How many seconds a second of music takes to make, by who makes it on what: what estimates are made of.

Measured figures, of 21 November 2026 where they are our own, carried over by a stated rule to hardware that
nobody measured. Budgets are held against estimates, so each is rather too long than too short; what a song
did cost is its host's word. Knows nothing of money or jobs.
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

BANDWIDTH: Mapping[str, float] = MappingProxyType(
    {"t4": 320, "l4": 300, "a10g": 600, "l40s": 864, "a100-40gb": 1555, "a100-80gb": 1935, "h100": 3350}
)
"""GB/s of a GPU's memory, by its maker's data sheets: what making music token by token is bound by."""

GPUS: Mapping[str, str] = MappingProxyType(
    {
        "ml.g4dn.xlarge": "t4",
        "ml.g5.xlarge": "a10g",
        "ml.g5.2xlarge": "a10g",
        "ml.g6.xlarge": "l4",
        "ml.g6e.xlarge": "l40s",
    }
)
"""Of SageMaker's instances."""

AUDIOCRAFT_LARGE = 47.4 / 30
"""MusicGen large by Meta's own code on an A100 with 40 GB: 47.4 s for 1500 tokens, which are 30 s
(https://blog.youkuaiyun.com/gitblog_02388/article/details/144713374, a third party's)."""

ACE_STEP = 10 / 240
"""ACE-Step 1.5 on an A100: 0.5 to 10 s for a song, as its README says, with planning and all steps the ten;
a song taken as four minutes (https://github.com/ace-step/ACE-Step-1.5)."""

TWO_CORES: Mapping[str, float] = MappingProxyType({"small": 1.26, "cascade": 1.62 / 16})
"""Our container on two CPU cores: the slowest whole song of docs/log.md, and the cascade's benchmark."""

GB_PER_STEP: Mapping[str, float] = MappingProxyType({"small": 0.87, "medium": 3.64, "large": 6.26})
"""What a step of MusicGen reads: weights of 16 bits, and the cache as it is on average over 30 s."""

STEPS = 50  # that a second of audio takes
REACHED = 0.65  # of the memory's bandwidth, by decoders whose steps are one CUDA graph
GB_PER_CORE = 1769 / 1024  # memory that comes with a core: Lambda's figure, on which serverless endpoints run
ANSWER_SECONDS = 57.0  # in which a serverless endpoint's song must be there, of SageMaker's 60
LONGEST: Mapping[str, float] = MappingProxyType({"replicate": 30.0, "acestep": 600.0})
"""Seconds of audio that hosts make at once which have a limit of their own. ACE-Step's is DURATION_MAX in its
acestep/constants.py."""


def pace(model: str, host: str, hardware: str) -> float:
    """Seconds of work for a second of the model's audio. Raises KeyError where neither figure nor rule is.

    replicate: whichever MusicGen is asked for, it is a large checkpoint, by Meta's own code. That starts
    hundreds of kernels a step, so nothing is faster than the A100 it was measured on; what has less bandwidth
    is slower by as much. This makes 30 s on a T4 $0.052; a small model's page there says about $0.053 a run
    (https://internal.replicate.com/pphu/musicgen-small).
    acestep: the same rule, from its own figure.
    sagemaker: our container. On GPUs `STEPS × GB_PER_STEP / (REACHED × bandwidth)`, on paper: none was
    measured. On serverless CPUs two cores' figure, longer with less memory than brings two cores, and no
    shorter with more.
    """
    match host:
        case "replicate":
            return AUDIOCRAFT_LARGE * _slower(hardware)
        case "acestep":
            return ACE_STEP * _slower(hardware)
        case "sagemaker" if hardware.startswith("serverless-"):
            gb = float(hardware.removeprefix("serverless-").removesuffix("gb"))
            return TWO_CORES[_size(model)] * max(1.0, 2 * GB_PER_CORE / gb)
        case "sagemaker" if model == "cascade":
            return TWO_CORES[model]
        case "sagemaker":
            return STEPS * GB_PER_STEP[_size(model)] / (REACHED * BANDWIDTH[GPUS[hardware]])
    raise KeyError(host)


def longest(model: str, host: str, hardware: str | None) -> float:
    """Seconds of audio that a host makes at once."""
    if host == "sagemaker" and hardware is not None and hardware.startswith("serverless-"):
        return float(int(ANSWER_SECONDS / pace(model, host, hardware)))
    return LONGEST.get(host, inf)


def _slower(gpu: str) -> float:
    return max(1.0, BANDWIDTH["a100-40gb"] / BANDWIDTH[gpu])


def _size(model: str) -> str:
    """Of a MusicGen: melody is the medium one's, where it is not the large one's."""
    if model == "cascade":
        return model
    words = model.split("-")
    return next((size for size in ("small", "large") if size in words), "medium")
