"""Finds and fetches a pinned source distribution the way pip would: same indexes, proxy, certificates, credentials.

pip itself is not used to fetch, since `pip download` runs a package's build to learn its metadata. The simple API is
https://packaging.python.org/en/latest/specifications/simple-repository-api/ : JSON where the index has it, else HTML.
Not done: keyring credentials.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import url2pathname

import httpx2

_ACCEPT: Final = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_DEFAULT_INDEX: Final = re.compile(r"Package\s+Index\s+\(default\s+(\S+?)\)")  # in pip's own help
_LINE: Final = re.compile(r"(?P<section>[^=]*)\.(?P<name>[^.=]+)=(?P<value>.*)")
# Later wins; pip gives the command's own section more weight than [global], and its environment more than either.
_SECTIONS: Final = ("global", "install", "download", ":env:")


class FetchError(Exception):
    """A distribution cannot be had; the message says which, from where, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipConfig:
    """What pip's configuration says about where distributions are and how to get there."""

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    proxy: str | None = None
    cert: str | None = None  # CA bundle
    client_cert: str | None = None
    trusted_hosts: frozenset[str] = frozenset()  # host or host:port whose certificates are not checked
    timeout_seconds: float = 30.0


def pip_config() -> PipConfig:
    """Files and PIP_* variables merged, as `pip config list` prints them; without a pip, the variables alone.

    Options are named here as the variables name them.
    """
    values = _parsed(_config_list())
    if not values:
        values = {name[4:].lower(): value for name, value in os.environ.items() if name.startswith("PIP_")}
    timeout = values.get("timeout") or values.get("default_timeout") or "30"
    try:
        timeout_seconds = float(timeout)
    except ValueError:
        raise FetchError(f"pip is configured with the timeout {timeout!r}: make it a number of seconds") from None
    indexes = (
        [] if _is_on(values.get("no_index")) else [values.get("index_url") or _default_index(), *values.get("extra_index_url", "").split()]
    )
    return PipConfig(
        indexes=tuple(indexes),
        find_links=tuple(values.get("find_links", "").split()),
        proxy=values.get("proxy") or None,
        cert=values.get("cert") or None,
        client_cert=values.get("client_cert") or None,
        trusted_hosts=frozenset(values.get("trusted_host", "").split()),
        timeout_seconds=timeout_seconds,
    )


