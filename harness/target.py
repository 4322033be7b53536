"""What a gateway under test is, and what it promises: a TOML file, or what the command line and /v1/models tell.

[target]
name = "our gateway, staging"
base_url = "http://127.0.0.1:8080"       # the SDKs' own bases follow from it, or are given below
# base_urls = ["http://10.0.0.1:8080", "http://10.0.0.2:8080"]  # in its place: several nodes, asked in turn
openai_base = "http://127.0.0.1:8080/v1"
upstream_port = 9100                     # where the gateway expects its vendors: wireproof's upstream witness listens there
losses = "losses.json"                   # beside this file: what it declares that it loses where it translates (harness/losses.py)
failover_model = "gpt-5-4-mini"          # two channels serve it, so that a call survives the failure of the first
ark_image_model = "seedream-4-5"         # makes images as Seedream does on Volcengine Ark, one a call
gemini_image_model = "nano-banana"       # makes images by Google's generateContent
video_model = "seedance-1-5"             # makes videos by tasks of Seedance's, on Volcengine Ark

[keys]                                   # names of environment variables, never the keys themselves
good = ["WIREPROOF_API_KEY"]             # each on an account of its own; with one, cases that watch the balance run alone
other_group = ["WIREPROOF_OTHER_GROUP_KEY"]  # good, of groups that lack some of the models
empty_wallet = ["WIREPROOF_EMPTY_WALLET_KEY"]
revoked = ["WIREPROOF_REVOKED_KEY"]
expired = ["WIREPROOF_EXPIRED_KEY"]
capped = ["WIREPROOF_CAPPED_KEY"]        # on an account that may have just one request under way

[[models]]
id = "gpt-5-4"
surfaces = { chat = "native", responses = "native" }
upstream_ids = ["gpt-5.4-2026-03-05"]    # what its vendors call it; unless said, only that very id is known to be right

[[models]]                               # every text surface reaches it: its upstream's own natively, the others translated
id = "gemini-3-1-pro"
upstream = "gemini"                      # openai-chat, openai-responses, anthropic, gemini, deepseek-chat or deepseek-anthropic

[account]
dialect = "wireproof"                    # or "none": then nothing about billing and keys is judged
made_group = "default"                   # keys with small limits may be made in this group at /api/v1/keys, used and deleted again
clock_path = "/test/clock"               # POST {"advance_s": N} there moves the gateway's time ahead
settle_ms = 2000                         # how long after an answer the books may still move

[timeouts]
first_byte_ms = 30000
idle_ms = 60000

[process]                                # how nodes are killed in mid-work, to see what becomes of the money
restart = "docker kill gw-{node}; docker start gw-{node}"  # by the shell; node 1 is at the first URL
sweep_ms = 20000                         # so long after a kill what was held may still be held

[[not_applicable]]
requirement = "billing/*"
reason = "prepaid elsewhere"
"""

import fnmatch
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from harness.case import Case, Dialect, FaultKind, Key, Need, Route, Surface
from harness.client.call import Bases as ClientBases
from harness.losses import Declared, read_losses
from harness.toml_file import TomlFile, UserFileError

DIALECTS: Final = ("wireproof", "none")
_SURFACES: Final = {
    surface.value: surface
    for surface in (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI, Surface.COUNT_TOKENS, Surface.IMAGES)
}
_TEXT: Final = (Surface.CHAT, Surface.RESPONSES, Surface.MESSAGES, Surface.GEMINI)
# In names of models that a gateway lists, and that answer on no surface which can be asked without being described.
_NO_TEXT: Final = (
    "video",
    "seedance",
    "sora",
    "veo-",
    "kling",
    "embed",
    "whisper",
    "tts",
    "transcribe",
    "rerank",
    "moderation",
    "realtime",
)
_MODELS_OF_A_KIND: Final = ("failover_model", "ark_image_model", "gemini_image_model", "video_model")
_SDK_BASES: Final = ("openai_base", "anthropic_base", "gemini_base")
_OTHER_KEYS: Final = {
    "other_group": Key.OTHER_GROUP,
    "empty_wallet": Key.EMPTY_WALLET,
    "revoked": Key.REVOKED,
    "expired": Key.EXPIRED,
    "capped": Key.CAPPED,
}


