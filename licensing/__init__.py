"""Who controls which right, what they allow, what we concluded. Knows no money moved, no buyer, no file."""
