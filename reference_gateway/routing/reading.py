"""The parts of the configuration that say where a call may go: channels, models, groups, aliases, hints, and how they are tried."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from reference_gateway import features
from reference_gateway.billing.prices import PLAIN_IMAGE, PriceChange, Prices
from reference_gateway.catalog import (
    LANGUAGES,
    SURFACES,
    TRANSLATED,
    Alias,
    Catalog,
    Channel,
    Endpoint,
    Fetching,
    Model,
    Offer,
    Routing,
    UpstreamKind,
)
from reference_gateway.models import CAPABILITIES
from reference_gateway.routes import Surface
from reference_gateway.toml_lines import Table

MODEL_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")  # C10
Secret = Callable[[Table, str], bytes]


class CatalogReader:
    """`secret` reads what `..._env` or `..._file` of a table points at."""

    def __init__(self, root: Table, folder: Path, secret: Secret) -> None:
        self._root = root
        self._folder = folder
        self._secret = secret

    def routing(self) -> Routing:
        table, usual = self._root.table("routing"), Routing()
        routing = Routing(
            attempts=table.integer("attempts", usual.attempts),
            failures=table.integer("failures", usual.failures),
            cooldown_ms=table.integer("cooldown_ms", usual.cooldown_ms),
            max_cooldown_ms=table.integer("max_cooldown_ms", usual.max_cooldown_ms),
            session_ttl_s=table.integer("session_ttl_s", usual.session_ttl_s),
            response_ttl_s=table.integer("response_ttl_s", usual.response_ttl_s),
            channel_header=table.boolean("channel_header", usual.channel_header),
        )
        if not routing.attempts:
            raise table.error("attempts is 0; it must be 1 or more, since the first channel counts", "attempts")
        table.close()
        return routing

    def fetching(self) -> Fetching:
        table, usual = self._root.table("fetch"), Fetching()
        fetching = Fetching(
            enabled=table.boolean("enabled", usual.enabled),
            max_bytes=table.integer("max_bytes", usual.max_bytes),
            timeout_ms=table.integer("timeout_ms", usual.timeout_ms),
        )
        table.close()
        return fetching

    def catalog(self) -> Catalog:
        channels: dict[str, Channel] = {}
        served: list[tuple[Table, dict[str, Offer]]] = []
        for name, table in self._root.tables("channels"):
            channel = channels[name] = self._channel(name, table)
            served.append((table, self._served(channel, table)))
            table.close()
        offers: dict[str, list[Offer]] = {}
        for _, of_channel in served:
            for id_, offer in of_channel.items():
                offers.setdefault(id_, []).append(offer)
        models = self._models(offers)
        for table, of_channel in served:
            for id_ in of_channel:
                if id_ not in models:
                    raise table.error(f"model {id_} is not defined; add [[models]] with that id, or take it out", "models")
        groups = {name: self._group(name, table, models, channels) for name, table in self._root.tables("groups")}
        aliases = {name: self._alias(name, table, models) for name, table in self._root.tables("aliases")}
        return Catalog(channels=channels, models=models, groups=groups, aliases=aliases, hints=self._hints(models, aliases))

    def _channel(self, name: str, table: Table) -> Channel:
        kind_name = table.string("kind")
        if kind_name not in list(UpstreamKind):
            raise table.error(f'kind is "{kind_name}"; it must be one of {", ".join(UpstreamKind)}', "kind")
        kind = UpstreamKind(kind_name)
        endpoint = self._endpoint(table, "base_url")
        messages_endpoint: Endpoint | None = None
        if kind is UpstreamKind.DEEPSEEK:
            messages_endpoint = replace(endpoint, base_path=endpoint.base_path + b"/anthropic")
            if "base_url_anthropic" in table:
                messages_endpoint = self._endpoint(table, "base_url_anthropic")
        channel = Channel(
            name=name,
            kind=kind,
            endpoint=endpoint,
            messages_endpoint=messages_endpoint,
            secret=self._secret(table, "key"),
            priority=table.integer("priority", 1),
            weight=table.integer("weight", 1),
            schedulable=table.boolean("schedulable", True),
        )
        if not channel.weight:
            raise table.error("weight is 0; it must be 1 or more (schedulable = false takes a channel out)", "weight")
        return channel

    def _endpoint(self, table: Table, key: str) -> Endpoint:
        base_url = table.string(key)
        try:
            url = urlsplit(base_url)
            port = url.port
        except ValueError:
            raise table.error(f"{key} {base_url} is not a URL", key) from None
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username:
            raise table.error(f"{key} {base_url} must be http(s)://host[:port][/path] and no more", key)
        ca_file = table.string("ca_file", "")
        tls: ssl.SSLContext | None = None
        if url.scheme == "https":
            try:
                tls = ssl.create_default_context(cafile=str(self._folder / ca_file) if ca_file else None)
            except (OSError, ssl.SSLError) as error:
                raise table.error(f"ca_file {ca_file} cannot be used: {error}", "ca_file") from error
        base_path = url.path.rstrip("/").encode()
        return Endpoint(host=url.hostname, port=port or (443 if tls else 80), tls=tls, base_path=base_path, ca_file=ca_file)

    def _served(self, channel: Channel, table: Table) -> dict[str, Offer]:
        """`models`: a list of ids, or a table of ids and what the vendor calls them."""
        if not table.is_table("models"):
            return {id_: Offer(channel=channel, upstream_id=id_) for id_ in table.strings("models")}
        ids = table.table("models")
        return {id_: Offer(channel=channel, upstream_id=ids.string(id_)) for id_ in ids.names()}

    def _models(self, offers: Mapping[str, list[Offer]]) -> dict[str, Model]:
        models: dict[str, Model] = {}
        for table in self._root.array("models"):
            model = self._model(table, offers)
            if model.id in models:
                raise table.error(f"model {model.id} stands here a second time; give each id once", "id")
            models[model.id] = model
        return models

    def _model(self, table: Table, offers: Mapping[str, list[Offer]]) -> Model:
        id_ = table.string("id")
        if not MODEL_ID.fullmatch(id_):
            raise table.error(f"model id {id_} must be lower-case words with dashes between them, such as gemini-3-1-pro", "id")
        own = sorted(offers.get(id_, ()), key=lambda offer: offer.channel.priority)
        if not own:
            raise table.error(f"model {id_} is served by no channel; add it to the models of a channel", "id")
        spoken, surfaces, translated = self._surfaces(id_, table, own)
        anthropic = any(offer.channel.kind is UpstreamKind.ANTHROPIC for offer in own)
        capabilities = table.strings("capabilities", ("text", "streaming"))
        for tag in capabilities:
            if tag not in CAPABILITIES:
                raise table.error(f"model {id_}: capability {tag} is not one of {', '.join(CAPABILITIES)}", "capabilities")
        model = Model(
            id=id_,
            priced_as=id_,
            offers=tuple(own),
            surfaces=surfaces,
            spoken=spoken,
            translated=translated,
            prices=_prices(table.table("prices"), anthropic=anthropic),
            later_prices=tuple(
                PriceChange(model=id_, valid_from_ms=later.moment_ms("valid_from"), prices=_prices(later, anthropic=anthropic))
                for later in table.array("later_prices")
            ),
            max_output_tokens=table.integer("max_output_tokens", 8192),
            context_window=table.integer("context_window", 128_000),
            owned_by=table.string("owned_by", own[0].channel.kind),
            family=table.string("family", id_.split("-")[0]),
            capabilities=capabilities,
            lacking=features.lacking(capabilities),
            created=table.integer("created", 1_767_225_600),
        )
        table.close()
        return model

    @staticmethod
    def _surfaces(id_: str, table: Table, offers: list[Offer]) -> tuple[frozenset[Surface], frozenset[Surface], frozenset[Surface]]:
        """What its channels are spoken to, the surfaces that go through natively, and those that are translated.

        `native` says which of its channels' surfaces they really know, `surfaces` what it is served on: both everything, unless said.
        """
        native = _native(offers)
        askable = [surface for surface in native if surface is not Surface.COUNT_TOKENS]
        # A gemini model speaks images only where its configuration says so.
        usual = [surface for surface in askable if surface is not Surface.IMAGES] or askable
        known = table.strings("native", tuple(usual))
        for name in known:
            if name not in askable:
                raise table.error(f"model {id_}: native {name} is not one that its channels speak ({', '.join(askable)})", "native")
        served = _served_by_translation(offers, {Surface(name) for name in known})
        names = table.strings("surfaces", (*known, *(surface for surface in sorted(served) if surface not in known)))
        possible = list(dict.fromkeys((*askable, *sorted(served))))
        for name in names:
            if name not in possible:
                raise table.error(f"model {id_}: surface {name} is not one that its channels can serve ({', '.join(possible)})", "surfaces")
        # A gemini channel's images are asked for by `surfaces` alone.
        spoken = {Surface(name) for name in known} | ({Surface.IMAGES} & {Surface(name) for name in names} & set(askable))
        wanted = {Surface(name) for name in names}
        surfaces = _with_count_tokens(wanted & spoken, native)
        return frozenset(spoken), surfaces, frozenset(wanted & served) - surfaces

    @staticmethod
    def _group(name: str, table: Table, models: Mapping[str, Model], channels: Mapping[str, Channel]) -> dict[str, Model]:
        ids, allowed = table.strings("models"), table.strings("channels", ("*",))
        prices = {id_: _group_prices(id_, rates, models) for id_, rates in table.tables("prices")}
        table.close()
        for channel in allowed:
            if channel != "*" and channel not in channels:
                raise table.error(f"channel {channel} is not defined; add [channels.{channel}], or take it out", "channels")
        group: dict[str, Model] = {}
        for id_ in models if ids == ("*",) else ids:
            if id_ not in models:
                raise table.error(f"model {id_} is not defined; add [[models]] with that id, or take it out", "models")
            model = models[id_]
            offers = [offer for offer in model.offers if "*" in allowed or offer.channel.name in allowed]
            if offers:
                native = _native(offers)
                wanted = (model.surfaces | model.translated) - {Surface.COUNT_TOKENS}
                surfaces = _with_count_tokens(wanted & model.spoken & set(native), native)
                translated = (wanted & _served_by_translation(offers, model.spoken)) - surfaces
                group[id_] = replace(model, offers=tuple(offers), surfaces=surfaces, translated=translated)
                if id_ in prices:
                    group[id_] = replace(group[id_], priced_as=f"{id_} in {name}", prices=prices[id_], later_prices=())
            elif ids != ("*",):
                raise table.error(f"group {name}: none of its channels serves model {id_}; add one to channels, or take it out", "models")
        return group

    @staticmethod
    def _alias(name: str, table: Table, models: Mapping[str, Model]) -> Alias:
        target = table.string("model")
        if name in models:
            raise table.error(f"alias {name} is the id of a model too; take one of them out")
        if target not in models:
            raise table.error(f"alias {name}: model {target} is not defined; add [[models]] with that id, or take the alias out", "model")
        alias = Alias(
            name=name,
            model=target,
            until_ms=table.moment_ms("until") if "until" in table else None,
            thinking=table.boolean("thinking", False) if "thinking" in table else None,
        )
        table.close()
        return alias

    def _hints(self, models: Mapping[str, Model], aliases: Mapping[str, Alias]) -> dict[str, str]:
        table = self._root.table("hints")
        hints = {name: table.string(name) for name in table.names()}
        for name, target in hints.items():
            if name in models or name in aliases:
                raise table.error(f"{name} is a model's id or an alias; a hint is for a name that is neither", name)
            if target not in models:
                raise table.error(f"model {target} is not defined; name one that is", name)
        return hints


def _prices(table: Table, *, anthropic: bool) -> Prices:
    """Cache writes cost 1.25 and 2 times the input price at Anthropic, and the input price elsewhere, unless said otherwise (C22)."""
    images = _image_prices(table.table("images"))
    video = table.table("video")
    second = video.micro_usd("second", 0)
    submit = video.micro_usd("submit", 0)  # contract:171
    video.close()
    free = 0 if images or second else None  # a model priced by the piece need not price tokens
    input_, output = table.micro_usd("input", free), table.micro_usd("output", free)
    prices = Prices(
        input=input_,
        output=output,
        cache_read=table.micro_usd("cache_read", input_),
        cache_write_5m=table.micro_usd("cache_write_5m", input_ * 5 // 4 if anthropic else input_),
        cache_write_1h=table.micro_usd("cache_write_1h", input_ * 2 if anthropic else input_),
        images=images,
        search=table.micro_usd("search", 0),  # contract:090
        video_second=second,
        video_submit=submit,
    )
    table.close()
    return prices


def _group_prices(id_: str, table: Table, models: Mapping[str, Model]) -> Prices:
    """contract:167. A task must find its price again after a restart, by its model alone: what tasks make costs the same in every group."""
    model = models.get(id_)
    if model is None or model.prices.images or model.prices.video_second:
        reason = "is not defined; name one of the models" if model is None else "is priced by the piece, which no group can change"
        raise table.error(f"model {id_} {reason}")
    return _prices(table, anthropic=any(offer.channel.kind is UpstreamKind.ANTHROPIC for offer in model.offers))


def _image_prices(table: Table) -> dict[str, int]:
    """micro-USD of an image by class: `default`, or the quality (contract:169, contract:170)."""
    prices = {name: table.micro_usd(name) for name in table.names()}
    if prices and PLAIN_IMAGE not in prices:
        raise table.error(f'[{table.name}] lacks default; add default = "0.04", the price of an image of any other class')
    return prices


def _native(offers: Iterable[Offer]) -> list[Surface]:
    """The surfaces that at least one of the channels speaks, each once."""
    return list(dict.fromkeys(surface for offer in offers for surface in SURFACES[offer.channel.kind]))


def _served_by_translation(offers: Iterable[Offer], spoken: Set[Surface]) -> Set[Surface]:
    """Every surface that translation knows, where one of the channels is spoken to in a language of it."""
    languages = {language for offer in offers for language in LANGUAGES.get(offer.channel.kind, ())}
    return TRANSLATED if languages & spoken else frozenset()


def _with_count_tokens(surfaces: Set[Surface], native: list[Surface]) -> frozenset[Surface]:
    """count_tokens comes with messages, where a channel has it."""
    counts = Surface.MESSAGES in surfaces and Surface.COUNT_TOKENS in native
    return frozenset(surfaces - {Surface.COUNT_TOKENS}) | ({Surface.COUNT_TOKENS} if counts else set())
