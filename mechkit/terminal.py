"""The terminal: where output goes, how failures end, how files are written.

Exit codes: 0 nothing was refuted, 1 something was, or fell short of what was required (or of the
optimum); 2 the input was wrong or a file could not be written; 70 a fault in mechkit itself; 130
interrupted; 141 the reader of stdout went away.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mechkit.errors import InputError, MechkitError

if TYPE_CHECKING:
    from rich.console import RenderableType

PATIENCE = 1.0
"""Seconds of work before a progress bar is worth showing."""
INTERNAL, INTERRUPTED, GONE = 70, 130, 141


class Commands(click.Group):
    """A group whose every failure is one line, "error: …", and an exit code with a meaning."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        for stream in (sys.stdout, sys.stderr):
            # A terminal that has no "≈" must not end a run.
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        code: Any
        try:
            code = super().main(*args, **kwargs)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            code = 2
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "mechkit"
            code = fail(f"{error.format_message()} (`{where} --help` explains)")
        except click.ClickException as error:
            code = fail(error.format_message())
        except MechkitError as error:
            code = fail(str(error))
        except (click.Abort, KeyboardInterrupt):
            code = fail("interrupted", INTERRUPTED)
        except BrokenPipeError:
            code = abandon()
        except OSError as error:
            code = fail(str(error))
        except Exception as error:
            traceback.print_exc()
            code = fail(f"a fault in mechkit itself, please report it: {error!r}", INTERNAL)
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        # Both are handled here, since click would print an empty line, and exit with 1.
        except BrokenPipeError:
            return abandon()
        except KeyboardInterrupt:
            raise click.Abort from None


def abandon() -> int:
    """Nobody reads stdout any more; Python's last flush of it, at exit, must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return GONE


def fail(message: str, code: int = 2) -> int:
    with contextlib.suppress(OSError):
        click.echo(f"error: {message}", err=True)
    return code


def put(page: RenderableType, *, piped: int | None = None) -> None:
    """A page on stdout, in the width of the terminal; piped: how wide it is in a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    if piped is not None and not console.is_terminal:
        console.width = piped
    with console.capture() as captured:
        console.print(page)
    lines = captured.get().splitlines()
    click.echo("\n".join(line.rstrip() for line in lines), color=True)


def put_json(data: Any) -> None:
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def aside() -> contextlib.AbstractContextManager[Any]:
    """What a rule or its file prints goes to stderr: stdout is for what was found."""
    return contextlib.redirect_stdout(sys.stderr)


@contextlib.contextmanager
def progress(title: str, *, quiet: bool = False) -> Iterator[Callable[[float, str], None]]:
    """A callback (share, what) that draws a bar on stderr once the work has taken a second."""
    started, bar, task = time.monotonic(), None, None

    def show(share: float, what: str) -> None:
        nonlocal bar, task
        if quiet or not sys.stderr.isatty() or time.monotonic() - started < PATIENCE:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        if bar is None:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[what]}"),
            )
            bar = Progress(*columns, console=Console(stderr=True), transient=True)
            bar.start()
            task = bar.add_task(title, total=1.0, what=what)
        assert task is not None
        bar.update(task, completed=share, what=what)

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()


@contextlib.contextmanager
def waiting(title: str) -> Iterator[None]:
    """A spinner on stderr, once work that cannot tell how far it is has taken a second."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    spinner = Console(stderr=True).status(title)
    timer = threading.Timer(PATIENCE, spinner.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        spinner.stop()


# Files --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write to, which takes the place of `path` at the end: all or nothing, so that a
    reader sees the old file or the new one, whatever interrupts."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def write(path: Path, text: str) -> None:
    """The whole text, on the disk, or nothing."""
    with replacing(path) as part, part.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def save(file: Path, step: Callable[[], object], *, quiet: bool) -> None:
    """Run the step that writes a file, and say that it is saved; quiet: on stderr.

    Raises InputError, with the remedy, where it could not be written.
    """
    try:
        step()
    except OSError as error:
        raise InputError(
            f"{file} could not be written ({error.strerror or error}); give a file in a "
            "directory that can be written and has space"
        ) from None
    click.echo(f"\nsaved {file}", err=quiet)


def file_name(reference: str) -> str:
    """The NAME of FILE.py:NAME, or the key, fit for a file name."""
    name = reference.rpartition(":")[2].removesuffix(".py")
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "mechanism"


def save_report(
    folder: Path, name: str, data: Mapping[str, Any], certificates: Mapping[str, Any]
) -> list[Path]:
    """NAME.report.json, NAME.PROPERTY.witness.json for whatever is refuted, and
    NAME.PROPERTY.certificate.json for whatever is proved (certificates: by property)."""
    files = {f"{name}.report.json": data}
    for prop, verdict in data["verdicts"].items():
        if verdict["witness"] is not None:
            files[f"{name}.{prop}.witness.json"] = verdict["witness"]
    for prop, certificate in certificates.items():
        files[f"{name}.{prop}.certificate.json"] = certificate
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in files.items():
            text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
            write(folder / file, text + "\n")
    except OSError as error:
        raise InputError(
            f"{folder}: the report could not be saved ({error.strerror or error}); give a "
            "directory that can be written and has space"
        ) from None
    return [folder / file for file in files]
