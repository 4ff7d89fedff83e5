"""ACE-Step 1.5's own API server on Modal: weights in a volume, no cost while nobody asks, no strangers.

    pip install -r deploy/requirements.txt && modal setup
    modal run deploy/acestep_modal.py::fetch_weights        # once: some 10 GB into the volume
    ACESTEP_GPU=L4 modal deploy deploy/acestep_modal.py     # prints the address

Modal's proxy asks for a token (`Modal-Key`, `Modal-Secret`) before a request wakes anything. docs/backends.md
says where Cadenza is told the address and the token. Imports nothing of Cadenza, and runs on Modal alone.
"""

import os
import subprocess
import threading
from pathlib import Path

import modal

SOURCE = "https://github.com/ace-step/ACE-Step-1.5"
REVISION = "dce621408bee8c31b4fcf4811682eb9359e1bc94"  # v0.1.8
WEIGHTS = "ACE-Step/Ace-Step1.5"
WEIGHTS_REVISION = "19671f406d603126926c1b7e2adc169acbcade22"
DIFFUSION, LANGUAGE = "acestep-v15-turbo", "acestep-5Hz-lm-1.7B"  # both in WEIGHTS

GPU = os.environ.get("ACESTEP_GPU", "L4")  # 24 GB; both models fit without offloading
IDLE_SECONDS = 330  # longer than Cadenza ever waits between two looks at a song
START_SECONDS = 900
REQUESTS = 100  # at once; they are looks at songs, the songs queue inside
PORT = 8001

HOME = "/opt/ace-step"
VOLUME = "/weights"
CHECKPOINTS = f"{VOLUME}/checkpoints"

app = modal.App("cadenza-acestep")
weights = modal.Volume.from_name("cadenza-acestep-weights", create_if_missing=True)

# The server's packages have an environment of their own: on the PATH it would hide Modal's.
image = (
    modal.Image.from_registry("nvidia/cuda:12.8.1-runtime-ubuntu22.04", add_python="3.11")
    .entrypoint([])
    .apt_install("build-essential", "ffmpeg", "git", "libsndfile1")
    .run_commands(
        "pip install uv==0.13.9",
        f"git init -q {HOME} && cd {HOME} && git remote add origin {SOURCE}"
        f" && git fetch -q --depth 1 origin {REVISION} && git checkout -q {REVISION}",
        f"cd {HOME} && uv sync --frozen --no-dev --python 3.11",
        # The server looks beside its own code, whatever it is told.
        f"ln -s {CHECKPOINTS} {HOME}/checkpoints",
    )
    .env(
        {
            "ACESTEP_CONFIG_PATH": DIFFUSION,
            "ACESTEP_LM_MODEL_PATH": LANGUAGE,
            "ACESTEP_INIT_LLM": "true",
            "ACESTEP_NO_INIT": "false",  # load before the first request, not in it
            "ACESTEP_QUEUE_WORKERS": "1",
            "HF_HUB_OFFLINE": "1",
        }
    )
)
fetching = modal.Image.debian_slim(python_version="3.11").pip_install("huggingface-hub==0.36.0")


@app.function(image=fetching, volumes={VOLUME: weights}, timeout=3600)
def fetch_weights() -> None:
    """Put the pinned weights into the volume. Safe to repeat; billed without a GPU."""
    from huggingface_hub import snapshot_download

    snapshot_download(WEIGHTS, revision=WEIGHTS_REVISION, local_dir=CHECKPOINTS)
    weights.commit()


# Its queue and its songs live in one process's memory, so there is one container, or none.
@app.function(
    image=image,
    gpu=GPU,
    cpu=4,
    memory=32_768,
    volumes={VOLUME: weights},
    max_containers=1,
    scaledown_window=IDLE_SECONDS,
    startup_timeout=START_SECONDS,
    timeout=600,
)
@modal.concurrent(max_inputs=REQUESTS)
@modal.web_server(PORT, startup_timeout=START_SECONDS, requires_proxy_auth=True)
def serve() -> None:
    """Raises FileNotFoundError when `fetch_weights` has not been run."""
    for model in (DIFFUSION, LANGUAGE):
        if not Path(CHECKPOINTS, model).is_dir():
            raise FileNotFoundError(f"{model} is not in the volume: run fetch_weights first")
    server = subprocess.Popen(
        [f"{HOME}/.venv/bin/acestep-api", "--host", "0.0.0.0", "--port", str(PORT)], cwd=HOME
    )
    threading.Thread(target=_end_with, args=(server,), daemon=True).start()


def _end_with(server: "subprocess.Popen[bytes]") -> None:
    """A container whose server died would go on costing, and answer nothing."""
    server.wait()
    os._exit(1)
