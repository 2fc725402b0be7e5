"""What settings refuse when the app starts."""

import pytest
from pydantic import ValidationError

from config.settings import VectorSettings


@pytest.mark.parametrize("schema", ["app", "pgstac", "public", "pg_catalog", "pg_temp", "information_schema"])
def test_schemas_that_are_not_for_vectors_are_refused(monkeypatch: pytest.MonkeyPatch, schema: str) -> None:
    monkeypatch.setenv("VECTOR_SCHEMAS", f'["geo", "{schema}"]')

    with pytest.raises(ValidationError, match=f"{schema}: vector tables are never published there"):
        VectorSettings()


def test_schemas_come_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECTOR_SCHEMAS", '["geo", "hydro"]')

    assert VectorSettings().schemas == ("geo", "hydro")
