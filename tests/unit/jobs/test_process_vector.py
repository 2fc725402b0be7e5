"""What process_vector declares: its identity, its places and its plans."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from core.declaration import TaskResult
from core.errors import InvalidInput
from core.json import JsonObject
from core.submission import parse_parameters
from jobs.process_vector import ProcessVectorJob
from jobs.vector_parameters import ProcessVectorParameters

GIVEN = {"blob_name": "survey/parcels.gpkg", "file_extension": "gpkg", "table_name": "parcels"}


class Results:
    """The results of a stage of one task."""

    def __init__(self, result: JsonObject) -> None:
        self._result = TaskResult("source", result)

    def __iter__(self) -> Iterator[TaskResult]:
        yield self._result

    def one(self) -> TaskResult:
        return self._result


def parameters(**given: Any) -> ProcessVectorParameters:
    return ProcessVectorParameters.model_validate(GIVEN | given)


def prepared(*runs: tuple[int, int, Any]) -> Results:
    return Results(
        {
            "staged": "vector_staging.v",
            "geometry_type": "Point",
            "container": "temp",
            "prefix": "temp/vector_etl/x/",
            "runs": [
                {"count": count, "rows": rows, "rules": rules, "is_loaded": rules == "loaded"}
                for count, rows, rules in runs
            ],
        }
    )


def test_only_what_differs_from_the_defaults_makes_the_id() -> None:
    plain = ProcessVectorJob.identity_parameters(parameters())
    spelt_out = ProcessVectorJob.identity_parameters(
        parameters(schema="geo", geometry_params={"null": "drop"}, indexes={"spatial": True})
    )
    other = ProcessVectorJob.identity_parameters(
        parameters(schema="other", geometry_params={"simplify": {}, "null": "keep"})
    )

    assert plain == spelt_out == GIVEN
    assert other == GIVEN | {"schema": "other", "geometry_params": {"simplify": {}, "null": "keep"}}


def test_parameters_are_recorded_under_the_names_that_callers_know() -> None:
    recorded = parameters(schema="other").model_dump(mode="json")

    assert recorded["schema"] == "other"
    assert ProcessVectorParameters.model_validate(recorded) == parameters(schema="other")


def test_table_thumbnail_and_item_are_its_places() -> None:
    places = ProcessVectorJob.publishes(parameters())

    assert [(place.kind, place.name) for place in places] == [
        ("table", "geo.parcels"),
        ("blob", "silver-vectors/geo/parcels_thumbnail.png"),
        ("item", "system-vectors/postgis-geo-parcels"),
    ]


@pytest.mark.parametrize(("if_exists", "replaces"), [("fail", False), ("replace", True)])
def test_if_exists_says_whether_it_replaces(if_exists: str, replaces: bool) -> None:
    given = parameters(if_exists=if_exists)
    [task] = ProcessVectorJob.plan_prepare_chunks(given, prepared())

    assert ProcessVectorJob.replaces(given) is replaces
    assert task.parameters["replace"] is replaces


def test_chunks_are_numbered_through_and_so_are_their_rows() -> None:
    rules = {"source_srid": 3857}

    tasks = list(ProcessVectorJob.plan_upload_chunks(parameters(), prepared((2, 100, None), (1, 7, rules))))

    assert [task.key for task in tasks] == ["000000", "000001", "000002"]
    assert [task.parameters["name"] for task in tasks] == [
        f"temp/vector_etl/x/chunk_0000{number}.parquet" for number in range(3)
    ]
    assert [(task.parameters["first_id"], task.parameters["rows"]) for task in tasks] == [
        (1, 100),
        (101, 100),
        (201, 7),
    ]
    assert [task.parameters["rules"] for task in tasks] == [None, None, rules]


def test_chunks_that_are_loaded_already_get_no_task() -> None:
    runs = ((3, 100, "loaded"), (1, 50, None), (1, 7, "loaded"))

    [task] = ProcessVectorJob.plan_upload_chunks(parameters(), prepared(*runs))

    assert task.key == "000003"
    assert task.parameters["name"].endswith("chunk_00003.parquet")
    assert (task.parameters["first_id"], task.parameters["rows"]) == (301, 50)


def test_no_row_may_be_bad_unless_the_caller_says_so() -> None:
    [task] = ProcessVectorJob.plan_prepare_chunks(parameters(), prepared())

    assert task.parameters["prepare"]["converter"]["max_bad_rows_percent"] == 0


@pytest.mark.parametrize("extension", ["GPKG", ".gpkg", ".GPkg"])
def test_extensions_are_known_however_they_are_spelt(extension: str) -> None:
    assert parameters(file_extension=extension) == parameters()


def test_the_child_and_the_publication_are_told_how_much_may_be_damaged() -> None:
    given = parameters(converter_params={"max_bad_rows_percent": 2.5})

    [reading] = ProcessVectorJob.plan_prepare_chunks(given, prepared())
    [publishing] = ProcessVectorJob.plan_create_stac(given, prepared())

    assert reading.parameters["prepare"]["converter"]["max_bad_rows_percent"] == 2.5
    assert publishing.parameters["max_bad_rows_percent"] == 2.5


def test_two_names_of_one_layer_must_agree() -> None:
    same = parameters(layer="a", converter_params={"layer_name": "a"})

    with pytest.raises(ValidationError, match="layer_name 'b' is not the layer 'a'"):
        parameters(layer="a", converter_params={"layer_name": "b"})
    [task] = ProcessVectorJob.plan_prepare_chunks(same, prepared())
    assert task.parameters["prepare"]["layer"] == "a"


def refusal(**given: Any) -> dict[str, str]:
    """Return what is said of each parameter."""
    with pytest.raises(InvalidInput) as caught:
        parse_parameters(ProcessVectorJob(), GIVEN | given)
    return {violation.parameter: violation.message for violation in caught.value.violations}


def test_an_unknown_option_is_told_with_the_options_beside_it() -> None:
    told = refusal(
        shape=1,
        converter_params={"latitude": "y"},
        geometry_params={"simplify": {"epsilon": 1}, "quantize": {"grid": 1}},
    )

    assert "there are: container_name, blob_name," in told["shape"]
    assert "there are: lat_name, lon_name, wkt_column," in told["converter_params.latitude"]
    assert told["geometry_params.simplify.epsilon"] == (
        "There is no such parameter; there are: tolerance, preserve_topology."
    )
    assert told["geometry_params.quantize.grid"] == ("There is no such parameter; there are: snap_to_grid.")


def test_types_are_called_as_json_calls_them() -> None:
    told = refusal(
        converter_params=[],
        geometry_params={"simplify": True},
        indexes={"attributes": "name", "temporal": [str(number) for number in range(33)]},
    )

    assert told == {
        "converter_params": "Input should be an object",
        "geometry_params.simplify": "Input should be an object",
        "indexes.attributes": "Input should be an array",
        "indexes.temporal": "Array should have at most 32 items",
    }
