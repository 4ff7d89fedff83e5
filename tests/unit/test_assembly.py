"""Reading a cloud assembly: stacks in the order they can be deployed, each with its assets."""

import json
from pathlib import Path

from local.assembly import read_stacks

DESTINATION = {"current": {"bucketName": "assets", "objectKey": "abc.zip"}}


def write_assembly(folder: Path, stacks: dict[str, list[str]]) -> None:
    """An assembly of these stacks, each named with those it depends on."""
    artifacts = {"Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}}}
    for name, dependencies in stacks.items():
        assets = {"type": "cdk:asset-manifest", "properties": {"file": f"{name}.assets.json"}}
        stack = {
            "type": "aws:cloudformation:stack",
            "properties": {"templateFile": f"{name}.json", "stackName": f"Cadenza-{name}"},
            "dependencies": [*dependencies, f"{name}.assets"],
        }
        artifacts |= {f"{name}.assets": assets, name: stack}
        files = {"abc": {"source": {"path": f"asset.{name}"}, "destinations": DESTINATION}}
        (folder / f"{name}.assets.json").write_text(json.dumps({"files": files}))
        (folder / f"{name}.json").write_text(json.dumps({"Description": name}))
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))


def test_a_stack_comes_after_every_stack_that_it_depends_on(tmp_path: Path) -> None:
    write_assembly(
        tmp_path, {"Watch": ["Service"], "Web": ["Service", "Data"], "Service": ["Data"], "Data": []}
    )

    names = [stack.name for stack in read_stacks(tmp_path)]

    assert names == ["Cadenza-Data", "Cadenza-Service", "Cadenza-Watch", "Cadenza-Web"]


def test_a_stack_brings_its_template_and_its_assets_with_their_keys(tmp_path: Path) -> None:
    write_assembly(tmp_path, {"Data": []})

    (stack,) = read_stacks(tmp_path)

    assert stack.template == {"Description": "Data"}
    assert [(asset.path, asset.key) for asset in stack.assets] == [(tmp_path / "asset.Data", "abc.zip")]
