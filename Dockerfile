# Trainyard in one image: `trainyard up`, or `api`, `worker` and `migrate` apart (docker-compose.yml).
# It runs as a user without rights, and with a read-only root: only /data and /tmp are written.
# Beyond loopback the service wants keys: it does not start without TRAINYARD_API_KEYS (docs/deploy.md).
ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS builder
ARG TORCH=2.13.0
# Where PyTorch comes from. Empty: the ordinary index, whose build for Linux brings CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# PyTorch first and pinned: any looser request may bring gigabytes of CUDA libraries along.
RUN python -m venv --without-pip /opt/trainyard \
    && python -m pip --python /opt/trainyard/bin/python install \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "torch==${TORCH}"
WORKDIR /build
COPY pyproject.toml README.md ./
COPY docs/problems.md docs/
COPY migrations migrations/
COPY service service/
# hadolint ignore=DL3013 -- what is installed is this folder, and pyproject.toml says what it needs
RUN python -m pip --python /opt/trainyard/bin/python install ".[postgres,onnx]"

FROM python:${PYTHON}-slim
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Trainyard" \
      org.opencontainers.image.description="Trains PyTorch models and serves their predictions over HTTP" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${REVISION}"
# A new volume takes the owner of the folder it covers.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data trainyard \
    && install --directory --owner=trainyard --group=trainyard --mode=0750 /data
COPY --from=builder /opt/trainyard /opt/trainyard
ENV PATH=/opt/trainyard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    TRAINYARD_DATABASE_URL=sqlite:////data/trainyard.db \
    TRAINYARD_HOST=0.0.0.0 \
    TRAINYARD_PORT=8000
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['TRAINYARD_PORT']), timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["trainyard"]
CMD ["up"]
