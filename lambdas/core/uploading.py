"""Files from callers: each is given a place of its own, which its owner alone can fill or speak of."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import uuid4

from pydantic import BaseModel

from lambdas.core.ports import Clock, Form, Inbox, Ledger
from lambdas.core.principals import Principal
from lambdas.core.requests import UploadRequest

OPEN = timedelta(minutes=15)  # to send the file
KEPT = timedelta(hours=24)  # then the store deletes it, on its own account


class Upload(BaseModel):
    """A file that was announced; whether it came, the store knows."""

    upload_id: str
    key: str
    filename: str


@dataclass(frozen=True, slots=True)
class Offer:
    upload: Upload
    form: Form
    open_until: datetime
    kept_until: datetime


@dataclass(frozen=True)
class Uploads:
    inbox: Inbox
    ledger: Ledger
    clock: Clock
    draw_id: Callable[[], str] = lambda: str(uuid4())

    def offer(self, request: UploadRequest, principal: Principal) -> Offer:
        """A form that takes this one file: of this type, and of this many bytes at most."""
        now, upload_id = self.clock(), self.draw_id()
        key = _key(principal.id, upload_id)
        upload = Upload(upload_id=upload_id, key=key, filename=request.filename)
        self.ledger.put(_name(principal.id, upload_id), upload.model_dump_json(), now + KEPT)
        form = self.inbox.offer(key, request.content_type, request.bytes, int(OPEN.total_seconds()))
        return Offer(upload, form, now + OPEN, now + KEPT)

    def find(self, upload_id: str, principal: Principal) -> Upload | None:
        """None for what was never announced, is too old, or is another's."""
        told = self.ledger.get(_name(principal.id, upload_id))
        return None if told is None else Upload.model_validate_json(told)

    def arrived(self, upload: Upload) -> bool:
        return self.inbox.look(upload.key) is not None


def _key(owner: str, upload_id: str) -> str:
    return f"uploads/{sha256(owner.encode()).hexdigest()[:32]}/{upload_id}"


def _name(owner: str, upload_id: str) -> str:
    return f"upload#{owner}#{upload_id}"
