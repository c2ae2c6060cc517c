"""Stores on a URL: object stores such as S3, where a write is whole or not there and nothing is ever moved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from upath import UPath

# A file server (sftp, smb, hdfs ...) is none of them: a writer killed there leaves half a file under the real name.
OBJECT_STORES = ("s3", "s3a", "memory")
# Stores too, but what their drivers raise is known to nobody here.
UNTRIED = ("gs", "gcs", "az", "abfs", "abfss")
# No cached listings, because others write too. Three attempts take seconds; then whoever trains is told, and goes on
# trying. A concurrency of 1 reads a file by one request instead of two.
_S3 = dict(max_concurrency=1, config_kwargs=dict(retries=dict(mode="standard", total_max_attempts=3)))
OPTIONS = dict(s3=_S3, s3a=_S3)

# What passes by itself, by name, so that no driver has to be installed.
PASSING_ERRORS = {
    "asyncio.exceptions.TimeoutError",
    "builtins.TimeoutError",
    "builtins.ConnectionError",
    "http.client.HTTPException",
    "botocore.exceptions.ConnectionError",
    "botocore.exceptions.HTTPClientError",
    "botocore.exceptions.FlexibleChecksumError",
    "botocore.exceptions.IncompleteReadError",
    "botocore.parsers.ResponseParserError",
    "aiohttp.client_exceptions.ClientError",
}
NO_CREDENTIALS = {"botocore.exceptions.NoCredentialsError", "botocore.exceptions.PartialCredentialsError"}
NO_ANSWER_ABOUT_CREDENTIALS = {
    "botocore.exceptions.CredentialRetrievalError",
    "botocore.exceptions.MetadataRetrievalError",
}
PASSING_CODES = {"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch"}
PASSING_STATUS = {408, 409, 425, 429}  # and all from 500: the server's own trouble


class StoreError(OSError):
    """A store on a URL cannot be used as it is; the message says what to do."""


class StoreUnreachable(StoreError):
    """A store on a URL does not answer, or not as it should; that may pass. `reason` is what the driver said."""

    def __init__(self, message: str, reason: str = ""):  # one argument will do, so that it can be pickled
        super().__init__(message)
        self.reason = reason


def open_url(url: str) -> "UPath":
    """The folder at `url`. Raises ValueError if it is no object store's, or its driver is not installed."""
    import fsspec
    from upath import UPath

    protocol = url.partition("://")[0]
    if protocol in UNTRIED:
        raise ValueError(
            f"store={url!r}: {protocol}:// is not supported, because nobody has tried it; mount the bucket as "
            "a folder, or, if it has an endpoint that speaks S3, write s3:// and name that in AWS_ENDPOINT_URL=https://..."
        )
    if protocol not in OBJECT_STORES:
        raise ValueError(
            f"store={url!r} is neither a folder nor an object store's URL, such as s3://bucket/runs; allowed: "
            f"{', '.join(OBJECT_STORES)}; what is on a file server can be mounted as a folder"
        )
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError:
        raise ValueError(f"store={url!r} needs a driver that is not there; pip install 'reslab[s3]'") from None
    return UPath(
        url.rstrip("/") if not url.endswith("://") else url, use_listings_cache=False, **OPTIONS.get(protocol, {})
    )


def create(path: "UPath", content: bytes) -> None:
    """Writes a file that is not there yet: of several who try, one does. Raises FileExistsError for the others, and for
    this one too if the store's first answer got lost.
    """
    with sentences(path):
        path.fs.pipe_file(path.path, content, mode="create")


def fetch(place: "UPath", paths: Sequence[str]) -> list[bytes | None]:
    """The content of each of the driver's own `paths`, all at the same time; None where there is no such file.

    `place` is where errors happen: any file or folder of the store.
    """
    with sentences(place):
        contents = place.fs.cat_ranges(list(paths), None, None)
        for content in contents:
            if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                raise content
    return [None if isinstance(content, Exception) else content for content in contents]


@contextmanager
def sentences(path: "UPath") -> Iterator[None]:
    """Turns a driver's exceptions into StoreError and StoreUnreachable.

    FileExistsError and FileNotFoundError of a file stay what they are.
    """
    try:
        yield
    except Exception as error:
        told = _told(path, error)
        if told is error:
            raise
        raise told from error


def _told(path: "UPath", error: Exception) -> Exception:
    answer = getattr(error.__cause__ or error, "response", None)
    answer = answer if isinstance(answer, dict) else {}
    code = answer.get("Error", {}).get("Code")
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__}
    if code == "PreconditionFailed":
        return FileExistsError(str(path))
    if code == "NoSuchBucket":
        bucket = path.path.partition("/")[0]
        return StoreError(f"{path}: there is no bucket {bucket!r}; create it, or correct the URL")
    if isinstance(error, FileExistsError | FileNotFoundError):
        return error
    if NO_CREDENTIALS & names:
        return StoreError(f"{path}: {error}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`")
    if NO_ANSWER_ABOUT_CREDENTIALS & names:
        return StoreError(
            f"{path}: {error}; look at what is to provide them (a role, credential_process, a login), or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if isinstance(error, PermissionError):
        return StoreError(f"{path} may not be used: {error}; check the credentials and what they allow")
    if status >= 500 or status in PASSING_STATUS or code in PASSING_CODES or PASSING_ERRORS & names:
        return StoreUnreachable(f"{path} cannot be reached: {error}", str(error))
    return error
