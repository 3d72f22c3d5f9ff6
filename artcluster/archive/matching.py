"""Matching rows of a user's table to images by what their path looks like: only without doubt."""

from dataclasses import dataclass

from artcluster.archive.database import Database, quoted

_DEEPEST = 32


@dataclass(frozen=True)
class Rule:
    """One way in which a row may name an image: two SQL expressions that are to be equal.

    Attributes:
        name: How a report calls it.
        value: Of a row's `key` and `depth`; null where the rule does not apply.
        path: Of an image's `key` and `depth`; null where it does not apply.
    """

    name: str
    value: str
    path: str


_NAME = "split_part(key, '/', -1)"

_STEM = rf"regexp_replace({_NAME}, '(.)\.[^.]*$', '\1')"


def rules(value_depths: list[int], path_depths: list[int]) -> list[Rule]:
    """Return the rules to try, the most specific first.

    A row's value is the path itself; or the path's end, or the path is its end (a table written
    for a folder below or above the archive); or has the same file name; or the same name but for
    the extension.

    Args:
        value_depths: Numbers of segments that the values have.
        path_depths: Numbers of segments that the paths have.
    """
    found = [Rule("path", "key", "key")]
    depths = sorted({*value_depths, *path_depths} & set(range(1, _DEEPEST)), reverse=True)
    for depth in depths:
        whole, end = f"case when depth = {depth} then key end", _end(depth)
        if depth in value_depths:
            found.append(Rule("end of the path", whole, end))
        if depth in path_depths:
            found.append(Rule("path below a folder", end, whole))
    found.append(Rule("file name", _NAME, _NAME))
    found.append(Rule("file name without extension", _NAME, _STEM))
    found.append(Rule("file name but for the extension", _STEM, _STEM))
    return found


def match(database: Database, archive_uri: str) -> None:
    """Match the table `named` (row, value) to `pictured` (image, path).

    Makes the tables `matched` (row, image, rule) and `ambiguous` (row, rule). Names are compared
    in Unicode's composed form, since macOS writes them decomposed. A row is ambiguous if its rule
    fits several images, or several rows fit one image by it.
    """
    below = quoted(archive_uri.rstrip("/") + "/")
    text = "nfc_normalize(replace(trim(value), '\\', '/'))"
    relative = (
        f"case when starts_with({text}, nfc_normalize({below})) "
        f"then {text}[length(nfc_normalize({below})) + 1:] else {text} end"
    )
    tidy = rf"regexp_replace({relative}, '^(\./|/)+', '')"
    for table, query in (
        ("open_rows", f"select row as number, {tidy} key from named where value is not null"),
        ("open_images", "select image as number, nfc_normalize(path) key from pictured"),
    ):
        database.execute(
            f"create table {table} as select *, length(key) - length(replace(key, '/', '')) + 1 "
            f"depth from ({query}) where key <> ''"
        )
    database.execute("create table matched (row bigint, image bigint, rule varchar)")
    database.execute("create table ambiguous (row bigint, rule varchar)")
    depths = [
        [depth for (depth,) in database.execute(f"select distinct depth from {table}")]
        for table in ("open_rows", "open_images")
    ]
    for rule in rules(*depths):
        if not _any(database, "open_rows") or not _any(database, "open_images"):
            break
        _apply(database, rule)


def _apply(database: Database, rule: Rule) -> None:
    for table, source, expression in (
        ("rule_rows", "open_rows", rule.value),
        ("rule_images", "open_images", rule.path),
    ):
        database.execute(
            f"create or replace table {table} as select {expression} shared, count(*) number_of, "
            f"min(number) number from {source} where {expression} is not null group by shared"
        )
    name = quoted(rule.name)
    database.execute(
        f"insert into matched select r.number, i.number, {name} from rule_rows r "
        "join rule_images i using (shared) where r.number_of = 1 and i.number_of = 1"
    )
    database.execute(
        f"insert into ambiguous select o.number, {name} from open_rows o join ("
        "select shared from rule_rows r join rule_images i using (shared) "
        "where r.number_of > 1 or i.number_of > 1"
        f") on {rule.value} = shared"
    )
    database.execute(
        "delete from open_rows where number in (select row from matched) "
        "or number in (select row from ambiguous)"
    )
    database.execute("delete from open_images where number in (select image from matched)")


def _any(database: Database, table: str) -> bool:
    return bool(database.execute(f"select 1 from {table} limit 1"))


def _end(depth: int) -> str:
    """Return the SQL of a longer key's last segments."""
    return (
        f"case when depth > {depth} then "
        f"array_to_string(string_split(key, '/')[-{depth}:], '/') end"
    )