def _default_index() -> str:
    """Where pip looks when nothing else is configured: pip knows, so pip is asked. Raises FetchError without a pip."""
    pip = shutil.which("pip") or shutil.which("pip3")
    words = [pip, "download", "--help"] if pip else [sys.executable, "-m", "pip", "download", "--help"]
    told = _DEFAULT_INDEX.search(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    if told is None:
        raise FetchError("no package index is configured and there is no pip to ask: set PIP_INDEX_URL")
    return told[1]


def _config_list() -> str:
    """The output of `pip config list`, of this environment's pip or of the one on PATH; empty where there is none."""
    commands = [[sys.executable, "-m", "pip"]]
    if found := shutil.which("pip"):
        commands.append([found])
    for command in commands:
        done = subprocess.run([*command, "config", "list"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
    return ""


def _parsed(listing: str) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        if (match := _LINE.fullmatch(line)) and match["section"] in found:
            found[match["section"]][match["name"].replace("-", "_")] = str(ast.literal_eval(match["value"]))
    return {name: value for section in _SECTIONS for name, value in found[section].items()}


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in {"1", "true", "yes", "on", "y", "t"}


@dataclass(slots=True)
class Index:
    """The places of one pip configuration; closes its connections at the end of a `with`."""

    config: PipConfig
    _clients: dict[bool, httpx2.Client] = field(default_factory=dict)

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def fetch(self, name: str, version: str, sha256: str, progress: Callable[[int, int | None], None]) -> bytes:
        """The sdist of that hash. `progress` is told the bytes so far and, where known, in all."""
        problems: list[str] = []
        for place, url in self._links(name, version, problems):
            try:
                data = self._get(url, progress)
            except _UnreachableError as error:
                problems.append(str(error))
                continue
            got = hashlib.sha256(data).hexdigest()
            if got == sha256:
                return data
            problems.append(f"{place} has it with another hash ({got[:12]}.., pinned {sha256[:12]}..)")
        why = "; ".join(dict.fromkeys(problems)) or "no index has that version as .tar.gz"
        raise FetchError(f"{name} {version} cannot be had: {why}: check the network and pip's configuration, or the pin")

    def _links(self, name: str, version: str, problems: list[str]) -> Iterator[tuple[str, str]]:
        """Every link to the sdist, nearest place first, each with the name of its place."""
        wanted = _normal(f"{name}-{version}")
        pages = [(place, _as_url(place)) for place in self.config.find_links]
        pages += [(place, f"{place.rstrip('/')}/{_normal(name)}/") for place in self.config.indexes]
        if not pages:
            problems.append("pip is configured with no index (no-index) and no find-links")
        for place, page in pages:
            try:
                links = self._page(page)
            except _UnreachableError as error:
                problems.append(str(error))
                continue
            for filename, url in links:
                if filename.endswith(".tar.gz") and _normal(filename.removesuffix(".tar.gz")) == wanted:
                    yield _shown(place), url

    def _page(self, url: str) -> list[tuple[str, str]]:
        """File names and absolute URLs on a page of the simple API, or in a local folder."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            folder = Path(url2pathname(parts.path))
            if not folder.is_dir():
                return []
            if not (folder / "index.html").is_file():
                return [(file.name, file.as_uri()) for file in folder.iterdir()]
            return _html_links((folder / "index.html").as_uri(), (folder / "index.html").read_text(encoding="utf-8"))
        with self._stream(url) as response:
            if response.status_code == 404:
                return []
            if response.status_code != 200:
                raise _UnreachableError(f"{_shown(url)} answers {response.status_code}")
            response.read()
            if response.headers.get("content-type", "").startswith("application/vnd.pypi.simple.v1+json"):
                try:
                    files = json.loads(response.content)["files"]
                    return [(each["filename"], urljoin(str(response.url), each["url"])) for each in files]
                except (ValueError, KeyError, TypeError) as error:
                    raise _UnreachableError(f"{_shown(url)} does not speak the simple API ({error!r})") from error
            return _html_links(str(response.url), response.text)

    def _get(self, url: str, progress: Callable[[int, int | None], None]) -> bytes:
        url = urldefrag(url).url
        parts = urlsplit(url)
        if parts.scheme == "file":
            try:
                return Path(url2pathname(parts.path)).read_bytes()
            except OSError as error:
                raise _UnreachableError(f"{url} cannot be read ({error.strerror})") from error
        with self._stream(url) as response:
            if response.status_code != 200:
                raise _UnreachableError(f"{_shown(url)} answers {response.status_code}")
            size = int(response.headers["content-length"]) if response.headers.get("content-length", "").isdigit() else None
            data = bytearray()
            for piece in response.iter_raw():
                data += piece
                progress(len(data), size)
            return bytes(data)

    def _stream(self, url: str) -> "_Answer":
        return _Answer(self._client(url), url, self._auth(url))

    def _auth(self, url: str) -> httpx2.Auth | None:
        """The credentials in the URL, else those of an index on the same host, else ~/.netrc's."""
        parts = urlsplit(url)
        for known in (parts, *(urlsplit(place) for place in self.config.indexes)):
            if known.hostname == parts.hostname and known.username:
                return httpx2.BasicAuth(unquote(known.username), unquote(known.password or ""))
        try:
            return httpx2.NetRCAuth(os.environ.get("NETRC"))
        except (OSError, SyntaxError):
            return None

    def _client(self, url: str) -> httpx2.Client:
        parts = urlsplit(url)
        trusted = bool({parts.hostname, parts.netloc.rpartition("@")[2]} & self.config.trusted_hosts)
        if trusted not in self._clients:
            try:
                self._clients[trusted] = httpx2.Client(
                    verify=_tls(self.config, check=not trusted),
                    proxy=self.config.proxy,
                    timeout=self.config.timeout_seconds,
                    follow_redirects=True,
                    # gzip would be undone by the client, and then the hash would not be the file's.
                    headers={"accept": _ACCEPT, "accept-encoding": "identity", "user-agent": "wireproof"},
                )
            except (OSError, ValueError) as error:
                raise FetchError(
                    f"pip is configured with a certificate or proxy that cannot be used ({error}): mend its configuration"
                ) from error
        return self._clients[trusted]


class _UnreachableError(Exception):
    """One place could not be asked; the next one may have the file."""


class _Answer:
    """A streamed GET, whose transport errors become _UnreachableError wherever they come up."""

    def __init__(self, client: httpx2.Client, url: str, auth: httpx2.Auth | None) -> None:
        bare = urlsplit(url)
        self._url = url
        self._stream = client.stream("GET", urlunsplit(bare._replace(netloc=bare.netloc.rpartition("@")[2])), auth=auth)

    def __enter__(self) -> httpx2.Response:
        try:
            return self._stream.__enter__()
        except httpx2.HTTPError as error:
            raise _UnreachableError(f"{_shown(self._url)} cannot be reached ({error})") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._stream.__exit__(None, None, None)
        if isinstance(error, httpx2.HTTPError):
            raise _UnreachableError(f"{_shown(self._url)} broke off ({error})") from error


def _tls(config: PipConfig, *, check: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=config.cert)
    if config.client_cert:
        context.load_cert_chain(config.client_cert)
    if not check:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []
        self.base: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href: Mapping[str, str | None] = dict(attrs)
        if tag == "a" and (found := href.get("href")):
            self.hrefs.append(found)
        if tag == "base" and self.base is None:
            self.base = href.get("href")


def _html_links(url: str, page: str) -> list[tuple[str, str]]:
    anchors = _Anchors()
    anchors.feed(page)
    links = [urljoin(urljoin(url, anchors.base or ""), href) for href in anchors.hrefs]
    return [(unquote(urlsplit(link).path.rpartition("/")[2]), link) for link in links]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _as_url(place: str) -> str:
    return place if "://" in place else Path(place).expanduser().absolute().as_uri()


def _shown(url: str) -> str:
    """A URL fit for a message: its password is nobody's business."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
