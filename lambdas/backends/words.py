"""What hosts say, made fit for the eyes of a song's owner. Whatever a host words passes through here.

A host's words may be a stack trace, a page of a proxy's, or what somebody made it say. Shown are letters on
one line: no markup, no control characters, no addresses, which may carry rights, and nothing like a key.
"""

import re
from typing import Annotated

from pydantic import AfterValidator

MOST = 300  # characters of a reason
READ = 16 * MOST  # characters that are looked at: what is left out may make room for more

SECRET = re.compile(
    r"""
    \w[\w+.-]*://\S+                                     # an address, of any kind
  | \b[\w-]*(?:signature|credential|token|secret|password|api[_-]?key)[\w-]*["']?\s*[=:]\s*\S+
  | \b(?:bearer|basic)\s+\S+
  | \barn:aws\S*
  | \b(?:r8|hf|ghp|whsec)_[\w+/=]+ | \b(?:sk|wk|ws)-[\w-]{8,}   # keys that say what they are
  | \b(?:AKIA|ASIA)[A-Z0-9]{12,}
    """,
    re.VERBOSE | re.IGNORECASE,
)
SHOWN = str.maketrans("<>", "‹›")


def plain(said: str, most: int = MOST) -> str:
    """At most `most` characters, of which no page and no terminal makes more than text."""
    printable = "".join(" " if each.isspace() else each for each in said[:READ] if _shown(each))
    return SECRET.sub("…", " ".join(printable.split())).translate(SHOWN)[:most].strip()


def _shown(each: str) -> bool:
    return each.isprintable() or each.isspace()


Said = Annotated[str, AfterValidator(plain)]
"""A field of a host's answer that is shown."""
