"""Who is owed what, and proof of it. Knows no music: it sees references and labels."""
