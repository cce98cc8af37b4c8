"""Folders on object stores and web servers, read through fsspec, never copied whole."""

from functools import cached_property
from pathlib import Path
from typing import Any

from thirdstream.files import ThirdstreamError


class StorageError(ThirdstreamError):
    """A store that cannot be read."""


class Remote:
    """A folder by its address: s3://bucket/folder, https://host/folder, memory://folder.

    Raises StorageError, wherever something is read, if the package for that kind of store is
    missing (extra `remote`), if there is no such file, or if the store does not answer.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self.url.rpartition("/")[2]

    @cached_property
    def _store(self) -> tuple[Any, str]:
        """The file system and the folder's name in it."""
        try:
            from fsspec.core import url_to_fs

            return url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise StorageError(
                f"{self.url}: cannot be opened ({error}); check the address, or "
                "pip install 'thirdstream[remote]'"
            ) from error

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        system, folder = self._store
        return system.exists(f"{folder}/{name}")

    def read(self, name: str, start: int | None = None, stop: int | None = None) -> bytes:
        """A file, or its bytes from `start` to before `stop` in a request for no more than that."""
        system, folder = self._store
        try:
            data = system.cat_file(f"{folder}/{name}", start=start, end=stop)
        except Exception as error:  # every kind of store has its own
            raise StorageError(
                f"{self.url}/{name}: cannot be read ({error!r}); check the address and the network"
            ) from error
        if start is not None and stop is not None and len(data) != stop - start:
            raise StorageError(
                f"{self.url}/{name}: gave {len(data)} bytes where {stop - start} were asked for; "
                "it is damaged, or the server sends no parts of files: choose another one"
            )
        return data


def place_of(where: str | Path) -> Path | Remote:
    """A folder of this machine, or one by its address."""
    return Remote(where) if isinstance(where, str) and "://" in where else Path(where)
