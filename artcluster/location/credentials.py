"""Storage options: one vocabulary (object_store's), read from the environment, spoken to others.

Options are named as object_store and delta-rs name them (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`,
`GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME`, …); the short forms (`region`) are accepted.
"""

import importlib.util
import ipaddress
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from artcluster.errors import UsageError
from artcluster.location.redaction import redact


def is_set_up() -> bool:
    """Tell whether there is a profile to read, and botocore to read it."""
    named = os.environ.get("AWS_PROFILE")
    shared = os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")
    if not named and not Path(shared).expanduser().is_file():
        return False
    return importlib.util.find_spec("botocore") is not None


def keys() -> dict[str, str]:
    """Return the profile's keys of this moment as storage options.

    Raises:
        UsageError: The profile has none.
    """
    found = _read()
    options = {
        "AWS_ACCESS_KEY_ID": found.access_key,
        "AWS_SECRET_ACCESS_KEY": found.secret_key,
        "AWS_SESSION_TOKEN": found.token,
    }
    return {name: value for name, value in options.items() if value}


class Provider:
    """Gives obstore the profile's keys, again whenever temporary ones may have run out."""

    def __call__(self) -> dict[str, Any]:
        """Return the keys as obstore takes them."""
        found = _read()
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=5) if found.token else None,
        }


def _read() -> Any:
    import botocore.exceptions  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]

    try:
        found = botocore.session.Session().get_credentials()
    except botocore.exceptions.BotoCoreError as failed:
        raise UsageError(f"Cannot read the AWS profile: {redact(str(failed))}.") from None
    if found is None:
        raise UsageError(
            "The AWS profile has no credentials. Set AWS_PROFILE to one that has, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a "
            "public bucket."
        )
    return found.get_frozen_credentials()


FAMILIES = {
    "s3": "AWS",
    "s3a": "AWS",
    "gs": "GOOGLE",
    "gcs": "GOOGLE",
    "az": "AZURE",
    "abfs": "AZURE",
    "abfss": "AZURE",
}
"""Protocol → prefix of its options; only these (and local folders) can hold a store."""


CLIENT_OPTIONS = {
    "allow_http",
    "allow_invalid_certificates",
    "connect_timeout",
    "pool_idle_timeout",
    "pool_max_idle_per_host",
    "proxy_url",
    "timeout",
    "user_agent",
}
_ALIASES = {
    "AWS_ENDPOINT": "AWS_ENDPOINT_URL",
    "AWS_TOKEN": "AWS_SESSION_TOKEN",
    "AZURE_STORAGE_ACCOUNT": "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_ACCOUNT_NAME": "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_KEY": "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCESS_KEY": "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_ACCOUNT_KEY": "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_SAS_TOKEN": "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_SAS_KEY": "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_SAS_KEY": "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CLIENT_ID": "AZURE_CLIENT_ID",
    "AZURE_STORAGE_CLIENT_SECRET": "AZURE_CLIENT_SECRET",
    "AZURE_STORAGE_TENANT_ID": "AZURE_TENANT_ID",
    "GOOGLE_SERVICE_ACCOUNT_PATH": "GOOGLE_SERVICE_ACCOUNT",
}
_FROM_ENVIRONMENT = {
    "AWS": (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_ALLOW_HTTP",
        "AWS_SKIP_SIGNATURE",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    ),
    "GOOGLE": (
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SKIP_SIGNATURE",
    ),
    "AZURE": (
        "AZURE_STORAGE_ACCOUNT_NAME",
        "AZURE_STORAGE_ACCOUNT",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_TENANT_ID",
    ),
}
_CONNECTION_STRING = {
    "accountname": "AZURE_STORAGE_ACCOUNT_NAME",
    "accountkey": "AZURE_STORAGE_ACCOUNT_KEY",
    "sharedaccesssignature": "AZURE_STORAGE_SAS_TOKEN",
    "blobendpoint": "AZURE_STORAGE_ENDPOINT",
}
_KEY_SET = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}


def canonical(options: Mapping[str, str], family: str) -> dict[str, str]:
    """Name options as object_store does, upper case with the family's prefix.

    >>> canonical({"region": "eu-west-1", "aws_access_key_id": "a"}, "AWS")
    {'AWS_REGION': 'eu-west-1', 'AWS_ACCESS_KEY_ID': 'a'}
    >>> canonical({"connection_string": "AccountName=museum;AccountKey=a2V5="}, "AZURE")
    {'AZURE_STORAGE_ACCOUNT_NAME': 'museum', 'AZURE_STORAGE_ACCOUNT_KEY': 'a2V5='}
    """
    named: dict[str, str] = {}
    for key, value in options.items():
        upper = key.upper()
        name = upper if upper.startswith(f"{family}_") else f"{family}_{upper}"
        if name in ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_CONNECTION_STRING"):
            pairs = (pair.partition("=") for pair in str(value).split(";"))
            named |= {
                _CONNECTION_STRING[field.strip().lower()]: content
                for field, _, content in pairs
                if field.strip().lower() in _CONNECTION_STRING
            }
        else:
            named[_ALIASES.get(name, name)] = str(value)
    return named


