"""YAML as a world file uses it: plain data that remembers its lines, and what is wrong with it.

Scalars stay text until a field says what they are: `id: 0123` and `name: NO` mean what they
look like. Aliases and tags are refused, depth and size are bounded, so that no file can cost
more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, NoReturn

import yaml
from pydantic_core import ErrorDetails
from yaml.reader import Reader as _YamlReader

from tracker.places import PLACE_ID_RULE

SIZE_AT_MOST = 64 * 1024 * 1024
DEPTH_AT_MOST = 20
DIGITS_AT_MOST = 15
NAMES_COMPARED = 10_000

Path = tuple[str | int, ...]
# libyaml is ten times as fast, but a PyYAML built without it has none.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<broken>\.[0-9]+)?(?P<power>[eE][-+]?[0-9]+)?")
POSITION = "a position is longitude, latitude"
STRENGTH = "give a mean and a deviation, dBm: [-55, 6]"
_NOT_TWO = ("missing", "too_long", "tuple_type")
_WANTED = {
    "model_type": "keys with values are wanted here",
    "dict_type": "keys with values are wanted here",
    "list_type": "a list is wanted here",
    "tuple_type": POSITION,
    "string_type": "a text is wanted here",
}
_NULLS = ("", "~", "null")


class Fault(NamedTuple):
    """Something wrong with a world file: its line (from 1), what it is about, like
    `zones[1].site`, and what is wrong."""

    line: int
    where: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: " + ": ".join(filter(None, (self.where, self.detail)))


class BadWorld(Exception):
    """A world file that cannot be used, with all its faults by line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(faults, key=lambda fault: fault.line)
        super().__init__("\n".join(map(str, self.faults)))


class Plain(str):
    """A scalar written without quotes: text, unless a field takes it for something else."""

    __slots__ = ()

    def value(self) -> str | int | float | bool:
        """The number, true or false that JSON would read; otherwise the text. Of a whole number
        with more than 15 digits some reader would lose the last ones: it stays text.

        >>> Plain("12").value(), Plain("0012").value(), Plain("1e3").value(), Plain("no").value()
        (12, '0012', 1000.0, 'no')
        """
        number = _NUMBER.fullmatch(self)
        if number is None:
            return {"true": True, "false": False}.get(self, str(self))
        if number["broken"] or number["power"]:
            return float(self)
        return int(self) if len(self.lstrip("-")) <= DIGITS_AT_MOST else str(self)


class Map(dict[str, Any]):
    """A mapping with the line where it begins, and of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Seq(list[Any]):
    """A sequence with the line where it begins, and of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def locate(tree: Map, path: Path) -> tuple[int, str]:
    """The line of a path and how it is written. Steps that the tree does not have are left
    out: what is missing is reported where it should be.

    >>> tree, _ = parse("zones:\\n  - {id: z1}\\n")
    >>> locate(tree, ("zones", 0, "site"))
    (2, 'zones[0]')
    """
    node: Any = tree
    line, where = tree.line, ""
    for step in path:
        if isinstance(node, Map) and step in node.lines:
            line, where = node.lines[str(step)], f"{where}.{step:.60}"
            node = node.get(str(step))
        elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
            line, where = node.lines[step], f"{where}[{step}]"
            node = node[step]
    return line, where.removeprefix(".")


def wording(error: ErrorDetails, keys: Names) -> str:
    """What is wrong, in the words of a file rather than of Python. `keys` may be meant by one
    that is unknown."""
    kind, given, name = error["type"], error["input"], [None, *error["loc"]][-1]
    if kind in _NOT_TWO and {"rssi", "stray_rssi"} & {*error["loc"]}:
        return STRENGTH
    if kind == "missing":
        return POSITION if isinstance(name, int) else f"`{name}` is missing"
    if kind == "extra_forbidden":
        return "no key of this place" if str(name) in keys else f"unknown key{keys.hint(str(name))}"
    if kind == "string_pattern_mismatch":
        return f"{given!r:.60} is no id: {PLACE_ID_RULE}"
    if kind in _WANTED:
        return _WANTED[kind]
    text = error["msg"].removeprefix("Value error, ").replace("Input should", "should")
    if kind != "value_error" and isinstance(given, str | int | float):
        text += f", not {str(given)!r:.60}"
    return f"{text} ({POSITION})" if name == 1 and "equal" in kind else text


def parse(content: str | bytes) -> tuple[Map, list[Fault]]:
    """The tree of a file, and faults that leave the rest of it readable.

    A key without a value is left out. Raises BadWorld where there is no reading on.

    >>> parse("retour: 1\\nretour: 2\\nsites:\\n")
    ({'retour': '1'}, [Fault(line=2, where='retour', detail='also given on line 1')])
    """
    builder = _Builder(yaml.parse(_text(content), Loader=_Loader))
    try:
        tree = builder.document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise BadWorld([*builder.faults, Fault(line, "", f"not YAML: {what}")]) from None
    except yaml.YAMLError as error:
        raise BadWorld([*builder.faults, Fault(1, "", f"not YAML: {error}")]) from None
    return tree, builder.faults


