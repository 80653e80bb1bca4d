# One image for the web, the workers, beat and the migrations; docker-compose.yml says which is which.
FROM python:3.13-slim-bookworm

# bubblewrap is the fence that audio from strangers is read in; lame and oggenc serve better than their libraries in ffmpeg
RUN apt-get update \
    && apt-get install --yes --no-install-recommends bubblewrap lame vorbis-tools \
    && rm -rf /var/lib/apt/lists/*

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 CLEARSONG_HOME=/data
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock

COPY LICENSE manage.py ./
COPY catalog catalog
COPY licensing licensing
COPY payments payments
COPY store store
COPY transcoding transcoding

# An ordinary user owns what is written, and nothing of the code
RUN useradd --uid 1000 --create-home clearsong && mkdir -p /data/static && chown -R clearsong /data
USER clearsong
VOLUME ["/data", "/data/static"]
EXPOSE 8000

CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "16", "store.wsgi:application"]
