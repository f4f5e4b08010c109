"""Commands that are imported when they are used: together they need a second or two for that,
of which help needs nothing and a question little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class Entry(NamedTuple):
    """A command or a group in the list of all: `module:name` in `commands/`, and what it does."""

    panel: str
    source: str
    words: str

    def imported(self, name: str) -> Any:
        """The command of this name, as typer has it."""
        module, _, attribute = self.source.partition(":")
        found = getattr(import_module(f"commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            return get_group(found)
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        return get_command(alone)

    def listed(self, name: str) -> TyperCommand:
        """What stands for it in a list."""
        return TyperCommand(name, help=self.words, rich_help_panel=self.panel)


class _Commands(Mapping[str, Any]):
    def __init__(self, index: Mapping[str, Entry]) -> None:
        self._index = index

    def __getitem__(self, name: str) -> Any:
        return self._index[name].imported(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


def lazy_group(index: Mapping[str, Entry]) -> type[TyperGroup]:
    """A group of these commands, for `typer.Typer(cls=...)`."""

    class LazyGroup(TyperGroup):
        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.commands = _Commands(index)  # type: ignore[assignment]  # nobody adds to it

        def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
            return [*index]

        def format_help(self, ctx: Any, formatter: Any) -> None:
            self.commands = {name: entry.listed(name) for name, entry in index.items()}
            super().format_help(ctx, formatter)

    return LazyGroup
