"""The native decoder under sanitizers and on an emulated ARM: the same bits, nothing undefined on the way."""

import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from model_container.native.build import FLAGS, SOURCES, Toolchain, build
from model_container.native.pack import Format, pack
from tests.engine.reference_decoder import RandomWeights, tiny_config

GCC, ARM, QEMU = "g++", "aarch64-linux-gnu-g++", "qemu-aarch64"
DRIVER = Path(__file__).parent / "native_driver.cpp"
FORMATS = list(Format)
Driver = Callable[[Toolchain], Path]

pytestmark = pytest.mark.skipif(shutil.which(GCC) is None, reason="no g++ here")


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Compiles the driver for a toolchain, once."""
    folder = tmp_path_factory.mktemp("drivers")

    @cache
    def driver(toolchain: Toolchain) -> Path:
        library, target = build(toolchain), folder / toolchain.digest()
        assert library is not None
        flags = (*FLAGS, *toolchain.flags, f"-I{SOURCES}", f"-Wl,-rpath,{library.parent}")
        command = toolchain.compiler, *flags, str(DRIVER), str(library), "-o", str(target)
        subprocess.run(command, check=True)
        return target

    return driver


def play(program: Path, folder: Path, kernels: str, format: Format, *emulator: str) -> bytes:
    """The logits of the driver's songs."""
    packed, output = folder / "packed", folder / "logits"
    pack(RandomWeights(tiny_config(hidden=96, heads=4, ffn=160)), packed, format)
    command = [*emulator, str(program), str(packed), kernels, "2", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output.read_bytes()


@pytest.mark.parametrize("format", FORMATS, ids=[format.name.lower() for format in FORMATS])
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_sanitizers_find_nothing(driver, tmp_path, sanitizers, format):
    checked = Toolchain(GCC, flags=("-O1", "-g", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"))

    logits = play(driver(checked), tmp_path, "auto", format)

    assert logits == play(driver(Toolchain(GCC)), tmp_path, "portable", format)


@pytest.mark.skipif(
    not (shutil.which(ARM) and shutil.which(QEMU)), reason="no ARM compiler and emulator here"
)
@pytest.mark.parametrize("format", FORMATS, ids=[format.name.lower() for format in FORMATS])
@pytest.mark.parametrize("kernels", ["neon", "portable"])
def test_an_arm_cpu_gives_the_bits_of_this_one(driver, tmp_path, kernels, format):
    program = driver(Toolchain(ARM, "aarch64"))

    logits = play(program, tmp_path, kernels, format, QEMU, "-L", "/usr/aarch64-linux-gnu")

    assert logits == play(driver(Toolchain(GCC)), tmp_path, "portable", format)
