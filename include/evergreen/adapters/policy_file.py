"""The policy's YAML file. A mistake is named by its line."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from evergreen.core.errors import InvalidPolicy
from evergreen.core.rules import Policy


class PolicyFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self) -> str:
        try:
            stat = self._path.stat()
        except OSError:
            return "absent"
        return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_size}"

    def load(self) -> Policy:
        return load_policy(self._path)

    def who(self) -> str:
        try:
            owner = self._path.stat().st_uid
        except OSError:
            return "unknown"
        try:
            return pwd.getpwuid(owner).pw_name
        except KeyError:
            return str(owner)


def load_policy(path: Path) -> Policy:
    """Raises InvalidPolicy: `FILE:LINE: reason`, one line for each mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidPolicy(f"{path}: cannot be read: {error}") from error
    return parse_policy(text, str(path))


def line_of(path: Path, place: tuple[int | str, ...]) -> int:
    """Where in a policy file a part of it stands."""
    root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    return 1 if root is None else _line(root, place)


def parse_policy(text: str, name: str = "policy") -> Policy:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise InvalidPolicy(f"{name}:{mark.line + 1 if mark else 1}: {getattr(error, 'problem', None) or error}") from error
    except (ValueError, RecursionError) as error:  # a day that is in no calendar, lists within lists without end
        raise InvalidPolicy(f"{name}: cannot be read: {error}") from error
    if not isinstance(content, dict) or root is None:
        raise InvalidPolicy(f"{name}:1: a policy is a mapping")
    unfit = [f"{name}:{line}: {text!r} holds a character that no record can hold" for text, line in _unfit(root, set())]
    if unfit:
        raise InvalidPolicy("\n".join(unfit))
    twice = [f"{name}:{line}: {key!r} stands here twice" for key, line in _duplicates(root, set())]
    if twice:
        raise InvalidPolicy("\n".join(twice))
    try:
        policy = Policy.model_validate(content)
        policy.hash  # noqa: B018 - a value without a JSON form is found here, not by whoever decides with it
    except ValidationError as error:
        raise InvalidPolicy("\n".join(f"{name}:{_line(root, _path(fault))}: {_where(_path(fault))}{_what(fault)}" for fault in error.errors())) from error
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidPolicy(f"{name}: a value cannot be used: {error}") from error
    return policy


def _unfit(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, int]]:
    """A NUL, or half a surrogate pair: the policy, its refusal and every decision are text in Postgres."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        if re.search(r"[\x00\ud800-\udfff]", node.value):
            yield node.value, node.start_mark.line + 1
        return
    children = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
    for child in children:
        yield from _unfit(child, seen)


def _duplicates(node: yaml.Node, seen: set[int]) -> Iterator[tuple[str, int]]:
    """YAML keeps the last of two equal keys in silence."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if key.value in keys:
                yield key.value, key.start_mark.line + 1
            keys.add(key.value)
            yield from _duplicates(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _duplicates(item, seen)


def _line(node: yaml.Node, path: tuple[int | str, ...]) -> int:
    """Of the deepest part of `path` that stands in the file; a key that is missing is missed in its parent."""
    line = node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is not None:
                line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line


def _path(fault: Any) -> tuple[int | str, ...]:
    """Checks across the file name the place themselves."""
    named: tuple[int | str, ...] = fault.get("ctx", {}).get("path") or fault["loc"]
    return tuple(step for step in named if step != "[key]")


def _where(path: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(step) for step in path)}: " if path else ""


def _what(fault: Any) -> str:
    return str(fault["msg"]).removeprefix("Value error, ")