def resolved(options: Mapping[str, str], family: str) -> dict[str, str]:
    """Add to canonical options what the environment gives and what a plain HTTP endpoint needs.

    Raises:
        UsageError: The endpoint is plain HTTP beyond this machine, and HTTP was not allowed.
    """
    given = {name: os.environ[name] for name in _FROM_ENVIRONMENT[family] if os.environ.get(name)}
    merged = canonical(given, family)
    if _KEY_SET & options.keys() or "AWS_SKIP_SIGNATURE" in options:
        # Keys come as a set: a stray session token of the environment would break given ones.
        merged = {key: value for key, value in merged.items() if key not in _KEY_SET}
    merged.update(options)
    if family == "AWS":
        _resolve_endpoint(merged, given_endpoint=options.get("AWS_ENDPOINT_URL"))
    return merged


def _resolve_endpoint(merged: dict[str, str], given_endpoint: str | None) -> None:
    for_s3 = merged.pop("AWS_ENDPOINT_URL_S3", None)
    endpoint = given_endpoint or for_s3 or merged.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return
    merged["AWS_ENDPOINT_URL"] = endpoint
    merged.setdefault("AWS_REGION", merged.get("AWS_DEFAULT_REGION", "us-east-1"))
    if endpoint.startswith("http://") and not truth(merged.get("AWS_ALLOW_HTTP")):
        if not is_loopback(urlsplit(endpoint).hostname):
            raise UsageError(
                f"The endpoint {redact(endpoint)} is plain HTTP, which sends data unencrypted. "
                "Use https://, or allow it with the storage option AWS_ALLOW_HTTP=true."
            )
        merged["AWS_ALLOW_HTTP"] = "true"


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name means this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("example.org")
    (True, True, False)
    """
    if host is None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def truth(value: str | None) -> bool:
    """Read an option's yes or no.

    >>> truth("True"), truth("0"), truth(None)
    (True, False, False)
    """
    return (value or "").strip().lower() in {"1", "true", "yes", "on"}


def for_obstore(options: Mapping[str, str], family: str) -> tuple[dict[str, str], dict[str, Any]]:
    """Split resolved options into obstore's config and its HTTP client options."""
    config: dict[str, str] = {}
    client: dict[str, Any] = {}
    for key, value in options.items():
        short = key.removeprefix(f"{family}_").lower()
        if short in CLIENT_OPTIONS:
            client[short] = truth(value) if short.startswith("allow_") else value
        else:
            config[key] = value
    return config, client


def for_delta(options: Mapping[str, str], family: str) -> dict[str, str]:
    """Return resolved options as delta-rs takes them: client options go without prefix."""
    config, client = for_obstore(options, family)
    return config | {key: str(value).lower() for key, value in client.items()}


def for_s3fs(options: Mapping[str, str]) -> dict[str, Any]:
    """Return resolved AWS options as s3fs takes them."""
    client: dict[str, Any] = {}
    region = options.get("AWS_REGION") or options.get("AWS_DEFAULT_REGION")
    if region:
        client["region_name"] = region
    given = {
        "key": options.get("AWS_ACCESS_KEY_ID"),
        "secret": options.get("AWS_SECRET_ACCESS_KEY"),
        "token": options.get("AWS_SESSION_TOKEN"),
        "endpoint_url": options.get("AWS_ENDPOINT_URL"),
        "anon": truth(options.get("AWS_SKIP_SIGNATURE")) or None,
        "client_kwargs": client or None,
    }
    if truth(options.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST")):
        given["config_kwargs"] = {"s3": {"addressing_style": "virtual"}}
    return {key: value for key, value in given.items() if value is not None}


def for_gcsfs(options: Mapping[str, str]) -> dict[str, Any]:
    """Return resolved Google options as gcsfs takes them."""
    token = options.get("GOOGLE_SERVICE_ACCOUNT") or options.get("GOOGLE_APPLICATION_CREDENTIALS")
    if truth(options.get("GOOGLE_SKIP_SIGNATURE")):
        token = "anon"
    given = {"token": token, "endpoint_url": options.get("GOOGLE_BASE_URL")}
    return {key: value for key, value in given.items() if value is not None}


def for_adlfs(options: Mapping[str, str]) -> dict[str, Any]:
    """Return resolved Azure options as adlfs takes them.

    >>> for_adlfs({"AZURE_STORAGE_ACCOUNT_NAME": "museum", "AZURE_STORAGE_ACCOUNT_KEY": "k"})
    {'account_name': 'museum', 'account_key': 'k'}
    """
    names = {
        "account_name": "AZURE_STORAGE_ACCOUNT_NAME",
        "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
        "sas_token": "AZURE_STORAGE_SAS_TOKEN",
        "client_id": "AZURE_CLIENT_ID",
        "client_secret": "AZURE_CLIENT_SECRET",
        "tenant_id": "AZURE_TENANT_ID",
    }
    given: dict[str, Any] = {name: options[key] for name, key in names.items() if key in options}
    if truth(options.get("AZURE_SKIP_SIGNATURE")):
        given["anon"] = True
    return given