def _text(content: str | bytes) -> str:
    if len(content) > SIZE_AT_MOST:
        raise BadWorld([Fault(1, "", f"the file is too large: {SIZE_AT_MOST >> 20} MiB at most")])
    return _printable(content if isinstance(content, str) else _decoded(content))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadWorld([Fault(line, "", "not UTF-8: save the file as UTF-8")]) from None


def _printable(content: str) -> str:
    odd = _YamlReader.NON_PRINTABLE.search(content)
    if odd:
        line = content.count("\n", 0, odd.start()) + 1
        raise BadWorld([Fault(line, "", f"a character that no text has: {odd.group()!a}")])
    return content


class _Builder:
    """Makes a tree from the parser's events: unlike a composer it stops at a depth, before
    the stack does, and never copies."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self.faults: list[Fault] = []

    def document(self) -> Map:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self._stop(1, "the file is empty: it begins with `retour: 1`")
        root = next(self._events)
        tree = self._node(root, ())
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._stop(_line(after), "a second document: a file holds one")
        if not isinstance(tree, Map):
            self._stop(_line(root), "no keys: a world file begins with `retour: 1`")
        return tree

    def _node(self, event: Any, path: Path) -> Any:
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, path, "aliases are not understood: write it out")
            return Plain(f"*{event.anchor}")
        if event.tag is not None:
            self._fault(event, path, f"tags are not understood: leave out {event.tag!r:.60}")
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if len(path) >= DEPTH_AT_MOST:
            self._stop(_line(event), f"nested more than {DEPTH_AT_MOST} deep")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, path)
        return self._mapping(event, path)

    def _sequence(self, start: Any, path: Path) -> Seq:
        items = Seq(_line(start))
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.lines.append(_line(event))
            items.append(self._node(event, (*path, len(items))))
        return items

    def _mapping(self, start: Any, path: Path) -> Map:
        entries = Map(_line(start))
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._node(event, path)
                self._fault(event, path, "a key is a text")
                self._node(next(self._events), path)
                continue
            key = str(event.value)
            value = self._node(next(self._events), (*path, key))
            if key in entries.lines:
                self._fault(event, (*path, key), f"also given on line {entries.lines[key]}")
                continue
            entries.lines[key] = _line(event)
            if value is not None:
                entries[key] = value
        return entries

    def _fault(self, event: Any, path: Path, detail: str) -> None:
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step:.60}" for step in path)
        self.faults.append(Fault(_line(event), where.removeprefix("."), detail))

    def _stop(self, line: int, detail: str) -> NoReturn:
        raise BadWorld([*self.faults, Fault(line, "", detail)])


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _scalar(event: yaml.ScalarEvent) -> str | None:
    if not event.implicit[0]:
        return event.value
    return None if event.value in _NULLS else Plain(event.value)


class _Writer(_Dumper):  # type: ignore[misc, valid-type]  # whichever PyYAML has
    """Quotes what other YAML readers, or `Plain.value`, would not take for text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _float(writer: Any, value: float) -> Any:
    if value.is_integer() and abs(value) < 10**DIGITS_AT_MOST:
        return writer.represent_int(int(value))
    return writer.represent_float(value)


_Writer.add_representer(float, _float)
_Writer.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(rf"(?:{_NUMBER.pattern})$"), list("-0123456789")
)


def dump(data: dict[str, Any]) -> str:
    """Data as YAML, in its own order."""
    text = yaml.dump(
        data, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return str(text)


class Names:
    """Names that something may refer to, and which of them may have been meant."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def hint(self, name: str) -> str:
        """`(did you mean ...?)` where one name is a slip of the key away.

        >>> Names(["depot", "hub"]).hint("deport")
        " (did you mean 'depot'?)"
        """
        found = (self._by_slip[slip] for slip in _slips(name[:64]) if slip in self._by_slip)
        meant = next(found, None)
        return f" (did you mean {meant!r}?)" if meant else ""

    @cached_property
    def _by_slip(self) -> dict[str, str]:
        compared = sorted(islice(self._names, NAMES_COMPARED))
        slips = {name.rpartition("_")[0]: name for name in compared}  # a unit left out
        slips |= {slip: name for name in compared for slip in _slips(name[:64])}
        return {slip: name for slip, name in slips.items() if slip}


def _slips(name: str) -> list[str]:
    """What is left of a name without one of its characters: two names share one of these if
    they differ by a character that is added, missing, another, or swapped with the next."""
    name = name.casefold()
    return [name, *(name[:n] + name[n + 1 :] for n in range(len(name)))]
