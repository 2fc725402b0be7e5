"""The OpenAPI document as one HTML page that needs nothing else."""

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from core.json import JsonObject

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { border-bottom: 1px solid var(--line); margin-top: 3rem; padding-bottom: .3rem; }
code, pre { font: 0.9em/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: .8rem; overflow: auto; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; text-align: left;
         vertical-align: top; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; padding: .5rem .8rem; }
summary { cursor: pointer; }
tr:target { background: #fc04; }
.method { display: inline-block; font-weight: 700; min-width: 3.5rem; }
.note { opacity: .75; }
"""


def render(document: JsonObject) -> str:
    """Return the page; every error code is an anchor, ``#errors/{code}``."""
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    body = "\n".join((*_operations(document), *_schemas(document), *_errors(document)))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f"<h1>{title}</h1><p>{escape(document['info']['summary'])} The address of the API is "
        f"<code>{escape(document['servers'][0]['url'])}</code>; the same as a document: "
        f'<a href="openapi.json">openapi.json</a>; every error: <a href="#errors">errors</a>.</p>'
        f"{body}</body></html>"
    )


def _operations(document: JsonObject) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation["tags"]:
                    yield _operation(method.upper(), path, operation)


def _operation(method: str, path: str, operation: JsonObject) -> str:
    level = operation.get("x-auth-level")
    key = f"Needs a key of level {level.lower()} in Azure." if level else "Needs no key."
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="method">{method}</span> '
        f"<code>{escape(path)}</code> {_prose(operation['summary'])}</summary>"
        f"<p>{_prose(operation.get('description', ''))}</p>{_parameters(operation['parameters'])}"
        f"{_body(operation)}{_responses(operation['responses'])}"
        f'<p class="note">{key}</p></details>'
    )


def _parameters(parameters: Iterable[JsonObject]) -> str:
    rows = [
        (
            f"<code>{escape(one['name'])}</code> {escape(one['in'])}",
            _schema_in_words(one["schema"]),
            _prose(one.get("description", "")),
        )
        for one in parameters
    ]
    return _table(("parameter", "value", ""), rows) if rows else ""


def _body(operation: JsonObject) -> str:
    if "requestBody" not in operation:
        return ""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    names = ", ".join(_schema_in_words(one) for one in schema["anyOf"])
    return f"<p>Body: JSON, the parameters of the job type: {names}.</p>"


def _responses(responses: JsonObject) -> str:
    rows = []
    for status, response in responses.items():
        ((media_type, content),) = response["content"].items()
        schema = _schema_in_words(content["schema"]) if "schema" in content else ""
        rows.append((f"{status} {escape(response['description'])}", schema, f"<code>{media_type}</code>"))
    return _table(("answer", "body", "type"), rows)


def _schemas(document: JsonObject) -> Iterator[str]:
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        rows = [
            (
                f"<code>{escape(field)}</code>",
                _schema_in_words(value),
                _prose(value.get("description", "")),
            )
            for field, value in schema.get("properties", {}).items()
        ]
        inside = _table(("field", "value", ""), rows) if rows else f"<p>{_schema_in_words(schema)}</p>"
        yield (
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> '
            f"{_prose(schema.get('description', ''))}</summary>{inside}</details>"
        )


def _errors(document: JsonObject) -> Iterator[str]:
    yield '<h2 id="errors">Errors</h2>'
    yield (
        "<p>Every error is <code>application/problem+json</code>; its <code>type</code> leads here. "
        "Of those marked so, the same request may succeed later.</p>"
    )
    rows = "".join(
        f'<tr id="errors/{escape(error["code"])}"><td><code>{escape(error["code"])}</code>'
        f"{' <span class=note>retryable</span>' if error['retryable'] else ''}</td>"
        f"<td>{_prose(error['title'])}</td><td>{_prose(error['remedy'])}</td></tr>"
        for error in document["x-errors"]
    )
    yield f"<table><tr><th>code</th><th>meaning</th><th>what to do</th></tr>{rows}</table>"


def _schema_in_words(schema: JsonObject) -> str:
    """Return a schema in a few words, with links to those that it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        words = " or ".join(_schema_in_words(one) for one in alternatives)
    elif "enum" in schema or "const" in schema:
        words = ", ".join(_literal(value) for value in schema.get("enum", [schema.get("const")]))
    elif schema.get("type") == "array":
        words = f"list of {_schema_in_words(schema.get('items', {}))}"
    else:
        words = escape(" ".join(filter(None, (schema.get("type", "anything"), schema.get("format")))))
    return f"{words}{_bounds(schema)}"


def _bounds(schema: JsonObject) -> str:
    names = ("minimum", "maximum", "minLength", "maxLength", "pattern", "default")
    told = [f"{name} {_literal(schema[name])}" for name in names if schema.get(name) is not None]
    return f"; {', '.join(told)}" if told else ""


def _literal(value: Any) -> str:
    return f"<code>{escape(json.dumps(value))}</code>"


def _prose(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>{body}</table>"
