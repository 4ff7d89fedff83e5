"""One line of JSON for each event.

Knows logging. Must not know what is logged.
"""

import json
import logging
import re
import sys

PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
QUERY = re.compile(r"\?[^\s\"'\\<>]*=[^\s\"'\\<>]*")  # of an address: with a signature it is a right


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        event = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in PLAIN},
        }
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return QUERY.sub("?...", json.dumps(event, default=str))


def configure() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level="INFO", handlers=[handler], force=True)
