import jsonschema

from tests.factories.memory_app import ADDRESS, Client


def test_every_job_type_is_described(client: Client) -> None:
    described = {one["job_type"]: one for one in client.get("/api/jobs/types").json["items"]}

    hello = described["hello_world"]
    assert {"hello_world", "process_raster_v2"} <= set(described)
    assert [stage["name"] for stage in hello["stages"]] == ["greeting", "reply"]
    assert hello["parameters_schema"]["properties"]["n"]["default"] == 3
    assert hello["links"]["submit"] == f"{ADDRESS}/api/jobs/submit/hello_world"


def test_one_job_type_is_shown_as_in_the_list(client: Client) -> None:
    [listed] = [
        one for one in client.get("/api/jobs/types").json["items"] if one["job_type"] == "process_raster_v2"
    ]

    answer = client.get("/api/jobs/types/process_raster_v2")

    assert answer.json == listed
    assert {"validator": "blob_exists", "parameter": "blob_name"} in listed["validators"]


def test_schemas_are_valid_and_their_defaults_fit_them(client: Client) -> None:
    for described in client.get("/api/jobs/types").json["items"]:
        schema = described["parameters_schema"]
        jsonschema.Draft202012Validator.check_schema(schema)
        for name, field in schema["properties"].items():
            if "default" in field:
                jsonschema.validate({name: field["default"]}, {**schema, "required": []})


def test_an_unknown_job_type_is_not_found(client: Client) -> None:
    answer = client.get("/api/jobs/types/hello_moon")

    assert (answer.status, answer.json["code"]) == (404, "job_type.unknown")
    assert "hello_world" in answer.json["detail"]
