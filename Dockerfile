# syntax=docker/dockerfile:1.7
# One image per kind of part, each with only the packages its part needs, at the versions of requirements.txt:
#   worker    intake, indexer, recommender, monitor, MLflow's server, the command line, the one-shot services
#   serving   worker + FastAPI
#   airflow   worker + Airflow and its Kafka provider
#   dashboard what its pages import and nothing else: no driver of a database or a broker, no model library
# Sources are installed in place (/opt/evergreen), since code finds dags/ and policies/ beside itself.

FROM python:3.11-slim-bookworm AS tools
ENV UV_CACHE_DIR=/var/cache/uv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv
RUN pip install --no-cache-dir --disable-pip-version-check "uv>=0.8" && uv venv /opt/venv
WORKDIR /opt/evergreen
COPY pyproject.toml requirements.txt README.md LICENSE ./

FROM tools AS build
# Packages first: this layer stays while only sources change.
RUN --mount=type=cache,target=/var/cache/uv uv pip install -r pyproject.toml -c requirements.txt
COPY include include
COPY serving serving
COPY dashboard dashboard
RUN --mount=type=cache,target=/var/cache/uv uv pip install --no-deps -e .

FROM build AS build-serving
RUN --mount=type=cache,target=/var/cache/uv uv pip install -r pyproject.toml --extra serving -c requirements.txt

FROM build AS build-airflow
RUN --mount=type=cache,target=/var/cache/uv uv pip install -r pyproject.toml --extra airflow -c requirements.txt

FROM tools AS build-dashboard
# The extra `dashboard` of pyproject.toml, and of what every part needs the five packages that the pages' side of it imports.
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install streamlit plotly babel httpx jinja2 python-multipart "uvicorn[standard]" cloudevents pydantic pydantic-settings structlog uuid6 -c requirements.txt
COPY include include
COPY dashboard dashboard
RUN --mount=type=cache,target=/var/cache/uv uv pip install --no-deps -e .

FROM python:3.11-slim-bookworm AS runtime
# libgomp1: scikit-learn's and treelite's threads.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 evergreen \
 && useradd --uid 10001 --gid evergreen --home-dir /var/lib/evergreen --no-create-home --shell /usr/sbin/nologin evergreen \
 && install -d -o evergreen -g evergreen -m 0750 /var/lib/evergreen /var/lib/evergreen/data /var/lib/evergreen/run /var/lib/evergreen/airflow /var/lib/evergreen/airflow/logs
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv EVERGREEN_HOME=/var/lib/evergreen HOME=/var/lib/evergreen \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TZ=UTC DO_NOT_TRACK=1
WORKDIR /opt/evergreen
COPY policies policies
COPY deploy/compose/prepare.py deploy/compose/ready.py deploy/compose/
USER 10001:10001
LABEL org.opencontainers.image.title="evergreen" org.opencontainers.image.licenses="Apache-2.0"

FROM runtime AS worker
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/evergreen /opt/evergreen
CMD ["evergreen", "--help"]

FROM runtime AS serving
COPY --from=build-serving /opt/venv /opt/venv
COPY --from=build-serving /opt/evergreen /opt/evergreen
CMD ["python", "-m", "serving"]

FROM runtime AS dashboard
COPY --from=build-dashboard /opt/venv /opt/venv
COPY --from=build-dashboard /opt/evergreen /opt/evergreen
CMD ["python", "-m", "dashboard"]

FROM runtime AS airflow
COPY --from=build-airflow /opt/venv /opt/venv
COPY --from=build-airflow /opt/evergreen /opt/evergreen
COPY dags dags
COPY plugins plugins
CMD ["python", "-m", "airflow", "version"]
