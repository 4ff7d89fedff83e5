"""The model container's Dockerfile, read as text: what no lint holds."""

import re

from local.image import DOCKERFILE, instructions

TEXT = DOCKERFILE.read_text()
STAGES = re.findall(r"^FROM \S+ AS (\S+)$", TEXT, re.MULTILINE)


def test_both_images_run_as_nobody_special() -> None:
    images = re.findall(r"^FROM runtime AS (\S+)$", TEXT, re.MULTILINE)

    assert images == ["cuda", "cpu"]  # the last one is built when none is named
    assert [told for name, told in instructions(TEXT, "runtime") if name == "USER"] == ["10001"]
    assert not [name for stage in images for name, _ in instructions(TEXT, stage) if name in ("USER", "RUN")]


def test_packages_are_installed_from_pinned_files_alone() -> None:
    installs = [told for stage in STAGES for _, told in instructions(TEXT, stage) if "pip install" in told]

    assert installs
    assert all(
        re.search(r"pip install --no-cache-dir -r model_container/requirements-\w+\.txt$", told)
        for told in installs
    )


def test_no_image_is_given_weights_or_a_compiler() -> None:
    for stage in STAGES:
        lines = list(instructions(TEXT, stage))
        assert not [told for name, told in lines if name == "ADD" or ".safetensors" in told]
        assert "build" in stage or not [told for _, told in lines if "g++" in told]


def test_kernels_are_compiled_where_the_compiler_is() -> None:
    assert [told for _, told in instructions(TEXT, "build") if "model_container.native.build" in told]


def test_continued_lines_and_comments_are_read_as_docker_does() -> None:
    text = "FROM a AS one\n# RUN nothing\nRUN x \\\n # between\n && y\nFROM b AS two\nRUN z"

    assert list(instructions(text, "one")) == [("RUN", "x && y")]
