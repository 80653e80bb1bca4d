"""`manage.py check` says which fence audio is read in, before the first stranger's file arrives."""

from collections.abc import Sequence
from typing import Any

from django.core import checks

from transcoding import sandbox


@checks.register(checks.Tags.security, deploy=True)
def say_fence(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:  # noqa: ARG001
    name = sandbox.fence_name()
    if name == "bubblewrap":
        return [checks.Debug("Audio is read inside bubblewrap.", id="transcoding.D001")]
    return [
        checks.Info(
            f"Audio is read inside the fence '{name}': limits of time, memory and output, and ffmpeg's own whitelists.",
            hint="Install bubblewrap (`apt install bubblewrap`) for an empty root and no network around it.",
            id="transcoding.I001",
        )
    ]
