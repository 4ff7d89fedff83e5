"""Whom a laptop's ports answer: this machine's own programs, and the page that is served from here.

Nobody signs in here, and the emulated cloud runs the code that it is handed: a website that happens to be
open in a browser on this machine must not get in. A browser says on whose behalf it asks (Origin, Referer,
Fetch Metadata), and by which name (Host): another's name that is made to point here is DNS rebinding.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

NAMES = ("127.0.0.1", "localhost")


def unwelcome(scope: Mapping[str, Any], port: int) -> bool:
    """Whether a request is somebody else's. port: the page's own; links from elsewhere may lead there."""
    said = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if not _ours(said.get("host", NAMES[0])):
        return True
    if scope["server"][1] == port and scope["method"] == "GET" and said.get("sec-fetch-mode") == "navigate":
        return False
    asking = said.get("origin") or _origin(said.get("referer", ""))
    if asking:
        return asking not in [f"http://{name}:{port}" for name in NAMES]
    return said.get("sec-fetch-site") == "cross-site"


def _ours(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name in NAMES or name.endswith(".localhost")  # which every browser looks for on its own machine


def _origin(referer: str) -> str:
    try:
        parts = urlsplit(referer)
    except ValueError:
        return referer
    return f"{parts.scheme}://{parts.netloc}" if referer else ""
