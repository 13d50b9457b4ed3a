FROM python:3.13.5-slim-bookworm
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app
COPY requirements/run.lock /tmp/run.lock
RUN pip install --no-cache-dir --require-hashes -r /tmp/run.lock && rm /tmp/run.lock
COPY devices /app/devices
COPY rules /app/rules
COPY ingest /app/ingest
COPY alerts /app/alerts
COPY gridwarden /app/gridwarden
RUN useradd --system --create-home --home-dir /var/lib/gridwarden gridwarden
USER gridwarden
WORKDIR /var/lib/gridwarden
EXPOSE 8080
ENTRYPOINT ["python", "-m", "gridwarden"]
CMD ["run"]