class TargetError(UserFileError):
    """The target cannot be used as it was given; the message says how to mend it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases(ClientBases):
    """The base URL that each SDK is given, and the gateway's own root."""

    root: str  # for /api/v1/... and /v1beta/...

    @classmethod
    def of(cls, base_url: str, openai: str | None = None, anthropic: str | None = None, gemini: str | None = None) -> "Bases":
        root = base_url.rstrip("/").removesuffix("/v1")
        return cls(openai=openai or f"{root}/v1", anthropic=anthropic or root, gemini=gemini or root, root=root)


class Turn:
    """The nodes of a gateway, one after the other."""

    def __init__(self, nodes: Sequence[Bases], first: int = 0) -> None:
        self.nodes = nodes
        self._next = first

    def __call__(self) -> Bases:
        self._next += 1
        return self.nodes[(self._next - 1) % len(self.nodes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    id: str
    surfaces: dict[Surface, Route]
    upstream: Dialect | None = None  # what its upstream is spoken to in, where the target says so
    upstream_ids: tuple[str, ...] = ()  # what its vendors call it; empty: nobody said
    for_cells: bool = False  # driven on the cells of the translation alone: in all else it would show what another model shows

    def dialect_on(self, surface: Surface) -> Dialect | None:
        """What its upstream is spoken to in when it is asked on this surface; None where it is not served there, or nobody said."""
        route = self.surfaces.get(surface)
        if route is Route.NATIVE and (self.upstream is None or self.upstream.surface is not surface):
            return _own_dialect(surface, self.id)
        if route is None or self.upstream is not None:
            return self.upstream if route is not None else None
        native = [own for own in _TEXT if self.surfaces.get(own) is Route.NATIVE]
        return _own_dialect(native[0], self.id) if len(native) == 1 else None  # with several, nobody said which is spoken to it


def _own_dialect(surface: Surface, model_id: str) -> Dialect | None:
    """The dialect of a native route, by the vendor that the model's name shows."""
    deepseek = "deepseek" in model_id.lower()
    match surface:
        case Surface.CHAT:
            return Dialect.DEEPSEEK_CHAT if deepseek else Dialect.OPENAI_CHAT
        case Surface.RESPONSES:
            return None if deepseek else Dialect.OPENAI_RESPONSES
        case Surface.MESSAGES:
            return Dialect.DEEPSEEK_ANTHROPIC if deepseek else Dialect.ANTHROPIC
        case Surface.GEMINI:
            return Dialect.GEMINI
        case _:
            return None


def on_every_surface(model_id: str, upstream: Dialect, *, for_cells: bool = False) -> Model:
    """A model that all four text surfaces reach."""
    surfaces = {surface: Route.NATIVE if surface is upstream.surface else Route.TRANSLATED for surface in _TEXT}
    return Model(id=model_id, surfaces=surfaces, upstream=upstream, for_cells=for_cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotServed:
    """Requirements that the target declared it does not keep, by slug or glob."""

    requirement: str
    reason: str

    def covers(self, slug: str) -> bool:
        return fnmatch.fnmatchcase(slug, self.requirement)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    name: str
    bases: Bases | None  # None: the embedded reference gateway, started by the run
    more_bases: tuple[Bases, ...] = ()  # of the gateway's other nodes: calls go to all of them in turn
    good_keys: tuple[str, ...] = field(repr=False, default=())
    other_keys: dict[Key, tuple[str, ...]] = field(repr=False, default_factory=dict)
    models: tuple[Model, ...] = ()  # empty: asked of the target
    upstream_port: int = 0  # 0: any free one, for the embedded gateway
    dialect: str = "none"
    settle_ms: int = 0
    first_byte_ms: int | None = None
    idle_ms: int | None = None
    not_served: tuple[NotServed, ...] = ()
    made_group: str | None = None  # keys may be made in this group at /api/v1/keys, by any good key, as contract:31 to 36 say
    clock_path: str | None = None
    failover_model: str | None = None  # the model that two channels serve
    ark_image_model: str | None = None  # the model that makes one image a call, on Ark
    gemini_image_model: str | None = None  # the model that makes images by generateContent
    video_model: str | None = None  # the model that makes videos by Ark's tasks
    losses: Declared | None = None  # what it declares that translation loses; None: nothing
    restarts: bool = False  # its nodes can be killed and started again, and shall be
    restart: str | None = None  # by this command of the shell; None: by whoever started it
    sweep_ms: int = 20_000  # so long after a kill what was held may still be held

    @property
    def nodes(self) -> tuple[Bases, ...]:
        return (self.bases, *self.more_bases) if self.bases is not None else ()

    def lacks(self, case: Case) -> str | None:
        """Why the case cannot be asked of this target, which is no fault of it; None where it can."""
        if Need.DIALECT in case.needs and self.dialect == "none":
            return "the target does not say that it has the contract's own documents ([account] dialect)"
        if Need.MANAGEMENT in case.needs and self.made_group is None:
            return "the target file names no group in which keys may be made ([account] made_group)"
        if Need.CLOCK in case.needs and self.clock_path is None:
            return "the target file names no path that moves the gateway's clock ([account] clock_path)"
        if Need.FAILOVER in case.needs and self.failover_model is None:
            return "the target file names no model with two channels ([target] failover_model)"
        if Need.ARK_IMAGES in case.needs and self.ark_image_model is None:
            return "the target file names no model that makes images on Volcengine Ark ([target] ark_image_model)"
        if Need.GEMINI_IMAGES in case.needs and self.gemini_image_model is None:
            return "the target file names no model that makes images by generateContent ([target] gemini_image_model)"
        if Need.VIDEOS in case.needs and self.video_model is None:
            return "the target file names no model that makes videos ([target] video_model)"
        if Need.RESTART in case.needs and not self.restarts:
            return "killing nodes wants --storm-calls N, and a command for it where the gateway is not embedded ([process] restart)"
        if case.steps and case.account and self.dialect == "none":
            return "the target shows no account (dialect none)"
        for key in {step.key for step in case.steps if step.key_from is None} | {case.key}:
            if key is Key.OTHER_ACCOUNT and len(self.good_keys) < 2:  # the case's own is one of them
                return "the target file offers one good key, and this wants a second account"
            if key in (Key.REVOKED, Key.EXPIRED, Key.CAPPED) and key not in self.other_keys:
                return f"the target file offers no {key} key"
        return None

    def says_timeouts(self, case: Case) -> bool:
        """Whether the target has said how long is too long, where the case's vendor falls silent."""
        plays = (case.play, *(play for step in case.steps for play in step.plays))
        stalls = any(play and play.fault and play.fault.kind in (FaultKind.STALL_BEFORE, FaultKind.STALL_IN) for play in plays)
        return not stalls or (self.first_byte_ms is not None and self.idle_ms is not None)

    def declared(self, requirement: str) -> str | None:
        """Why the requirement does not apply, where the target said so beforehand."""
        if self.dialect == "none" and requirement.startswith("billing/"):
            return "the target shows no account (dialect none)"
        return next((entry.reason for entry in self.not_served if entry.covers(requirement)), None)

    def secrets(self) -> tuple[str, ...]:
        return (*self.good_keys, *(key for keys in self.other_keys.values() for key in keys))

    def promises(self, case: Case | None = None, model: str = "") -> dict[str, Any]:
        """What checks and reports may know of it; no secret among it.

        With a case that is translated, what it declares to be lost there; with the model that is asked for, what its vendors call it.
        """
        told: dict[str, Any] = {
            "name": self.name,
            "settle_ms": self.settle_ms,
            "first_byte_ms": self.first_byte_ms,
            "idle_ms": self.idle_ms,
        }
        if case is not None and case.upstream is not None and self.losses is not None and case.upstream.surface is not case.surface:
            told["losses"] = self.losses.on(case.surface, case.upstream)
        if named := next((each.upstream_ids for each in self.models if each.id == model), ()):
            told["upstream_ids"] = list(named)
        return told


def check_url(url: str, where: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, a port beyond 65535
        good = False
    if not good:
        raise TargetError(f"{where} {url!r} is not a URL: give something like http://127.0.0.1:8080")
    return url.rstrip("/")


def read_target(path: Path) -> Target:
    """The target that a TOML file describes. Raises UserFileError, which names file and line."""
    file = TomlFile(path)
    file.only(file.values, ("target", "keys", "models", "account", "timeouts", "process", "not_applicable"), "a target file")
    about = file.take(file.values, "target", dict, "a target file", {})
    file.only(
        about,
        ("name", "base_url", "base_urls", *_SDK_BASES, "upstream_port", *_MODELS_OF_A_KIND, "losses"),
        "[target]",
    )
    bases, *more_bases = _bases(file, about)
    account = file.take(file.values, "account", dict, "a target file", {})
    file.only(account, ("dialect", "settle_ms", "made_group", "clock_path"), "[account]")
    dialect = file.take(account, "dialect", str, "[account]", "none")
    if dialect not in DIALECTS:
        raise file.error("dialect", f"`dialect` must be one of {', '.join(DIALECTS)}, not {dialect!r}")
    timeouts = file.take(file.values, "timeouts", dict, "a target file", {})
    file.only(timeouts, ("first_byte_ms", "idle_ms"), "[timeouts]")
    process = file.take(file.values, "process", dict, "a target file", {})
    file.only(process, ("restart", "sweep_ms"), "[process]")
    restart = file.take(process, "restart", str, "[process]")
    good, others = _keys(file)
    return Target(
        name=file.take(about, "name", str, "[target]", bases.root),
        bases=bases,
        more_bases=tuple(more_bases),
        good_keys=good,
        other_keys=others,
        models=_models(file),
        upstream_port=file.number(about, "upstream_port", "[target]", 0, least=1, most=65535),
        dialect=dialect,
        settle_ms=file.number(account, "settle_ms", "[account]", 0, least=0),
        first_byte_ms=file.number(timeouts, "first_byte_ms", "[timeouts]", least=1),
        idle_ms=file.number(timeouts, "idle_ms", "[timeouts]", least=1),
        not_served=_not_served(file),
        made_group=file.take(account, "made_group", str, "[account]"),
        clock_path=file.take(account, "clock_path", str, "[account]"),
        failover_model=file.take(about, "failover_model", str, "[target]"),
        ark_image_model=file.take(about, "ark_image_model", str, "[target]"),
        gemini_image_model=file.take(about, "gemini_image_model", str, "[target]"),
        video_model=file.take(about, "video_model", str, "[target]"),
        losses=_losses(file, file.take(about, "losses", str, "[target]")),
        restarts=restart is not None,
        restart=restart,
        sweep_ms=file.number(process, "sweep_ms", "[process]", 20_000, least=0),
    )


def _bases(file: TomlFile, about: dict[str, Any]) -> tuple[Bases, ...]:
    """Of each node. Raises UserFileError."""
    given = [name for name in ("base_url", "base_urls") if name in about]
    if len(given) != 1:
        raise file.error("target", "[target] needs one of `base_url`, the gateway's address, and `base_urls`, its nodes'")
    own = [file.take(about, name, str, "[target]") for name in _SDK_BASES]
    urls = [file.take(about, "base_url", str, "[target]")] if given == ["base_url"] else file.take(about, "base_urls", list, "[target]")
    if not urls or not all(isinstance(url, str) for url in urls):
        raise file.error(given[0], "`base_urls` is a list of one URL for each node")
    if given == ["base_urls"] and any(own):
        raise file.error(given[0], f"with `base_urls` the SDKs' bases follow from them: leave out {', '.join(_SDK_BASES)}")
    try:
        return tuple(Bases.of(check_url(url, given[0]), *own) for url in urls)
    except TargetError as error:
        raise file.error(given[0], str(error)) from error


def _losses(file: TomlFile, name: str | None) -> Declared | None:
    try:
        return None if name is None else read_losses(file.path.parent / name)
    except UserFileError as error:
        raise file.error("losses", str(error)) from error


def _keys(file: TomlFile) -> tuple[tuple[str, ...], dict[Key, tuple[str, ...]]]:
    keys = file.take(file.values, "keys", dict, "a target file", {})
    file.only(keys, ("good", *_OTHER_KEYS), "[keys]")

    def secrets(word: str) -> tuple[str, ...]:
        found = []
        for name in file.take(keys, word, list, "[keys]", []):
            if not isinstance(name, str):
                raise file.error(word, f"`{word}` names environment variables, not {name!r}")
            if not os.environ.get(name):
                raise file.error(word, f"the environment variable {name} is not set: export it with the gateway's key")
            found.append(os.environ[name])
        return tuple(found)

    named = {key: secrets(word) for word, key in _OTHER_KEYS.items()}
    return secrets("good"), {key: values for key, values in named.items() if values}


def _models(file: TomlFile) -> tuple[Model, ...]:
    models = []
    for number, entry in enumerate(file.tables("models", "a target file")):
        file.only(entry, ("id", "surfaces", "upstream", "upstream_ids"), "[[models]]")
        if not file.take(entry, "id", str, "[[models]]", nth=number):
            raise file.error("models", "a [[models]] entry needs `id`", nth=number)
        surfaces = {}
        for name, route in file.take(entry, "surfaces", dict, "[[models]]", {}, nth=number).items():
            if name not in _SURFACES:
                raise file.error(name, f"`{name}` is not a surface: it is one of {', '.join(_SURFACES)}")
            if route not in tuple(Route):
                raise file.error(name, f"`{name}` must be one of {', '.join(Route)}, not {route!r}")
            surfaces[_SURFACES[name]] = Route(route)
        model = _model(file, entry["id"], surfaces, file.take(entry, "upstream", str, "[[models]]", nth=number))
        named = file.take(entry, "upstream_ids", list, "[[models]]", [], nth=number)
        if not all(isinstance(name, str) and name for name in named):
            raise file.error("upstream_ids", "`upstream_ids` is a list of the names that the vendors have for the model", nth=number)
        models.append(replace(model, upstream_ids=tuple(named)))
    return tuple(models)


def _model(file: TomlFile, model_id: str, surfaces: dict[Surface, Route], named: str | None) -> Model:
    if named is None:
        return Model(id=model_id, surfaces=surfaces or served_by(model_id))
    if named not in tuple(Dialect):
        raise file.error("upstream", f"`upstream` must be one of {', '.join(Dialect)}, not {named!r}")
    upstream = Dialect(named)
    return Model(id=model_id, surfaces=surfaces, upstream=upstream) if surfaces else on_every_surface(model_id, upstream)


def _not_served(file: TomlFile) -> tuple[NotServed, ...]:
    entries = []
    for number, entry in enumerate(file.tables("not_applicable", "a target file")):
        file.only(entry, ("requirement", "reason"), "[[not_applicable]]")
        if not all(file.take(entry, key, str, "[[not_applicable]]", nth=number) for key in ("requirement", "reason")):
            raise file.error("not_applicable", "a [[not_applicable]] entry needs `requirement` and `reason`", nth=number)
        entries.append(NotServed(requirement=entry["requirement"], reason=entry["reason"]))
    return tuple(entries)


def served_by(model_id: str) -> dict[Surface, Route]:
    """The native surfaces of a model that nobody described, by the family that its name shows; none where it shows another trade."""
    name = model_id.lower()
    if any(word in name for word in _NO_TEXT):
        return {}
    if "claude" in name:
        return {Surface.MESSAGES: Route.NATIVE}
    if "image" in name or name.startswith(("seedream", "nano-banana")):
        return {Surface.IMAGES: Route.NATIVE}
    if "gemini" in name:
        return {Surface.GEMINI: Route.NATIVE}
    if name.startswith(("gpt", "o1", "o3", "o4", "chatgpt", "codex")):
        return {Surface.CHAT: Route.NATIVE, Surface.RESPONSES: Route.NATIVE}
    return {Surface.CHAT: Route.NATIVE}
