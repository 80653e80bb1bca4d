"""Views only speak HTTP: read the request, make one call, answer."""
