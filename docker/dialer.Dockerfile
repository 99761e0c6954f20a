# The dialer: `dialer run` on SQLite in /data. Build from the project's folder.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY ami ami
COPY dialer dialer
RUN python -m venv /opt/dialer && /opt/dialer/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin dialer \
 && install -d -o dialer -g dialer /data
COPY --from=build /opt/dialer /opt/dialer

USER dialer
WORKDIR /data
VOLUME /data
ENV PATH=/opt/dialer/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DIALER_DATABASE_URL=sqlite+aiosqlite:////data/dialer.db \
    DIALER_HTTP_HOST=0.0.0.0 \
    DIALER_HTTP_PORT=8080 \
    DIALER_LOG_FORMAT=json
EXPOSE 8080

HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['DIALER_HTTP_PORT'] + '/healthz', timeout=4)"]

# SIGTERM stops new calls and drains; give `docker stop` as long as calls may take.
STOPSIGNAL SIGTERM
CMD ["dialer", "run"]
