"""The few requests of S3 that an index needs, through s3fs, with its errors as files have them.

Endpoint, region and credentials come from where every AWS tool takes them: `AWS_ENDPOINT_URL`, `AWS_REGION`,
`AWS_ACCESS_KEY_ID`, ..., a profile, or the machine's role.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from hyperir.core.errors import InputError, MissingExtraError, UnreachableError

__all__ = ["Bucket", "ChangedError", "Head", "lance_options"]

CONFLICTS = 5  # attempts at a conditional write that meets another one in the same moment
PAGE = 1000  # objects in one answer of a listing; S3 gives no more
PART = 32 << 20  # bytes of a part of a large file
PARALLEL = 4  # parts on their way at once, all of them in memory
STREAM = 16 << 20  # bytes of one request when a file is read in order
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
HANDED_ON = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}


class ChangedError(OSError):
    """The object is not the one that the request was meant for: another one wrote it meanwhile."""


class Head(NamedTuple):
    """An object's tag, our note on it, and the seconds since it was written, by the clock of the server."""

    tag: str
    note: str
    age: float


@dataclass
class Bucket:
    """A bucket. Keys are whole; nothing is cached, so that every answer is the store's.

    Args:
        name: the bucket's.
    """

    name: str

    @property
    def _fs(self) -> Any:
        settings = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        return _client(os.getpid(), settings)

    def _call(self, request: str, **arguments: Any) -> Any:
        with self._explained():
            return self._fs.call_s3(request, Bucket=self.name, **arguments)

    def keys(self, prefix: str, deep: bool) -> Iterator[tuple[str, int, str]]:
        """Key, size and tag of all objects that begin with a prefix; not `deep`: up to the next slash, folders with it.

        Args:
            prefix: of the keys.
            deep: whether objects below folders are meant.
        """
        more: dict[str, str] = {} if deep else {"Delimiter": "/"}
        while True:
            page = self._call("list_objects_v2", Prefix=prefix, MaxKeys=PAGE, **more)
            yield from ((entry["Key"], entry["Size"], entry["ETag"]) for entry in page.get("Contents", ()))
            yield from ((entry["Prefix"], 0, "") for entry in page.get("CommonPrefixes", ()))
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def get(self, key: str, start: int = 0) -> bytes:
        """An object's bytes, from one on."""
        with self._explained():
            data: bytes = self._fs.cat_file(f"{self.name}/{key}", start=start or None, max_concurrency=1)
        return data

    def head(self, key: str) -> Head | None:
        """What an object is, or None where there is none."""
        try:
            answer = self._call("head_object", Key=key)
        except FileNotFoundError:
            return None
        return Head(answer["ETag"], answer["Metadata"].get("note", ""), _age(answer))

    def put(self, key: str, data: bytes, note: str = "", replaces: str | None = None) -> str:
        """Write an object that must be new, or must replace exactly the one with this tag.

        Returns:
            its tag.

        Raises:
            FileExistsError: it is not new; nothing changed.
            ChangedError: it is not the one to be replaced, or there is none; nothing changed.
        """
        condition = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": replaces}
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._call("put_object", Key=key, Body=data, Metadata={"note": note}, **condition)
            except OSError as error:
                code = _code(error)
                if code == "ConditionalRequestConflict" and attempt < CONFLICTS:
                    continue
                if replaces is None and code in ("PreconditionFailed", "412"):
                    raise FileExistsError(f"s3://{self.name}/{key}") from error
                if replaces is not None and code in ("PreconditionFailed", "412", "NoSuchKey", "404"):
                    raise ChangedError(f"s3://{self.name}/{key} was changed by another process") from error
                raise
            return str(answer["ETag"])

    def delete(self, key: str, tag: str | None = None) -> None:
        """Remove an object, if it is the one with this tag where one is given; one that is gone is no error.

        Raises:
            ChangedError: it is another one; nothing changed.
        """
        try:
            self._call("delete_object", Key=key, **({} if tag is None else {"IfMatch": tag}))
        except FileNotFoundError:
            return
        except OSError as error:
            if _code(error) in ("PreconditionFailed", "412"):
                raise ChangedError(f"s3://{self.name}/{key} was changed by another process") from error
            raise

    def upload(self, path: Path, key: str) -> None:
        """Write a file of any size, in parts where it is large; it appears when all of it has arrived."""
        with self._explained():
            self._fs.put_file(str(path), f"{self.name}/{key}", chunksize=PART)

    def download(self, key: str, path: Path) -> None:
        """Bring an object here, into a new file."""
        with self._explained():
            self._fs.get_file(f"{self.name}/{key}", str(path))

    def stream(self, key: str, take: Callable[[bytes], None]) -> int:
        """Read an object in order, block by block.

        Returns:
            its size.
        """
        with self._explained(), self._fs.open(f"{self.name}/{key}", "rb", block_size=STREAM) as file:
            while block := file.read(STREAM):
                take(block)
            size: int = file.tell()
        return size

    @contextmanager
    def _explained(self) -> Iterator[None]:
        self._fs  # noqa: B018  names the missing package, if it is missing, before its parts are imported
        from botocore.exceptions import BotoCoreError, NoCredentialsError, PartialCredentialsError

        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise InputError(
                f"no credentials for s3://{self.name}",
                got=str(error),
                fix="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
            ) from error
        except FileNotFoundError as error:
            if _code(error) != "NoSuchBucket":
                raise
            raise InputError(
                f"there is no bucket {self.name!r} at {_endpoint() or 'AWS'}",
                fix="make it, or check its name and AWS_ENDPOINT_URL",
            ) from error
        except BotoCoreError as error:
            raise UnreachableError(
                f"s3://{self.name} does not answer",
                got=str(error),
                fix="check the network, AWS_ENDPOINT_URL and AWS_REGION, then do it again",
            ) from error

    def __reduce__(self) -> Any:
        return (Bucket, (self.name,))


@lru_cache(maxsize=4)
def _client(process: int, settings: tuple[tuple[str, str], ...]) -> Any:
    """What speaks S3, one for all buckets: it takes long to make. A forked process and other settings need another."""
    try:
        import s3fs
    except ModuleNotFoundError as error:
        if error.name != "s3fs":
            raise
        raise MissingExtraError("s3fs", "s3", "an index at an address that begins with s3://") from None
    region = _region()
    return s3fs.S3FileSystem(
        endpoint_url=_endpoint(),
        client_kwargs={"region_name": region} if region else {},
        use_listings_cache=False,
        skip_instance_cache=True,
        max_concurrency=PARALLEL,
    )


def lance_options() -> dict[str, str]:
    """The same settings for Lance, which makes its own requests; a profile or a role it finds by itself."""
    options = {theirs: os.environ[ours] for ours, theirs in HANDED_ON.items() if os.environ.get(ours)}
    if region := _region():
        options["aws_region"] = region
    if endpoint := _endpoint():
        options["aws_endpoint"] = endpoint
        if endpoint.startswith("http://"):
            options["allow_http"] = "true"
    return options


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def _region() -> str | None:
    return next((os.environ[name] for name in REGION if os.environ.get(name)), None)


def _code(error: BaseException) -> str:
    """S3's own word for what went wrong, or nothing."""
    from botocore.exceptions import ClientError

    cause = error if isinstance(error, ClientError) else error.__cause__
    return str(cause.response["Error"].get("Code", "")) if isinstance(cause, ClientError) else ""


def _age(answer: Mapping[str, Any]) -> float:
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return float((now - answer["LastModified"]).total_seconds())
