"""The Prefer header (RFC 7240): of all that it can say, `wait` is understood."""

import re
from dataclasses import dataclass

LONGEST_WAIT = 25  # seconds; API Gateway gives up at 29
WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Preference:
    wait_s: int

    @property
    def applied(self) -> str:
        return f"wait={self.wait_s}"


def preference(header: str | None) -> Preference | None:
    """What is wished for, within what can be given; None when there is no (readable) wish to wait."""
    found = WAIT.search(header or "")
    return Preference(min(LONGEST_WAIT, int(found[1]))) if found else None
