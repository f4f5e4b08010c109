# Retour in a small image: one image for every role, `docker run retour gateway`.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
# Every wheel is checked against its hash here; below nothing comes from anywhere else. What only
# tests need stays behind in this stage.
COPY requirements.txt ./
RUN pip wheel --no-cache-dir --require-hashes --no-deps --only-binary :all: \
    --wheel-dir /wheels -r requirements.txt
COPY pyproject.toml README.md LICENSE retour.py ./
COPY tracker tracker
COPY gateway gateway
COPY api api
COPY commands commands
COPY firmware_sim firmware_sim
RUN python -m venv /opt/retour \
    && /opt/retour/bin/pip install --no-cache-dir --no-index --find-links /wheels . \
    && /opt/retour/bin/pip uninstall --yes pip

FROM python:3.11-slim-bookworm
COPY --from=build /opt/retour /opt/retour
RUN useradd --system --uid 10001 --no-create-home retour \
    && install --directory --owner retour /var/lib/retour
ENV PATH=/opt/retour/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /var/lib/retour
USER retour
# For the API; compose.yaml has one for each role.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready')"]
ENTRYPOINT ["retour"]
CMD ["api"]
