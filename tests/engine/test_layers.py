"""Who may import whom inside the container: nothing of ours from outside, and few of them torch."""

import sys
from pathlib import Path

import pytest

from tests.unit.test_layers import imports, module, sources, within

ENGINE, NATIVE = "model_container.engine", "model_container.native"
CASCADE, TRACKS = "model_container.cascade", "model_container.tracks"
# Package → what it may import beside the standard library. The first match counts.
TORCH = [
    f"{ENGINE}.torch_{part}"
    for part in ("codec", "copies", "decoder", "graph", "layers", "model", "player", "sampling")
]
S3 = {"botocore", "mypy_boto3_s3"}
MAY_IMPORT = {
    **{name: {"numpy", "torch", ENGINE} for name in (*TORCH, f"{ENGINE}.device")},
    ENGINE: {"numpy", "onnxruntime", "tokenizers", ENGINE, NATIVE},
    NATIVE: {"numpy", ENGINE, NATIVE},
    CASCADE: {"numpy", "torch", "safetensors", ENGINE, CASCADE},
    f"{TRACKS}.packing": {"numpy", "torch", "onnxruntime", "model_container"},
    f"{TRACKS}.torch_model": {"numpy", "torch", ENGINE, CASCADE, TRACKS},
    TRACKS: {"numpy", "onnxruntime", ENGINE, TRACKS},
    "model_container.graphs": {"numpy", "onnx", ENGINE, f"{CASCADE}.architecture", "model_container.graphs"},
    "model_container.server": {
        *("numpy", "pydantic", "starlette", "urllib3"),
        *(ENGINE, TRACKS, "model_container.server"),
    },
    "model_container.training.sagemaker": {"botocore", "sagemaker", "model_container.training"},
    "model_container.training": {
        *("av", "numpy", "torch", "tqdm", "transformers"),
        *(ENGINE, CASCADE, TRACKS, "model_container.training"),
    },
    "model_container.train": {"tqdm", "model_container"},
    "model_container.bucket": S3,
    "model_container.publish": {*S3, "model_container"},
    "model_container": {"numpy", "pydantic", "urllib3", "uvicorn", "model_container"},
}
RUNNING = (ENGINE, TRACKS, "model_container.server")
PACKING = f"{TRACKS}.packing"


@pytest.mark.parametrize("file", sources("model_container"), ids=module)
def test_a_module_imports_only_what_its_layer_may(file: Path) -> None:
    layer = next(allowed for package, allowed in MAY_IMPORT.items() if within(module(file), {package}))

    foreign = {name for name in imports(file) if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name for name in foreign if not within(name, layer)} == set()


@pytest.mark.parametrize("file", sources("model_container"), ids=module)
def test_what_serves_does_not_reach_what_packs(file: Path) -> None:
    packers = {"model_container.graphs", "model_container.pack", "model_container.native.pack", PACKING}
    if within(module(file), set(RUNNING)) and module(file) != PACKING:
        assert [name for name in imports(file) if within(name, packers)] == []
