"""OpenAPI 3.1 of the interface, made of what its routes declare."""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import azure.functions as func
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from core.declaration import JobType
from core.json import JsonObject
from triggers.error_catalogue import ERROR_CODES
from triggers.http.endpoints import JSON_MEDIA_TYPE, Contract, Endpoint, Resource
from triggers.http.errors import PROBLEM_MEDIA_TYPE
from triggers.http.schemas import Problem

_REF = "#/components/schemas/{model}"
_ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
_PATH_PARAMETERS: Mapping[str, JsonObject] = {
    "job_id": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "Id of a job."},
    "schema": {"type": "string", "minLength": 1, "description": "Name of a schema."},
    "table": {"type": "string", "minLength": 1, "description": "A table with its schema: `geo.parcels`."},
    "queue": {"type": "string", "minLength": 1, "description": "Name of a queue of this app."},
    "collection_id": {"type": "string", "minLength": 1, "description": "Id of a collection."},
    "item_id": {"type": "string", "minLength": 1, "description": "Id of an item of the collection."},
    "job_type": {"type": "string", "description": "Name of a job type; `GET /jobs/types` lists them."},
}
_KEY: list[JsonObject] = [{"key_in_header": []}, {"key_in_query": []}]

Definitions = Mapping[type[BaseModel], JsonObject]


def document(resources: Sequence[Resource], jobs: Iterable[JobType], version: str, server: str) -> JsonObject:
    """Return the description of every route.

    Args:
        resources: The routes.
        jobs: The job types, whose parameters are what `POST /jobs/submit/{job_type}` takes.
        version: The release.
        server: Address of the API, without a slash at its end.
    """
    declared = sorted(jobs, key=lambda job: job.job_type)
    refs, schemas = _schemas(resources, declared)
    paths: JsonObject = {}
    for resource in resources:
        for endpoint in resource.endpoints:
            operation = _operation(resource, endpoint, refs, declared)
            paths.setdefault(f"/{endpoint.path}", {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Terrane", "version": version, "summary": "Geospatial ETL: jobs in, data out."},
        "servers": [{"url": server}],
        "tags": [{"name": resource.name, "description": resource.about} for resource in resources],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _security_schemes()},
        "x-errors": [
            {"code": code.code, "title": code.title, "remedy": code.remedy, "retryable": code.retryable}
            for code in ERROR_CODES.values()
        ],
    }


def _schemas(resources: Sequence[Resource], jobs: Sequence[JobType]) -> tuple[Definitions, JsonObject]:
    contracts = [endpoint.contract for resource in resources for endpoint in resource.endpoints]
    answers = {model for contract in contracts for model in contract.answers.values() if model}
    models: set[type[BaseModel]] = {Problem, *answers}
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "serialization") for model in sorted(models, key=lambda model: model.__name__)
    ]
    wanted += [(job.parameters_schema, "validation") for job in jobs]
    refs, schema = models_json_schema(wanted, ref_template=_REF)
    return {model: refs[model, mode] for model, mode in wanted}, schema["$defs"]


def _operation(
    resource: Resource, endpoint: Endpoint, refs: Definitions, jobs: Sequence[JobType]
) -> JsonObject:
    summary, _, description = endpoint.documentation.partition("\n\n")
    operation: JsonObject = {
        "tags": [resource.name],
        "operationId": endpoint.name,
        "summary": summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.contract)],
        "responses": _responses(endpoint.contract, refs),
    }
    if description:
        operation["description"] = description
    if endpoint.contract.takes_parameters:
        operation["requestBody"] = _request_body(refs, jobs)
    if endpoint.contract.level is not func.AuthLevel.ANONYMOUS:
        operation["security"] = _KEY
        operation["x-auth-level"] = endpoint.contract.level.value
    return operation


def _path_parameters(path: str) -> list[JsonObject]:
    return [
        _parameter("path", name, _PATH_PARAMETERS[name], required=True)
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(contract: Contract[Any]) -> list[JsonObject]:
    schema = contract.query.model_json_schema()
    required = schema.get("required", [])
    return [
        _parameter("query", name, _inlined(field, schema.get("$defs", {})), required=name in required)
        for name, field in schema.get("properties", {}).items()
    ]


def _inlined(field: Any, definitions: JsonObject) -> Any:
    """Return a field's schema with the few enumerations that it refers to written out."""
    if isinstance(field, list):
        return [_inlined(item, definitions) for item in field]
    if not isinstance(field, dict):
        return field
    if "$ref" in field:
        return dict(definitions[field["$ref"].rpartition("/")[2]])
    return {name: _inlined(value, definitions) for name, value in field.items()}


def _parameter(place: str, name: str, field: JsonObject, *, required: bool) -> JsonObject:
    schema = {key: value for key, value in field.items() if key not in ("description", "title")}
    parameter = {"name": name, "in": place, "required": required, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter | ({"description": field["description"]} if "description" in field else {})


def _request_body(refs: Definitions, jobs: Sequence[JobType]) -> JsonObject:
    schemas = [refs[job.parameters_schema] for job in jobs]
    return {"required": True, "content": {JSON_MEDIA_TYPE: {"schema": {"anyOf": schemas}}}}


def _responses(contract: Contract[Any], refs: Definitions) -> JsonObject:
    responses: JsonObject = {}
    for status, model in sorted(contract.answers.items()):
        content: JsonObject = {"schema": refs[model]} if model else {}
        responses[str(status.value)] = {
            "description": status.phrase,
            "content": {contract.media_type: content},
        }
    for status in sorted({*contract.problems, *_ALWAYS}):
        responses[str(status.value)] = {
            "description": status.phrase,
            "content": {PROBLEM_MEDIA_TYPE: {"schema": refs[Problem]}},
        }
    return responses


def _security_schemes() -> JsonObject:
    return {
        "key_in_header": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
        "key_in_query": {"type": "apiKey", "in": "query", "name": "code"},
    }
