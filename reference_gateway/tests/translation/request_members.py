"""Every member that a request may have: by the schemas, and by the official SDKs' types. A path is written as the tables write it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from harness import schema


def of_schema(name: str, refused: Callable[[str], bool]) -> set[str]:
    """Of `messages/request`: "messages[].content[].text"; a variant of which no members are described: "tools[type=bash_20250124]"."""
    root = schema.schema(name)
    return set(_of_schema(root, root, "", refused))


def _of_schema(root: Mapping[str, Any], part: Mapping[str, Any], at: str, refused: Callable[[str], bool]) -> Iterator[str]:
    if "$ref" in part:
        yield from _of_schema(root, root["$defs"][part["$ref"].rpartition("/")[2]], at, refused)
    for branch in (*part.get("allOf", ()), *part.get("anyOf", ())):
        if not any(refused(f"{at.removesuffix('[]')}[type={word}]") for word in _words(branch.get("if", {}))):
            yield from _of_schema(root, branch.get("then", branch), at, refused)
    for word in ("then", "else"):
        if word in part:
            yield from _of_schema(root, part[word], at, refused)
    if "items" in part:
        yield from _of_schema(root, part["items"], f"{at}[]", refused)
    described = {word for branch in part.get("allOf", ()) for word in _words(branch.get("if", {}))}
    for name, member in part.get("properties", {}).items():
        path = f"{at}.{name}" if at else name
        yield path
        if name == "type" and described:
            yield from (f"{at.removesuffix('[]')}[type={word}]" for word in member["enum"] if word and word not in described)
        if not refused(path):
            yield from _of_schema(root, member, path, refused)


def _words(condition: Mapping[str, Any]) -> list[str]:
    of_type = condition.get("properties", {}).get("type", {})
    return [of_type["const"]] if "const" in of_type else of_type.get("enum", [])


def of_sdk(types: Any, refused: Callable[[str], bool]) -> set[str]:
    """Of a TypedDict of the SDK's. What is in a variant that `refused` knows ("tools[type=mcp]") is left out: nobody reads it."""
    root = TypeAdapter(types).json_schema()
    return set(_of_sdk(root, root, "", (), refused))


def _of_sdk(
    root: Mapping[str, Any], part: Mapping[str, Any], at: str, above: tuple[str, ...], refused: Callable[[str], bool]
) -> Iterator[str]:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        if name not in above:  # a type may hold itself
            yield from _of_sdk(root, root["$defs"][name], at, (*above, name), refused)
        return
    for branch in part.get("anyOf", ()):
        yield from _of_sdk(root, branch, at, above, refused)
    if "items" in part:
        yield from _of_sdk(root, part["items"], f"{at}[]", above, refused)
    properties = part.get("properties", {})
    kinds = properties.get("type", {})
    words = [kinds["const"]] if "const" in kinds else kinds.get("enum", [])
    if words and all(refused(f"{at.removesuffix('[]')}[type={word}]") for word in words):
        return
    for name, member in properties.items():
        path = f"{at}.{name}" if at else name
        yield path
        if not refused(path):
            yield from _of_sdk(root, member, path, above, refused)
