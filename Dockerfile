# The rebalancer in a container. docs/how-to/container.md says how to run it, and what was tried.
# Both stages stand on one image, so that the environment that the first one makes runs in the second.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY container/requirements.txt container/requirements-build.txt container/
RUN python -m venv --without-pip /opt/rebalancer
RUN pip --python /opt/rebalancer/bin/python install --require-hashes -r container/requirements.txt
RUN pip install --require-hashes -r container/requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY rebalancer/ rebalancer/
COPY config/ config/
COPY scripts/ scripts/
COPY systemd/ systemd/
COPY signals/ signals/
COPY run_execution_trading_now.sh start_execution_trading.sh status_execution_trading.sh stop_execution_trading.sh ./
RUN python -m hatchling build -t wheel -d /wheels
RUN pip --python /opt/rebalancer/bin/python install --no-index --no-deps /wheels/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="batch-rebalancer" \
      org.opencontainers.image.description="A scheduled batch portfolio rebalancer for Alpaca accounts" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 rebalancer \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin rebalancer \
 && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/rebalancer /opt/rebalancer
COPY container/entrypoint.sh /usr/local/bin/rebalancer-entrypoint
# Production: without a key nothing is traded, instead of trading on the embedded exchange unasked.
ENV PATH=/opt/rebalancer/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/data \
    STATE_DIRECTORY=/data/state \
    CREDENTIALS_DIRECTORY=/run/secrets \
    REBALANCER_ENVIRONMENT=production \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OPENBLAS_NUM_THREADS=1 MALLOC_ARENA_MAX=2
WORKDIR /data
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM
# Fails when the session has ended or hangs, not while the market is closed.
HEALTHCHECK --interval=60s --timeout=30s --start-period=120s --retries=3 \
    CMD ["rebalancer", "status", "--exit-code", "--no-color"]
ENTRYPOINT ["rebalancer-entrypoint"]
CMD ["session", "--every-day"]
