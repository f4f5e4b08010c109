"""`retour class`: what is known of classes of assets, as files say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.faults import told
from commands.settings import load_settings
from commands.show import AsJson, UserError, say, show
from tracker.asset_class import AssetClass
from tracker.class_book import class_fields, class_of, drop_class, put_class
from tracker.class_files import SHIPPED, read_class, shipped_class
from tracker.worldfile import Names, dump

group = typer.Typer(no_args_is_help=True, help="Classes: what assets are worth, and how they wear.")

ClassFile = Annotated[Path, typer.Argument(help="The file of the class.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="CLASS", help="Its name.", show_default=False)]


@group.command("check")
def class_check(file: ClassFile) -> None:
    """Say whether a file of a class is fine; else every fault of it, by line.

    Example: retour class check drill.yaml
    """
    class_ = _read(file)
    say(f"{file} is fine: {class_.id}, {len(class_.routes)} routes")


@group.command("use")
def class_use(
    source: Annotated[
        str,
        typer.Argument(metavar="CLASS", help="A file, or a shipped class.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """From now on this is known of a class: what a file says, or a shipped template.

    Example: retour class use pallet
    """
    class_ = shipped_class(source) if source in SHIPPED else _read(_file(source))
    settings = load_settings()
    act, store = settings.act(), settings.store()
    with store.writing() as tx:
        known = put_class(tx, class_, act)
    if as_json:
        show({"class": class_.id, "version": known.version}, as_json=True)
    else:
        said = "" if source not in SHIPPED else "; its figures are of an order of size only"
        say(f"{class_.id} is known{said}")


@group.command("list")
def class_list(as_json: AsJson = False) -> None:
    """List the classes that were put in, and those that are shipped.

    Example: retour class list
    """
    settings = load_settings()
    with settings.store(must_exist=True).reading() as reader:
        book = reader.class_book()
    rows = [_row(one.class_, "put in") for one in book.values()]
    rows += [_row(shipped_class(name), "shipped") for name in SHIPPED if name not in book]
    show(rows, as_json)


@group.command("show")
def class_show(name: Name, as_json: AsJson = False) -> None:
    """Show a class that was put in, or else a shipped one, as a file.

    Example: retour class show pallet
    """
    class_ = _known(name)
    fields = class_fields(class_)
    if as_json:
        show(fields, as_json=True)
    else:
        print(dump(fields), end="")  # noqa: T201


@group.command("remove")
def class_remove(name: Name) -> None:
    """Know nothing of a class any more; what was found of its assets, and done, stays.

    Example: retour class remove pallet
    """
    settings = load_settings()
    with settings.store(must_exist=True).writing() as tx:
        drop_class(tx, name, settings.act())
    say(f"nothing is known of {name} any more")


def _known(name: str) -> AssetClass:
    try:
        store = load_settings().store(must_exist=True)
    except UserError:
        store = None
    if store is not None:
        with store.reading() as reader:
            if name in reader.class_book():
                return class_of(reader, name).class_
    if name in SHIPPED:
        return shipped_class(name)
    raise UserError(f"no class {name} was put in, nor is one shipped{Names(SHIPPED).hint(name)}")


def _file(source: str) -> Path:
    if not Path(source).exists():
        hint = Names(SHIPPED).hint(source) or f"; there are {', '.join(SHIPPED)}"
        raise UserError(f"there is no file {source}, nor a shipped class of that name{hint}")
    return Path(source)


def _read(file: Path) -> AssetClass:
    """The class of a file. UserError where it has faults, which are printed."""
    content = file.read_bytes()
    with told(file, "file of a class"):
        return read_class(content)


def _row(class_: AssetClass, whence: str) -> dict[str, object]:
    return {
        "class": class_.id,
        "known": whence,
        "price": None if class_.price is None else f"{class_.price:g} {class_.currency}",
        "limits": ", ".join(f"{v:g} {n}" for n, v in class_.limits if v is not None),
        "routes": ", ".join(route.id for route in class_.routes),
    }
