"""One job through what a stage of cdk.json deploys: its chains, catalogue and registry; stores in memory.

python -m tests.fakes.deployed hum
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from infra.stage import Stage
from lambdas import hosting
from lambdas.audio.decode import decode
from lambdas.backends import upload
from lambdas.core.asking import Asking
from lambdas.core.choosing import Choice
from lambdas.core.commissioning import Commissioning
from lambdas.core.jobs import Job
from lambdas.core.models import offered
from lambdas.core.ports import untold
from lambdas.core.routing import Routing
from lambdas.settings import ConductorSettings
from tests.fakes.world import REQUEST, World

ROOT = Path(__file__).parents[2]


def deployed(stage: Stage) -> World:
    """A world whose hosts are those of the stage's chains, and which offers their models alone."""
    world = World()
    upload.put = world.objects.send  # type: ignore[assignment]  # the presigned addresses are the world's
    settings = ConductorSettings(
        stage=stage.name,
        chains=stage.chains,
        mock=stage.mock,
        **dict.fromkeys(("jobs_table", "ledger_table", "audio_bucket", "provenance_secret"), "-"),
        **dict.fromkeys(("jobs_queue_url", "deliveries_queue_url"), "-"),
    )
    hosts, models = hosting.hosts(settings, world.time, untold), offered(stage.chains, stage.hardware)
    world.submitter = replace(world.submitter, choice=Choice(models, set(stage.accepted_licences)))
    world.conductor = replace(
        world.conductor,
        routing=Routing(stage.chains, hosts, models, world.breakers),
        asking=Asking(hosts, Commissioning(world.objects), world.breakers),
        settling=replace(world.conductor.settling, backends=hosts),
    )
    return world


def played(stage: Stage, model: str) -> tuple[Job, float]:
    """The job when all has come to rest, and how many seconds of audio were handed to mastering."""
    world = deployed(stage)
    (job_id,) = world.submit(REQUEST.model_copy(update={"model": model}))
    world.run()
    wav: bytes = world.objects.files.get(f"audio/1d/{job_id}/{job_id}.wav", b"||nothing|")
    return world.job(job_id), decode(wav.split(b"|", 2)[2].rpartition(b"|")[0]).seconds


def main(model: str) -> None:
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    job, seconds = played(Stage.from_context(context.get), model)
    told = {"status": job.status, "backend": job.backend, "mock": job.mock, "seconds": seconds}
    print(json.dumps(told | {"licence": job.licence, "asked": job.piece.duration}))


if __name__ == "__main__":
    main(*sys.argv[1:])
