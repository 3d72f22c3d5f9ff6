"""How the templates of pages are read: escaped, and strict about what is missing."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def page_templates() -> Environment:
    """Return the templates of reports and findings."""
    return Environment(
        loader=PackageLoader("artcluster.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
