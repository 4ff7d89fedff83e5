"""The composition root: settings in, use cases out. Each function loads only what it uses, once."""

import json
import os
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambdas.settings import (
    VERSION,
    ApiSettings,
    BreakerSettings,
    ChainSettings,
    ConductorSettings,
    CourierSettings,
    JanitorSettings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.audio.provenance import Signer
    from lambdas.aws.queues import SqsQueue
    from lambdas.core.announcing import Announcer
    from lambdas.core.breaking import Breakers
    from lambdas.core.collection import Collection
    from lambdas.core.conducting import Conductor
    from lambdas.core.hinting import Hints
    from lambdas.core.models import Model
    from lambdas.core.ports import Ledger, Tell
    from lambdas.core.spending import Spending
    from lambdas.core.submitting import Submitter
    from lambdas.core.tidying import Janitor
    from lambdas.core.uploading import Uploads
    from lambdas.core.views import Reader

AWS_ERRORS = (BotoCoreError, ClientError)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Api:
    settings: ApiSettings
    models: "Mapping[str, Model]"
    submitter: "Submitter"
    uploads: "Uploads"
    collection: "Collection"
    reader: "Reader"
    breakers: "Breakers"


@cache
def api() -> Api:
    from lambdas.aws import clients
    from lambdas.aws.jobs import DynamoJobs
    from lambdas.aws.ledger import DynamoLedger
    from lambdas.aws.objects import S3Objects
    from lambdas.aws.queues import SqsQueue
    from lambdas.core.admitting import Admission
    from lambdas.core.choosing import Choice
    from lambdas.core.collection import Collection
    from lambdas.core.models import offered
    from lambdas.core.sourcing import Sourcing
    from lambdas.core.submitting import Submitter
    from lambdas.core.uploading import Uploads
    from lambdas.core.views import Reader
    from lambdas.telemetry import Telemetry

    settings = ApiSettings.from_env(os.environ)
    jobs = DynamoJobs(clients.dynamodb(), settings.jobs_table)
    queue = SqsQueue(clients.sqs(), settings.jobs_queue_url)
    objects = S3Objects(clients.later(clients.s3), settings.audio_bucket)
    ledger = DynamoLedger(clients.dynamodb(), settings.ledger_table)
    models = offered(settings.chains, settings.hardware)
    spending = _spending(ledger, settings, Telemetry("api").tell)
    choice = Choice(models, frozenset(settings.accepted_licences))
    uploads = Uploads(objects, ledger, now)
    return Api(
        settings=settings,
        models=models,
        submitter=Submitter(
            jobs,
            queue,
            ledger,
            choice,
            Sourcing(jobs, uploads, now),
            Admission(jobs, queue, spending, now),
            now,
            deadline=timedelta(minutes=settings.deadline_minutes),
        ),
        uploads=uploads,
        collection=Collection(jobs, jobs, queue, objects, models, now),
        reader=Reader(objects, settings.audio_bucket, timedelta(minutes=settings.link_minutes)),
        breakers=_breakers(ledger, settings.breaker),
    )


@cache
def hints() -> "Hints | None":
    """What takes the calls of models' hosts; None where none is set up to call."""
    from lambdas.aws import clients
    from lambdas.aws.queues import SqsQueue
    from lambdas.aws.secrets import secret
    from lambdas.core.hinting import Hints

    settings = api().settings
    name = settings.replicate_webhook_secret
    if name is None:
        return None
    queue = SqsQueue(clients.sqs(), settings.jobs_queue_url)
    return Hints(queue, lambda: secret(clients.secrets(), name), now)


@dataclass(frozen=True)
class Conducting:
    settings: ConductorSettings
    conductor: "Conductor"
    queue: "SqsQueue"


@cache
def conducting() -> Conducting:
    from lambdas.audio.inputs import Inputs
    from lambdas.audio.joining import Joiner
    from lambdas.audio.mastering import Mastering
    from lambdas.aws import clients
    from lambdas.aws.jobs import DynamoJobs
    from lambdas.aws.ledger import DynamoLedger
    from lambdas.aws.objects import S3Objects
    from lambdas.aws.queues import SqsQueue
    from lambdas.core.asking import Asking
    from lambdas.core.commissioning import Commissioning
    from lambdas.core.conducting import Conductor
    from lambdas.core.finishing import Finishing
    from lambdas.core.leasing import Leasing
    from lambdas.core.models import CATALOGUE, offered
    from lambdas.core.preparing import Preparation
    from lambdas.core.routing import Routing
    from lambdas.core.settling import Settling
    from lambdas.hosting import hosts
    from lambdas.telemetry import Telemetry

    settings = ConductorSettings.from_env(os.environ)
    jobs = DynamoJobs(clients.dynamodb(), settings.jobs_table)
    queue = SqsQueue(clients.sqs(), settings.jobs_queue_url)
    objects = S3Objects(clients.s3(), settings.audio_bucket)
    ledger, telemetry = DynamoLedger(clients.dynamodb(), settings.ledger_table), Telemetry("conductor")
    backends = hosts(settings, now, telemetry.warn)
    models = offered(settings.chains, settings.hardware)
    spending = _spending(ledger, settings, telemetry.tell)
    deliveries = SqsQueue(clients.sqs(), settings.deliveries_queue_url)
    breakers = _breakers(ledger, settings.breaker, telemetry.tell)
    conductor = Conductor(
        jobs=jobs,
        queue=queue,
        objects=objects,
        preparation=Preparation(objects, Inputs(), CATALOGUE),
        routing=Routing(settings.chains, backends, models, breakers),
        asking=Asking(backends, Commissioning(objects), breakers, telemetry.warn),
        finishing=Finishing(objects, Joiner(), Mastering(_signer(settings), VERSION)),
        settling=Settling(jobs, objects, ledger, spending, deliveries, backends),
        spending=spending,
        leasing=Leasing(jobs, now, timedelta(seconds=settings.lease_seconds)),
        clock=now,
    )
    return Conducting(settings, conductor, queue)


def _spending(ledger: "Ledger", settings: ChainSettings, tell: "Tell") -> "Spending":
    from lambdas.core.spending import Ceilings, Spending

    ceilings = Ceilings(settings.daily_budget_usd, settings.principal_daily_budget_usd)
    return Spending(ledger, now, ceilings, tell)


def _breakers(ledger: "Ledger", settings: BreakerSettings, tell: "Tell | None" = None) -> "Breakers":
    from lambdas.core.breaking import Breakers, Policy
    from lambdas.core.ports import untold

    policy = Policy(
        failures=settings.failures,
        within=settings.within_seconds,
        rest=settings.rest_seconds,
        longest_rest=settings.longest_rest_seconds,
    )
    return Breakers(ledger, now, policy, tell=tell or untold)


def _signer(settings: ConductorSettings) -> "Signer | None":
    """The certificate that files are signed with; None until the operator has stored one."""
    from lambdas.audio.provenance import Signer
    from lambdas.aws import clients
    from lambdas.aws.secrets import secret

    stored = json.loads(secret(clients.secrets(), settings.provenance_secret))
    if "certificate" not in stored or "private_key" not in stored:
        return None
    return Signer(stored["certificate"], stored["private_key"])


@cache
def courier() -> "tuple[Announcer, SqsQueue]":
    from lambdas.aws import clients
    from lambdas.aws.jobs import DynamoJobs
    from lambdas.aws.objects import S3Objects
    from lambdas.aws.queues import SqsQueue
    from lambdas.aws.secrets import secret
    from lambdas.core.announcing import Announcer
    from lambdas.core.views import Reader
    from lambdas.outbound import Outbound

    settings = CourierSettings.from_env(os.environ)
    objects = S3Objects(clients.s3(), settings.audio_bucket)
    deliveries = SqsQueue(clients.sqs(), settings.deliveries_queue_url)
    announcer = Announcer(
        jobs=DynamoJobs(clients.dynamodb(), settings.jobs_table),
        deliveries=deliveries,
        courier=Outbound(),
        reader=Reader(objects, settings.audio_bucket, timedelta(minutes=settings.link_minutes)),
        # 48 letters and digits are base64 of 36 bytes: receivers know the same secret as `whsec_…`.
        secret=lambda: b64decode(secret(clients.secrets(), settings.webhook_secret)),
        clock=now,
    )
    return announcer, deliveries


@cache
def janitor() -> "Janitor":
    from lambdas.aws import clients
    from lambdas.aws.jobs import DynamoJobs
    from lambdas.aws.queues import SqsDeadLetters, SqsQueue
    from lambdas.core.tidying import Janitor

    settings = JanitorSettings.from_env(os.environ)
    jobs = DynamoJobs(clients.dynamodb(), settings.jobs_table)
    return Janitor(
        jobs=jobs,
        index=jobs,
        queue=SqsQueue(clients.sqs(), settings.jobs_queue_url),
        dead_letters=SqsDeadLetters(clients.sqs(), settings.dead_letter_queue_url),
        clock=now,
    )
