"""The demo: music of the project's own, and the main job run on it before the user's eyes."""
