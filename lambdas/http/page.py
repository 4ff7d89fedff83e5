"""The OpenAPI document as one readable page: plain HTML, no script, nothing fetched from elsewhere."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from lambdas.http.operations import EVERYWHERE

Document = Mapping[str, Any]


STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
--line: #8884; --accent: light-dark(#8f3a12, #f0a070); }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 3rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
code, pre { font: .9em/1.5 ui-monospace, monospace; }
pre { white-space: pre-wrap; padding: .75rem; background: #8881; } a { color: var(--accent); }
.method { font-weight: 700; color: var(--accent); margin-right: .5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
td:first-child, th:first-child { width: 14rem; }
"""


def page(document: Document) -> str:
    info, server = document["info"], document["servers"][0]["url"]
    body = "".join(_operations(document))
    example = json.dumps({"prompt": "warm lo-fi piano for a rainy evening", "duration": 30})
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>{title} API</h1><p>{escape(info['description'])} "
        f'Version {escape(info["version"])}; <a href="openapi.json">OpenAPI document</a>.</p>'
        f"<pre>curl -X POST {escape(server)}/generate -d '{escape(example, quote=False)}'</pre>"
        f"<p>Any address may also answer {', '.join(map(str, EVERYWHERE))}.</p>{body}</main></body></html>"
    )


def _operations(document: Document) -> Iterator[str]:
    for path, item in sorted(document["paths"].items()):
        for method, operation in sorted(item.items()):
            yield f"<section><h2><span class='method'>{method.upper()}</span><code>{escape(path)}</code></h2>"
            yield f"<p><strong>{escape(operation.get('summary', ''))}</strong></p>"
            yield from (f"<p>{_marked(text)}</p>" for text in _paragraphs(operation))
            yield _table("Parameter", _parameters(operation))
            yield _table("Body field", _body(operation, document))
            yield _table("Answer", _answers(operation))
            yield "</section>"


def _paragraphs(operation: Document) -> list[str]:
    text = operation.get("description", "")
    return text.split("\n\n") if text != operation.get("summary") else []


def _parameters(operation: Document) -> Iterator[tuple[str, str]]:
    for parameter in operation.get("parameters", []):
        yield f"{parameter['name']} ({parameter['in']})", _type(parameter.get("schema", {}))


def _body(operation: Document, document: Document) -> Iterator[tuple[str, str]]:
    content = operation.get("requestBody", {}).get("content", {})
    yield from _fields(content.get("application/json", {}).get("schema", {}), document)


def _fields(schema: Document, document: Document, within: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a schema that is referred to, and behind it those of the objects that it holds."""
    name = schema.get("$ref", "").rpartition("/")[2]
    known = document.get("components", {}).get("schemas", {}).get(name, {})
    for field, told in known.get("properties", {}).items():
        yield within + field, " ".join(filter(None, (_type(told), told.get("description", ""))))
        for kind in told.get("anyOf", [told]):
            yield from _fields(kind, document, f"{within}{field}.")
            yield from _fields(kind.get("items", {}), document, f"{within}{field}[].")


def _answers(operation: Document) -> Iterator[tuple[str, str]]:
    for status, response in sorted(operation.get("responses", {}).items()):
        if int(status) in EVERYWHERE:
            continue
        yield str(status), response.get("description", "")


def _type(schema: Document) -> str:
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    return " or ".join(filter(None, (_kind(kind) for kind in kinds)))


def _kind(kind: Document) -> str:
    if "enum" in kind:
        return ", ".join(str(value) for value in kind["enum"])
    low, high = kind.get("minimum", kind.get("minLength")), kind.get("maximum", kind.get("maxLength"))
    bounds = f" {low:.10g}–{high:.10g}" if low is not None and high is not None else ""
    return f"{kind.get('type', '')}{bounds}"


def _table(head: str, rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td><code>{escape(a)}</code></td><td>{_marked(b)}</td></tr>" for a, b in rows)
    return f"<table><thead><tr><th>{head}</th><th></th></tr></thead>{cells}</table>" if cells else ""


def _marked(text: str) -> str:
    """Plain text as HTML, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
