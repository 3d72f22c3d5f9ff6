"""Filesystems of fsspec and pyarrow for a location's URI and resolved storage options."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from artcluster.errors import UsageError
from artcluster.location import credentials
from artcluster.location.redaction import redact

_EXTRAS = {"s3": "s3", "gs": "gcs", "az": "azure", "abfs": "azure", "abfss": "azure"}


def open_fsspec(uri: str, protocol: str, options: Mapping[str, str]) -> tuple[Any, str]:
    """Return an fsspec filesystem and the path in it.

    Raises:
        UsageError: fsspec does not know the protocol, or its package is not installed.
    """
    import fsspec

    address = uri.replace("abfss://", "abfs://", 1) if protocol == "abfss" else uri
    arguments = fsspec_arguments(protocol, options) if "::" not in uri else _chained(uri, options)
    if protocol in ("http", "https"):
        query = arguments.pop("query", None)
        address = f"{uri}?{query}" if query else uri
    try:
        if "::" in uri:
            filesystem, path = fsspec.core.url_to_fs(uri, **arguments)
            return filesystem, str(path)
        kind = fsspec.get_filesystem_class(address.split("://", 1)[0] if "://" in uri else protocol)
        return kind(**_login(kind, address, arguments)), str(kind._strip_protocol(address))
    except ImportError as missing:
        extra = _EXTRAS.get(protocol)
        advice = f'Install it with: pip install "artcluster[{extra}]".' if extra else str(missing)
        raise UsageError(f"{protocol}:// needs a package that is not installed. {advice}") from None
    except ValueError as unknown:
        raise UsageError(f"Cannot open {redact(uri)!r}: {redact(str(unknown))}.") from None


def fsspec_arguments(protocol: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments of a protocol's fsspec filesystem."""
    family = credentials.FAMILIES.get(protocol)
    if family == "AWS":
        return credentials.for_s3fs(options)
    if family == "GOOGLE":
        return credentials.for_gcsfs(options)
    if family == "AZURE":
        return credentials.for_adlfs(options)
    if protocol in ("http", "https") and "username" in options:
        rest: dict[str, Any] = {
            key: value for key, value in options.items() if key not in ("username", "password")
        }
        login = f"{options['username']}:{options.get('password', '')}".encode()
        header = f"Basic {b64encode(login).decode()}"
        return rest | {"client_kwargs": {"headers": {"Authorization": header}}}
    return dict(options) if protocol != "file" else {}


def open_arrow(uri: str, protocol: str, options: Mapping[str, str]) -> tuple[Any, str]:
    """Return a pyarrow filesystem and the path in it; through fsspec where pyarrow has none."""
    from pyarrow import fs

    if protocol == "file":
        return fs.LocalFileSystem(), uri
    if protocol == "s3" and "::" not in uri:
        endpoint = options.get("AWS_ENDPOINT_URL", "")
        given = {
            "access_key": options.get("AWS_ACCESS_KEY_ID"),
            "secret_key": options.get("AWS_SECRET_ACCESS_KEY"),
            "session_token": options.get("AWS_SESSION_TOKEN"),
            "region": options.get("AWS_REGION") or options.get("AWS_DEFAULT_REGION"),
            "endpoint_override": endpoint.split("://", 1)[-1] or None,
            "scheme": "http" if endpoint.startswith("http://") else None,
            "anonymous": credentials.truth(options.get("AWS_SKIP_SIGNATURE")) or None,
        }
        filesystem = fs.S3FileSystem(**{key: value for key, value in given.items() if value})
        return filesystem, uri.split("://", 1)[1]
    filesystem, path = open_fsspec(uri, protocol, options)
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path


def _chained(uri: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Give the options to the one link of a chained URI (`zip://a.jpg::s3://b/c.zip`) they name."""
    arguments: dict[str, Any] = {}
    for link in uri.split("::"):
        protocol = link.split("://", 1)[0]
        family = credentials.FAMILIES.get(protocol)
        if family:
            resolved = credentials.resolved(credentials.canonical(options, family), family)
            arguments[protocol] = fsspec_arguments(protocol, resolved)
    if not arguments and options:
        arguments[uri.rsplit("::", 1)[1].split("://", 1)[0]] = dict(options)
    return arguments


def _login(kind: Any, address: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Add what the URI itself says of host and port (sftp, ftp, hdfs, …)."""
    return {**kind._get_kwargs_from_urls(address), **arguments}
