"""Taking secrets out of text before it is logged, shown or stored."""

import re

HIDDEN = "…"


_NAME = (
    r"(?:secret|password|passwd|passphrase|token|signature|access[_-]?key|account[_-]?key"
    r"|api[_-]?key|sas[_-]?key|storage[_-]?key|private[_-]?key|service[_-]?account[_-]?key"
    r"|connection[_-]?string|authorization|credential)s?(?:[_-]?id)?(?![a-z])"
)
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/\s:@?#]*:[^/\s@?#]*@")
_WEB_USERINFO = re.compile(r"(?i)\b(https?://)[^/\s:@?#]+@")
_QUERY = re.compile(
    rf"(?i)([?&;](?:[\w.-]*{_NAME}|X-Amz-[\w-]+|X-Goog-[\w-]+|sig|se|sp|spr|sv|sr|st|skoid|sktid"
    rf"|key|auth|AWSAccessKeyId|GoogleAccessId|Expires|Policy|Key-Pair-Id)=)[^&;#\s\"'<>]+"
)
_ASSIGNED = re.compile(rf"(?i)(\b[\w.-]*{_NAME}\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&\"')\]}}]+)")
_QUOTED = re.compile(
    rf"(?i)((?P<q>[\"'])[\w.-]*{_NAME}(?P=q)\s*:\s*)(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}")
_AWS_KEY_ID = re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")


def redact(text: str) -> str:
    """Return text with secrets, userinfo in URIs and signed query strings replaced by '…'.

    >>> redact("GET https://me:pw@host/a.jpg?X-Amz-Signature=abc&width=9")
    'GET https://…@host/a.jpg?X-Amz-Signature=…&width=9'
    >>> redact('{"AWS_SECRET_ACCESS_KEY": "abc", "AWS_REGION": "eu-west-1"}')
    '{"AWS_SECRET_ACCESS_KEY": "…", "AWS_REGION": "eu-west-1"}'
    >>> redact("password=hunter2 host=db")
    'password=… host=db'
    """
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _WEB_USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(rf"\1{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    text = _QUOTED.sub(lambda found: f"{found[1]}{found[3][0]}{HIDDEN}{found[3][0]}", text)
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    return _AWS_KEY_ID.sub(HIDDEN, text)
