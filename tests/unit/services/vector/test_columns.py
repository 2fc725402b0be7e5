"""Names of columns: predictable, different, and usable without quotes."""

import re

import pytest

from services.vector.columns import sanitised_name, sanitised_names


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("Population", "population"),
        ("Größe (m²)", "grosse_m2"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Ελλάδα", "ellada"),
        ("Объект", "obekt"),
        ("名称", "u540d_u79f0"),
        ("1st value", "col_1st_value"),
        ("a.b-c d", "a_b_c_d"),
        ("__x__", "x"),
        ("", "unnamed_column"),
        ("--", "unnamed_column"),
        ("select", "f_select"),
        ("type", "f_type"),
        ("xmin", "f_xmin"),
        ("id", "src_id"),
        ("GEOM", "src_geom"),
        ("source_fid", "src_source_fid"),
        ('"; DROP TABLE x; --', "drop_table_x"),
        ("y" * 80, "y" * 63),
    ],
)
def test_a_name_is_made_usable(source: str, name: str) -> None:
    assert sanitised_name(source) == name


def test_equal_names_are_numbered_in_order() -> None:
    assert sanitised_names(["Name", "name", "NAME"]) == ["name", "name_2", "name_3"]


def test_a_number_is_not_taken_from_a_column_that_has_it_already() -> None:
    assert sanitised_names(["a", "A", "a_2"]) == ["a", "a_3", "a_2"]


def test_names_that_are_cut_stay_different() -> None:
    names = sanitised_names(["x" * 70, "x" * 71, "x" * 72])

    assert len(set(names)) == 3
    assert max(map(len, names)) == 63


def test_five_thousand_equal_names_are_all_different() -> None:
    names = sanitised_names(["n"] * 5_000)

    assert len(set(names)) == 5_000
    assert all(re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name) for name in names)
