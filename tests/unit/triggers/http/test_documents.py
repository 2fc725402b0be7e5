from html.parser import HTMLParser

import pytest
from openapi_spec_validator import validate

from tests.factories.memory_app import ADDRESS, Client, memory_app
from triggers.bootstrap import application
from triggers.error_catalogue import ERROR_CODES

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Reads a page: what is open, ids, links, and what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.anchors: set[str] = set()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids |= {given["id"] or ""} if "id" in given else set()
        if (given.get("href") or "").startswith("#"):
            self.anchors.add((given["href"] or "")[1:])
        if tag in {"script", "link", "img", "iframe"} or "src" in given:
            self.fetched.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_document_is_valid_openapi(client: Client) -> None:
    document = client.get("/api/openapi.json").json

    validate(document)
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": f"{ADDRESS}/api"}]


def test_the_document_describes_query_parameters_with_their_bounds(client: Client) -> None:
    operation = client.get("/api/openapi.json").json["paths"]["/jobs/submit/{job_type}"]["post"]

    parameters = {one["name"]: one for one in operation["parameters"]}
    assert parameters["job_type"]["in"] == "path"
    assert (parameters["priority"]["schema"]["minimum"], parameters["priority"]["schema"]["maximum"]) == (
        0,
        9,
    )
    assert {"202", "200", "400", "404", "409", "413", "415", "422", "503"} <= set(operation["responses"])


def test_the_body_of_a_submission_is_that_of_one_of_the_job_types(client: Client) -> None:
    document = client.get("/api/openapi.json").json

    body = document["paths"]["/jobs/submit/{job_type}"]["post"]["requestBody"]
    named = {one["$ref"].rpartition("/")[2] for one in body["content"]["application/json"]["schema"]["anyOf"]}
    assert "HelloWorldParameters" in named
    assert named <= set(document["components"]["schemas"])


def test_only_what_tells_nothing_needs_no_key(client: Client) -> None:
    paths = client.get("/api/openapi.json").json["paths"]

    open_to_all = {
        path for path, methods in paths.items() for one in methods.values() if "security" not in one
    }
    assert open_to_all == {"/livez", "/readyz", "/docs", "/openapi.json"}


def test_the_page_is_whole_and_fetches_nothing(client: Client) -> None:
    answer = client.get("/api/docs")
    page = Page()
    page.feed(answer.body.decode())
    page.close()

    assert answer.media_type == "text/html"
    assert page.open == []
    assert page.fetched == []
    assert page.anchors <= page.ids


def test_the_type_of_a_problem_leads_to_its_description(client: Client) -> None:
    problem = client.get("/api/jobs/abc").json
    page = Page()
    address, _, anchor = problem["type"].partition("#")
    page.feed(client.get(address).body.decode())

    assert anchor in page.ids
    assert {f"errors/{code}" for code in ERROR_CODES} <= page.ids


def test_links_begin_with_the_address_that_the_client_used(client: Client) -> None:
    document = client.get("http://10.0.0.4:8080/api/openapi.json").json

    assert document["servers"] == [{"url": "http://10.0.0.4:8080/api"}]


def test_links_begin_with_the_public_address_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE_PUBLIC_URL", "https://maps.test/")
    monkeypatch.setattr(application, "_app", memory_app().app)

    document = Client().get("http://10.0.0.4:8080/api/openapi.json").json

    assert document["servers"] == [{"url": "https://maps.test/api"}]
