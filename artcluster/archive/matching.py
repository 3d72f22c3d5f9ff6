"""Matching rows of a user's table to images by what their path looks like: only without doubt.

A row names an image if its value and the image's path are the same, or if one is the end of the
other, whole names of folders compared. So a row that states another folder than the image lies in
never names it. Where that fits nothing, the same is tried without the extension, and each of these
as written, percent-decoded, and without regard to upper and lower case.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from artcluster.archive.database import Database, quoted

Many = Literal["skip", "first", "list"]
"""What to do with several rows of one image: join none of them, the first, or all."""


_DEEPEST = 32

_SPELLINGS = {"as_written": "", "decoded": ", percent-decoded", "folded": ", ignoring case"}

_FORMS = {
    "": ("{0}", "{0}"),
    ", without extension": ("{0}", "stem({0})"),
    ", but for the extension": ("stem({0})", "stem({0})"),
}
"""What is compared of a row's value and of a path; a value may leave out the extension."""


@dataclass(frozen=True)
class Rule:
    """One way in which a row may name an image: two SQL expressions that are to be equal.

    Attributes:
        name: How a report calls it.
        value: Of a row's keys and `depth`; null where the rule does not apply.
        path: Of an image's keys and `depth`; null where it does not apply.
    """

    name: str
    value: str
    path: str


def rules(spellings: list[str], value_depths: list[int], path_depths: list[int]) -> Iterator[Rule]:
    """Yield the rules to try, the most specific first.

    Args:
        spellings: Columns with the keys to compare, of `_SPELLINGS`.
        value_depths: Numbers of segments that the values have.
        path_depths: Numbers of segments that the paths have.
    """
    depths = sorted({*value_depths, *path_depths} & set(range(1, _DEEPEST)), reverse=True)
    for form, (of_value, of_path) in _FORMS.items():
        for key in spellings:
            spelling = _SPELLINGS[key]
            value, path = of_value.format(key), of_path.format(key)
            yield Rule(f"path{form}{spelling}", value, path)
            for depth in depths:
                if depth in value_depths:
                    yield Rule(
                        f"end of the path{form}{spelling}",
                        f"case when depth = {depth} then {value} end",
                        f"case when depth > {depth} then tail({path}, {depth}) end",
                    )
                if depth in path_depths:
                    yield Rule(
                        f"path below a folder{form}{spelling}",
                        f"case when depth > {depth} then tail({value}, {depth}) end",
                        f"case when depth = {depth} then {path} end",
                    )


def match(
    database: Database, archive_uri: str, *, many: Many = "skip", ignore_folders: bool = False
) -> None:
    """Match the table `named` (row, value) to `pictured` (image, path).

    Makes the tables `matched` (row, image, rule), `ambiguous` (row, rule: its rule fits several
    images), `rivals` (row, image, rule: its image is named by other rows as well), and `strays`
    (row, image: a row without an image, and an image without a row, that have one file name in
    folders that contradict each other). Rows and images that a rule left in doubt are not tried by
    weaker rules. Names are compared in Unicode's composed form, since macOS writes them decomposed.

    Args:
        archive_uri: Addresses below it count as paths.
        many: What to do with several rows of one image.
        ignore_folders: Compare file names only.
    """
    _load_keys(database, archive_uri, ignore_folders)
    for table in ("matched", "rivals"):
        database.execute(f"create table {table} (row bigint, image bigint, rule varchar)")
    database.execute("create table ambiguous (row bigint, rule varchar)")
    depths = [
        [depth for (depth,) in database.execute(f"select distinct depth from {table}")]
        for table in ("open_rows", "open_images")
    ]
    spellings = ["as_written"]
    for key in ("decoded", "folded"):
        if any(
            database.execute(f"select 1 from {table} where {key} <> {spellings[-1]} limit 1")
            for table in ("open_rows", "open_images")
        ):
            spellings.append(key)
    for rule in rules(spellings, *depths):
        if _applies(database, rule):
            _apply(database, rule, many)
            if not _any(database, "open_rows") or not _any(database, "open_images"):
                break
    database.execute(
        "create table strays as select r.number as row, min(i.number) as image "
        "from (select number, tail(folded, 1) name from open_rows) r "
        "join (select number, tail(folded, 1) name from open_images) i using (name) "
        "group by r.number"
    )


