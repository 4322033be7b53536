"""From a JSON value to a typed struct and back, losing nothing.

A field that a struct does not declare, and one whose value has another type than declared, stays in `extra_fields`; the order of the
keys stays in `key_order` where it is not the declared one. So bad traffic can be read, judged and given back as it was. Only a declared
field that is needed to make sense of the value (its type does not admit UNSET) is a WireError when it is missing or of another type.
"""

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from harness.wire.json_text import Json, RepeatedKeys, Spelled, escape
from harness.wire.wire_error import WireError


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A JSON object. Fields are declared in the order in which their vendor writes them today.

    A field `type: Literal[...]` is the tag by which a union knows its members; a member with `type: str` takes all other tags.
    """

    extra_fields: dict[str, Json] = {}
    key_order: tuple[str, ...] = ()  # the keys as they came; () is the declared order, then extra_fields


class Padded(Wire, frozen=True, kw_only=True):
    """An object before whose last brace blanks may stand, as Anthropic pads its events against traffic analysis."""

    padding: int = 0


W = TypeVar("W", bound=Wire)


def read(cls: type[W], value: Json, *, offset: int = 0) -> W:
    """`offset` says where the text of the value stood, for the WireError."""
    try:
        return _plan(cls).read(value)  # type: ignore[return-value]  # the plan of a class makes that class
    except _MisfitError as misfit:
        raise WireError(misfit.message, offset=offset, pointer=misfit.pointer) from None


def by_tag(annotation: Any) -> dict[str, Any]:
    """The class of each tag of a union of structs."""
    return {tag: kind for kind in _members(annotation) for tag in _plan(kind).tags}


def plain(value: Wire) -> dict[str, Json]:
    """The JSON object again, keys in the order they came in."""
    return _plan(type(value)).plain(value)


def in_declared_order(value: W) -> W:
    """The same value without the memory of how its keys were ordered, all the way down: as if made from scratch."""
    changed = {name: _forget(getattr(value, name)) for name in value.__struct_fields__}
    changed["key_order"] = ()
    return type(value)(**changed)


def misfits(value: Wire, pointer: str = "") -> Iterator[tuple[str, str]]:
    """JSON pointer and `expected ..., got ...` of each value that had another type than declared, anywhere in the value."""
    plan = _plan(type(value))
    for key, item in value.extra_fields.items():
        field = plan.fields.get(key)
        if field is None:
            continue
        try:
            field.read(item)
        except _MisfitError as misfit:
            yield f"{pointer}/{escape(key)}{misfit.pointer}", misfit.message
    for key, field in plan.fields.items():
        here = f"{pointer}/{escape(key)}"
        match getattr(value, field.name):
            case Wire() as inner:
                yield from misfits(inner, here)
            case tuple() as items:
                for index, item in enumerate(items):
                    if isinstance(item, Wire):
                        yield from misfits(item, f"{here}/{index}")


class _MisfitError(Exception):
    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer

    def under(self, step: str | int) -> "_MisfitError":
        return _MisfitError(self.message, f"/{escape(str(step))}{self.pointer}")


class _Slot:
    """What one place may hold: the types taken as they are, and how to read an object or an array there."""

    def __init__(self, annotation: Any) -> None:
        self.as_is: set[type] = set()
        self.items: _Slot | None = None
        self.only: _Plan | None = None  # an object of one class
        self.tagged: dict[str, _Plan] = {}  # an object of the class its `type` names
        self.fallback: _Plan | None = None  # an object with a `type` of none of them
        self.optional = False
        names: list[str] = []
        plans: list[_Plan] = []
        for kind in _members(annotation):
            origin = typing.get_origin(kind)
            if kind is UnsetType:
                self.optional = True
                continue
            if kind is Any:
                self.as_is |= {dict, RepeatedKeys, list, str, int, float, Spelled, bool, type(None)}
                names.append("anything")
            elif origin is tuple:
                self.items = _Slot(typing.get_args(kind)[0])
                names.append("an array")
            elif origin is dict:
                self.as_is |= {dict, RepeatedKeys}
                names.append("an object")
            elif origin is typing.Literal:
                self.as_is.add(str)
                names.append(" or ".join(typing.get_args(kind)))
            elif issubclass(kind, Wire):
                plans.append(_plan(kind))
            else:
                self.as_is |= {float, int, Spelled} if kind is float else {kind}
                names.append(_NAMES[kind])
        if len(plans) == 1:
            self.only = plans[0]
        else:
            for plan in plans:
                self.tagged.update(dict.fromkeys(plan.tags, plan))
                if not plan.tags:
                    self.fallback = plan
        self.expected = " or ".join([*names, "an object"] if plans else names)

    def read(self, value: Json) -> Any:
        kind = type(value)
        if kind in self.as_is:
            return value
        if isinstance(value, dict):
            if self.only is not None:
                return self.only.read(value)
            if self.tagged:
                return self._member(value).read(value)
        elif isinstance(value, list) and self.items is not None:
            return self._read_items(value, self.items)
        raise _MisfitError(f"expected {self.expected}, got {_name(value)}")

    def _read_items(self, value: list[Json], slot: "_Slot") -> tuple[Any, ...]:
        made: list[Any] = []
        read = slot.read if slot.only is None else slot.only.read
        try:
            for item in value:
                made.append(read(item))  # noqa: PERF401  # its length is the index of the item that does not fit
        except _MisfitError as misfit:
            raise misfit.under(len(made)) from None
        return tuple(made)

    def _member(self, value: dict[str, Json]) -> "_Plan":
        tag = value.get("type")
        plan = self.tagged.get(tag, self.fallback) if isinstance(tag, str) else None
        if plan is None:
            raise _MisfitError(f"expected {' or '.join(self.tagged)}, got {_shown(tag)}", "/type")
        return plan


class _Field:
    def __init__(self, name: str, position: int, slot: _Slot) -> None:
        self.name = name
        self.position = position
        self.slot = slot
        self.as_is = slot.as_is
        self.read: Callable[[Json], Any] = slot.read if slot.only is None or slot.items is not None else slot.only.read


class _Plan:
    """How to read and write one class, worked out once from its annotations."""

    def __init__(self, cls: type[Wire]) -> None:
        self.cls = cls
        self.tags: tuple[str, ...] = ()
        self.fields: dict[str, _Field] = {}  # by key
        self.required: list[tuple[str, _Field]] = []
        self.absent: dict[str, UnsetType] = {}  # fields that a new struct has by default, to be marked absent when they were

    def work_out(self) -> None:
        """Apart from `__init__`, since a class may hold itself."""
        for position, info in enumerate(msgspec.structs.fields(self.cls)):
            if info.name in _LAYOUT:
                continue
            field = _Field(info.name, position, _Slot(info.type))
            self.fields[info.encode_name] = field
            if typing.get_origin(info.type) is typing.Literal:
                self.tags = typing.get_args(info.type)
            if not field.slot.optional:
                self.required.append((info.encode_name, field))
            elif info.default is not UNSET:
                self.absent[info.name] = UNSET

    def read(self, value: Json) -> Wire:
        if type(value) is not dict:
            twice = f"the key {' and '.join(value.repeated)} twice" if isinstance(value, RepeatedKeys) else _name(value)
            raise _MisfitError(f"expected an object, got {twice}")
        fields = self.fields
        known: dict[str, Any] = dict(self.absent)
        extra: dict[str, Json] = {}
        last = -1
        in_order = True
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                extra[key] = item
                last = _AFTER_ALL
                continue
            if field.position < last:
                in_order = False
            last = field.position
            if type(item) in field.as_is:
                known[field.name] = item
                continue
            try:
                known[field.name] = field.read(item)
            except _MisfitError as misfit:
                if not field.slot.optional:
                    raise misfit.under(key) from None
                extra[key] = item
                in_order = False
        for key, field in self.required:
            if field.name not in known:
                raise _MisfitError(f"expected {field.slot.expected}, got nothing", f"/{escape(key)}")
        if self.tags and value["type"] not in self.tags:
            raise _MisfitError(f"expected {' or '.join(self.tags)}, got {_shown(value['type'])}", "/type")
        if extra:
            known["extra_fields"] = extra
        if not in_order:
            known["key_order"] = tuple(value)
        return self.cls(**known)

    def plain(self, value: Wire) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for key, field in self.fields.items():
            item = getattr(value, field.name)
            if item is not UNSET:
                made[key] = _plain_item(item)
        if value.extra_fields:
            made.update(value.extra_fields)
        if value.key_order:
            ordered = {key: made.pop(key) for key in value.key_order if key in made}
            made = {**ordered, **made}
        return made


_AFTER_ALL: Final = 1 << 30  # the position of an unknown key
_LAYOUT: Final = Padded.__struct_fields__
_NAMES: Final = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", type(None): "null"}
_PLANS: Final[dict[type[Wire], _Plan]] = {}


def _plan(cls: type[Wire]) -> _Plan:
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = _Plan(cls)
        plan.work_out()
    return plan


def _members(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _name(value: Json) -> str:
    return "an array" if isinstance(value, list) else "an object" if isinstance(value, dict) else _NAMES.get(type(value), "a number")


def _shown(tag: Json) -> str:
    return repr(tag[:60]) if isinstance(tag, str) else "nothing" if tag is None else _name(tag)


def _plain_item(item: Any) -> Json:
    if isinstance(item, Wire):
        return _plan(type(item)).plain(item)
    if type(item) is tuple:
        return [_plain_item(inner) for inner in item]
    return item  # type: ignore[no-any-return]  # all that is left is JSON as it stood


def _forget(item: Any) -> Any:
    if isinstance(item, Wire):
        return in_declared_order(item)
    return tuple(_forget(inner) for inner in item) if type(item) is tuple else item
