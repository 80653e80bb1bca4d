"""Facts about music, true whether or not we sell it. Knows no price, grant, file or user."""
