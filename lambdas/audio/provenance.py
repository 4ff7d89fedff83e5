"""Content Credentials: a signed C2PA manifest inside the file that says which model made it, and how.

Reaches no network: no timestamp authority, no revocation check, no remote manifest. A reader that does not
trust the certificate's issuer still sees that the file is whole and who claims to have made it.
"""

import io
from dataclasses import dataclass, field

import c2pa

from lambdas.audio.tags import Generator
from lambdas.core.recordings import CONTENT_TYPES, Format, Label

SIGNABLE = frozenset({Format.WAV, Format.MP3, Format.FLAC})  # C2PA has no place in Ogg
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ASSERTION = "org.cadenza.generation"
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}


class SigningError(Exception):
    """The manifest could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Signer:
    """An ES256 certificate chain, the signer's first, and the signer's private key, both PEM."""

    chain_pem: str
    key_pem: str = field(repr=False)


def sign(file: bytes, form: Format, label: Label, signer: Signer, generator: Generator) -> bytes:
    """Return the file with a manifest embedded. Raises SigningError."""
    signed = io.BytesIO()
    try:
        with (
            c2pa.Signer.from_info(_credentials(signer)) as credentials,
            c2pa.Context.from_dict(OFFLINE) as context,
            c2pa.Builder(_manifest(label, generator), context=context) as builder,
        ):
            builder.sign(credentials, CONTENT_TYPES[form], io.BytesIO(file), signed)
    except c2pa.C2paError as error:
        raise SigningError(str(error)) from error
    return signed.getvalue()


def _credentials(signer: Signer) -> c2pa.C2paSignerInfo:
    chain, key = signer.chain_pem.encode(), signer.key_pem.encode()
    return c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, key, None)


def _manifest(label: Label, generator: Generator) -> dict[str, object]:
    created = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": label.model, "version": label.model_revision},
    }
    return {
        "title": label.title,
        "claim_generator_info": [{"name": generator.name, "version": generator.version}],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [created]}},
            {"label": ASSERTION, "data": _generation(label)},
        ],
    }


def _generation(label: Label) -> dict[str, object]:
    return {
        "model": label.model,
        "modelRevision": label.model_revision,
        "licence": label.licence,
        "seed": label.seed,
        "jobId": label.job_id,
        "mock": label.mock,
    }