def _load_keys(database: Database, archive_uri: str, ignore_folders: bool) -> None:
    """Make the tables of what is not matched yet, with the keys that rules compare."""
    database.execute(
        "create macro tail(key, depth) as array_to_string(string_split(key, '/')[-depth:], '/')"
    )
    # What begins with a digit is no extension: 1984.10 is an accession number.
    database.execute(
        r"create macro stem(key) as regexp_replace(key, '([^/])\.[A-Za-z][^./]*$', '\1')"
    )
    # A text with percent signs that encode nothing stays as it is.
    database.execute(
        "create macro percent_decoded(key) as case when contains(key, '%') then "
        "coalesce(try(url_decode(key)), key) else key end"
    )
    below = quoted(archive_uri.rstrip("/") + "/")
    text = "nfc_normalize(replace(trim(value), '\\', '/'))"
    relative = (
        f"case when starts_with({text}, nfc_normalize({below})) "
        f"then {text}[length(nfc_normalize({below})) + 1:] else {text} end"
    )
    tidy = rf"regexp_replace({relative}, '^(\./|/)+', '')"
    # An address on the web may end in a query, which is no part of a file's name.
    address = (
        "case when regexp_matches(key, '^https?://') "
        "then regexp_replace(key, '[?#].*$', '') else key end"
    )
    for table, query in (
        ("open_rows", f"select row as number, {tidy} as key from named where value is not null"),
        ("open_images", "select image as number, nfc_normalize(path) as key from pictured"),
    ):
        written, plain = (
            (f"tail({address}, 1)", "as_written") if ignore_folders else ("key", address)
        )
        database.execute(
            f"create table {table} as select number, {written} as as_written, "
            f"nfc_normalize(percent_decoded({plain})) as decoded, lower(decoded) as folded, "
            "length(as_written) - length(replace(as_written, '/', '')) + 1 as depth "
            f"from ({query}) where key <> ''"
        )


def _applies(database: Database, rule: Rule) -> bool:
    return bool(
        database.execute(
            f"select 1 from (select {rule.value} as shared from open_rows) "
            f"semi join (select {rule.path} as shared from open_images) using (shared) limit 1"
        )
    )


def _apply(database: Database, rule: Rule, many: Many) -> None:
    for table, source, expression in (
        ("rule_rows", "open_rows", rule.value),
        ("rule_images", "open_images", rule.path),
    ):
        database.execute(
            f"create or replace table {table} as select number, {expression} as shared, "
            f"count(*) over (partition by shared) as number_of from {source} "
            "where shared is not null"
        )
    name = quoted(rule.name)
    # Rows that fit several images are never paired with them: there may be very many pairs.
    database.execute(
        f"insert into ambiguous select number, {name} from rule_rows "
        "semi join (select shared from rule_images where number_of > 1) using (shared)"
    )
    database.execute(
        "create or replace table rule_pairs as select r.number as row, i.number as image, "
        "r.number_of as rows from rule_rows r join rule_images i using (shared) "
        "where i.number_of = 1"
    )
    kept = {
        "skip": "rows = 1",
        "first": "row in (select min(row) from rule_pairs group by image)",
        "list": "true",
    }[many]
    for table, which in (("matched", kept), ("rivals", f"not ({kept})")):
        database.execute(
            f"insert into {table} select row, image, {name} from rule_pairs where {which}"
        )
    for table, mine, other in (
        ("open_rows", "rule_rows", "rule_images"),
        ("open_images", "rule_images", "rule_rows"),
    ):
        database.execute(
            f"delete from {table} where number in "
            f"(select number from {mine} semi join {other} using (shared))"
        )


def _any(database: Database, table: str) -> bool:
    return bool(database.execute(f"select 1 from {table} limit 1"))
