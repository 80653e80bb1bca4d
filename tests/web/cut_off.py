"""A shop of one page, which streams what it is asked for as one zip: for the server that runs in production."""

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path

django.setup()


def zipped(request: HttpRequest) -> HttpResponseBase:
    from store.views import library  # only a shop that is set up has models
    from transcoding.archives import Archive, Content

    keys = request.GET.getlist("key")
    contents = [Content(f"{number}.flac", key=key, length=1024 * 1024) for number, key in enumerate(keys)]
    return library._zip(request, Archive(contents), "songs.zip")


urlpatterns = [path("zip", zipped)]
settings.ROOT_URLCONF = __name__
application = get_wsgi_application()
