"""`python -m benchmarks [NAME] [--quick] [--report FILE]`: run one benchmark, or all of them."""

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

import benchmarks
from benchmarks.figures import Figure, Progress, print_table, write_report

_FRAME = {"__main__", "figures"}


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in _FRAME)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("name", nargs="?", choices=names())
    parser.add_argument("--quick", action="store_true", help="a reduced size that ends within a minute")
    parser.add_argument("--report", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in [options.name] if options.name else names():
        run = importlib.import_module(f"benchmarks.{name}").run
        measured = run(quick=options.quick, say=Progress(name))
        print(f"\n{name}{' (quick)' if options.quick else ''}")
        print_table(measured)
        figures += measured
    if options.report:
        write_report(figures, options.report)
    return 1 if any(figure.met is False for figure in figures) and not options.quick else 0


if __name__ == "__main__":
    sys.exit(main())
