"""Which route a path takes."""

import itertools

import pytest

from local.functions_host.routes import RouteTable, parse_template


def find(routes: list[str], path: str) -> tuple[str, dict[str, str]] | None:
    table = RouteTable[str]()
    for route in routes:
        table.add(parse_template(route), ["GET"], route)
    return table.find("GET", path)


ORDERED = ["a/b", "a/{x:int}", "a/{x}", "a/{*x:int}", "a/{*x}", "{x}/b", "{*x}"]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/a/b", "a/b"),
        ("/A/B/", "a/b"),
        ("/a/1", "a/{x:int}"),
        ("/a/c", "a/{x}"),
        ("/a/c/d", "a/{*x}"),
        ("/c/b", "{x}/b"),
        ("/c/d", "{*x}"),
        ("/", "{*x}"),
    ],
)
def test_the_most_specific_route_is_taken_in_whatever_order_they_were_declared(path: str, route: str) -> None:
    for order in (ORDERED, ORDERED[::-1]):
        found = find(order, path)

        assert found is not None
        assert found[0] == route


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("a/{x?}", "/a", {}),
        ("a/{x?}", "/a/1", {"x": "1"}),
        ("a/{x=7}", "/a", {"x": "7"}),
        ("a/{x:int=7}", "/a/8", {"x": "8"}),
        ("a/{x}/{y?}", "/a/1", {"x": "1"}),
        ("a/{*x}", "/a", {}),
        ("a/{*x=none}", "/a", {"x": "none"}),
        ("a/{**x}", "/a/b/c", {"x": "b/c"}),
        ("{name}.{ext}", "/map.final.tif", {"name": "map.final", "ext": "tif"}),
        ("v{version:int}/x", "/v12/x", {"version": "12"}),
        ("{x}", "/%C3%A9%20", {"x": "é "}),
        ("{x}", "/a%2fb", {"x": "a%2Fb"}),
        ("{x:regex(^a/b$)}", "/a", None),
        ("{x:regex(^\\d{{2}}$)}", "/12", {"x": "12"}),
        ("{x:regex(^\\d{{2}}$)}", "/123", None),
        ("{x:regex(^(a:b)$):length(3)}", "/a:b", {"x": "a:b"}),
        ("", "/", {}),
        ("a/b", "/a", None),
        ("a/{x}", "/a", None),
        ("a", "/a/b", None),
    ],
)
def test_route_parameters(template: str, path: str, values: dict[str, str] | None) -> None:
    found = find([template], path)

    assert found == (None if values is None else (template, values))


@pytest.mark.parametrize(
    ("constraint", "accepted", "refused"),
    [
        ("int", ["0", "-5", "2147483647"], ["x", "1.5", "2147483648", "٣"]),
        ("long", ["2147483648"], ["9223372036854775808"]),
        ("bool", ["true", "FALSE"], ["1"]),
        ("guid", ["12345678-1234-1234-1234-123456789abc", "12345678123412341234123456789ABC"], ["1234"]),
        ("alpha", ["abcXYZ"], ["a1"]),
        ("decimal", ["1", "-1.5", ".5"], ["1e3", "x"]),
        ("double", ["1e3", "1.5"], ["x", "inf"]),
        ("datetime", ["2024-02-29", "2024-02-29T01:02:03"], ["2023-02-29"]),
        ("length(3)", ["abc"], ["ab", "abcd"]),
        ("length(2,3)", ["ab", "abc"], ["a", "abcd"]),
        ("minlength(2)", ["ab"], ["a"]),
        ("maxlength(2)", ["ab"], ["abc"]),
        ("min(3)", ["3"], ["2", "x"]),
        ("max(3)", ["3", "-9"], ["4"]),
        ("range(1,3)", ["1", "3"], ["0", "4"]),
        ("int:min(3)", ["3"], ["2"]),
    ],
)
def test_constraints(constraint: str, accepted: list[str], refused: list[str]) -> None:
    template = "{x:" + constraint + "}"

    outcomes = {
        value: find([template], f"/{value}") is not None for value in itertools.chain(accepted, refused)
    }

    assert outcomes == {**dict.fromkeys(accepted, True), **dict.fromkeys(refused, False)}


def test_a_method_is_a_constraint_like_others() -> None:
    table = RouteTable[str]()
    table.add(parse_template("a"), ["GET"], "read")
    table.add(parse_template("{x}"), ["POST"], "write")
    table.add(parse_template("b"), [], "any")

    assert table.find("GET", "/a") == ("read", {})
    assert table.find("POST", "/a") == ("write", {"x": "a"})
    assert table.find("HEAD", "/a") is None
    assert table.find("DELETE", "/b") == ("any", {})


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("a//b", "two slashes"),
        ("a/{x", "balanced"),
        ("a/x}", "balanced"),
        ("{x}/{X}", "more than once"),
        ("{x?}/b", "only stand at the end"),
        ("{*x}/b", "only stand at the end"),
        ("a{*x}b{y}", "of its own"),
        ("{x:odd}", "'odd'"),
        ("{x:length(a)}", "length(a)"),
        ("{x:range(1)}", "range(1)"),
        ("{x:regex([)}", "regex([)"),
        ("{x-y}", "no route parameter"),
        ("{}", "no route parameter"),
    ],
)
def test_a_malformed_template_is_refused(template: str, part: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse_template(template)

    assert part in str(caught.value)


def test_templates_that_differ_in_names_only_have_one_shape() -> None:
    assert parse_template("A/{x:int}/{*rest}").shape == parse_template("a/{y:int}/{*others}").shape
    assert parse_template("a/{x}").shape != parse_template("a/{x:int}").shape
