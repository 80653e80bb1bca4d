#!/usr/bin/env python
"""Django's command line, with the embedded services running where no server of the operator's is configured."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "store.settings")
    from store import embedded  # before Django reads its settings: they take the addresses from the environment

    try:
        with embedded.services():
            from django.core.management import execute_from_command_line

            execute_from_command_line(sys.argv)
    except embedded.ServicesFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
