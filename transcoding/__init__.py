"""Which masters and renditions exist and are sound. Knows not whether anyone may hear them, nor who paid."""
