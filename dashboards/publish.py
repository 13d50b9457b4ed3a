"""Sends the rendered pages to a running Grafana, where file provisioning is not at hand."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from grafana_client.api import GrafanaApi
from grafana_client.client import GrafanaClientError

from dashboards.build import load_queries, render

FOLDER_UID, FOLDER_TITLE = "gridwarden", "Gridwarden"
ALREADY_THERE = frozenset({409, 412})


class Grafana(Protocol):
    """What publishing needs of Grafana."""

    def create_folder(self, uid: str, title: str) -> None:
        """Makes the folder unless it is there; GrafanaClientError where Grafana refuses."""
        ...

    def put(self, payload: Mapping[str, object]) -> None:
        """Creates or replaces one dashboard; GrafanaClientError where Grafana refuses."""
        ...


class HttpGrafana:
    """Grafana's HTTP interface. url: its address · token: a service account's, role Editor."""

    def __init__(self, url: str, token: str) -> None:
        # The client library has no annotations: what comes out of it is checked by use only.
        self._api = cast("Any", GrafanaApi).from_url(url=url, credential=token)

    def create_folder(self, uid: str, title: str) -> None:
        """Makes the folder unless it is there."""
        try:
            self._api.folder.create_folder(title, uid=uid)
        except GrafanaClientError as refusal:
            if refusal.status_code not in ALREADY_THERE:
                raise

    def put(self, payload: Mapping[str, object]) -> None:
        """Creates or replaces one dashboard."""
        self._api.dashboard.update_dashboard(dict(payload))


def publish(grafana: Grafana, texts: Mapping[str, str]) -> list[str]:
    """Puts every rendered page into Gridwarden's folder; the uids, in order."""
    grafana.create_folder(FOLDER_UID, FOLDER_TITLE)
    models = [json.loads(texts[name]) for name in sorted(texts)]
    for model in models:
        grafana.put({"dashboard": model, "folderUid": FOLDER_UID, "overwrite": True})
    return [model["uid"] for model in models]


def main(arguments: Sequence[str] | None = None) -> int:
    """Publishes to the address given, with the token in the file given."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.publish", description=__doc__)
    parser.add_argument("url", help="Grafana's address, e.g. http://127.0.0.1:3000")
    parser.add_argument("--token-file", type=Path, required=True, help="holds the API token")
    options = parser.parse_args(arguments)
    grafana = HttpGrafana(options.url, options.token_file.read_text("utf-8").strip())
    for uid in publish(grafana, render(load_queries())):
        print(f"published {options.url.rstrip('/')}/d/{uid}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
