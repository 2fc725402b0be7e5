"""What the item says of a published table."""

import pytest

from services.vector.published_item import description_of


@pytest.mark.parametrize(
    ("rows", "told"), [(1, "1 feature from a.gpkg."), (1_000, "1,000 features from a.gpkg.")]
)
def test_one_feature_is_no_plural(rows: int, told: str) -> None:
    assert description_of(rows, "survey/a.gpkg") == told
