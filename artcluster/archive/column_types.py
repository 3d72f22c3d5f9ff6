"""Types of a user's columns: found in text, and brought to those that Delta tables have."""

import re

TEXT_TYPES = (
    ("BIGINT", r"-?(0|[1-9][0-9]{0,17})"),
    ("DOUBLE", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"),
    ("BOOLEAN", r"(?i)(true|false)"),
    ("DATE", r"[0-9]{4}-[0-9]{2}-[0-9]{2}"),
    ("TIMESTAMP", r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"),
)
"""Type → how a text of that type is written, narrowest first. A column of texts takes the first
that all its values fit. Numbers with leading zeros stay text: they are names."""

_AS_STORED = {
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INTEGER",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DOUBLE",
    "UHUGEINT": "DOUBLE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "TIMESTAMP_S": "TIMESTAMPTZ",
    "TIMESTAMP_MS": "TIMESTAMPTZ",
    "TIMESTAMP_NS": "TIMESTAMPTZ",
}
_KEPT = re.compile(
    r"(BOOLEAN|TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|VARCHAR|BLOB|DATE"
    r"|TIMESTAMP WITH TIME ZONE|TIMESTAMPTZ|DECIMAL\(\d+,\d+\))(\[\d*\])*"
)


def decimals_are_numbers(column: str) -> str:
    """Return the SQL that tells a column of numbers from accession numbers such as 1984.10.

    Those end in a zero that a number would lose, and have fractions of several lengths.
    """
    fraction = f"regexp_extract({column}, '[.]([0-9]+)', 1)"
    return (
        f"(not coalesce(bool_or({fraction} like '%0'), false) "
        f"or count(distinct length({fraction})) = 1)"
    )


def stored_type(kind: str) -> str:
    """Return the DuckDB type in which a column of a type is kept.

    Unsigned integers become signed ones that hold them, times without a zone count as UTC, and
    what Delta tables do not have (times of day, intervals, nested values) becomes text.

    >>> stored_type("BIGINT"), stored_type("UINTEGER"), stored_type("TIME")
    ('BIGINT', 'BIGINT', 'VARCHAR')
    >>> stored_type("VARCHAR[]")
    'VARCHAR[]'
    """
    if kind in _AS_STORED:
        return _AS_STORED[kind]
    return kind if _KEPT.fullmatch(kind) else "VARCHAR"
