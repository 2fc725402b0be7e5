import pytest

from infrastructure.statement_texts import without_values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT * FROM a\n WHERE b = 'it''s' AND c = 12.5e-3", "SELECT * FROM a WHERE b = ? AND c = ?"),
        ('SELECT $1, t1.c2, "it\'s"', 'SELECT $1, t1.c2, "it\'s"'),
        (r"SELECT E'a\'b', U&'x', B'01', 'c'", "SELECT ?, ?, ?, ?"),
        ("SELECT $$it's$$, $tag$a $$ b$tag$, 1", "SELECT ?, ?, ?"),
        ("SELECT 1 -- the key is 'hunter2'\n, 2 /* and 'this' */", "SELECT ? , ?"),
        ("ALTER ROLE x PASSWORD 'cut by the serv", "ALTER ROLE x PASSWORD ?"),
        ("SELECT $tag$cut by the serv", "SELECT ?"),
        ("", ""),
    ],
)
def test_values_are_hidden_and_names_stay(text: str, shown: str) -> None:
    assert without_values(text) == shown
