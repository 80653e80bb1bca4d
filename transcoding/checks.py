"""`manage.py check` says which fence audio is read in, before the first stranger's file arrives."""

import sys
from collections.abc import Sequence
from typing import Any

from django.core import checks

from transcoding import sandbox


@checks.register(checks.Tags.security)
def say_fence(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    """Other commands run the checks too, and need not be told each time: a worker says it in its log when it starts."""
    if "check" not in sys.argv[1:2]:
        return []
    name = sandbox.fence_name()
    if name == "bubblewrap":
        return [checks.Debug("Audio is read inside the fence 'bubblewrap'.", id="transcoding.D001")]
    bare = "" if name == "namespaces" else " The network is closed by ffmpeg's own whitelist alone."
    return [
        checks.Info(
            f"Audio is read inside the fence '{name}': limits of time, memory and output, and ffmpeg's own whitelists."
            + bare,
            hint="Install bubblewrap (`apt install bubblewrap`) for an empty root and no network around it.",
            id="transcoding.I001",
        )
    ]
