"""`python -m benchmarks [NAME] [--quick] [--report FILE]`: run one benchmark, or all of them."""

import argparse
import importlib
import os
import pkgutil
import sys
from pathlib import Path

import django

import benchmarks
from benchmarks.figures import Figure, Progress, print_table, write_report
from store import embedded

_FRAME = {"__main__", "figures"}


def names() -> list[str]:
    modules = pkgutil.iter_modules(benchmarks.__path__)  # packages hold parts of several
    return sorted(each.name for each in modules if not each.ispkg and each.name not in _FRAME)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("name", nargs="?", choices=names())
    parser.add_argument("--quick", action="store_true", help="a reduced size that ends within a minute")
    parser.add_argument("--report", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    os.environ.setdefault("CLEARSONG_HOME", str(embedded.home() / "bench"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")
    with embedded.services():
        django.setup()
        figures = measure([options.name] if options.name else names(), quick=options.quick)
    if options.report:
        write_report(figures, options.report)
    return 1 if any(figure.met is False for figure in figures) and not options.quick else 0


def measure(chosen: list[str], *, quick: bool) -> list[Figure]:
    """Run each benchmark and show its table."""
    figures: list[Figure] = []
    for name in chosen:
        run = importlib.import_module(f"benchmarks.{name}").run
        measured = run(quick=quick, say=Progress(name))
        print(f"\n{name}{' (quick)' if quick else ''}")
        print_table(measured)
        figures += measured
    return figures


if __name__ == "__main__":
    sys.exit(main())
