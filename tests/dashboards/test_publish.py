"""Publishing over real HTTP to a server that answers as Grafana does."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from grafana_client.client import GrafanaClientError

from dashboards.publish import HttpGrafana, main, publish

TEXTS = {"b.json": '{"uid": "b"}', "a.json": '{"uid": "a"}'}


class Recorder(HTTPServer):
    """Keeps every request; answers `/api/folders` with `folder_status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder_status = 200
        self.seen: list[tuple[str, str, dict[str, object]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers with JSON."""

    server: Recorder

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, self.headers["Authorization"], body))
        self._answer(self.server.folder_status if self.path == "/api/folders" else 200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def grafana() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 409, 412])
def test_publishes_into_a_folder_new_or_old(grafana: Recorder, status: int) -> None:
    grafana.folder_status = status
    assert publish(HttpGrafana(grafana.url, "t0ken"), TEXTS) == ["a", "b"]
    paths = [path for path, _, _ in grafana.seen]
    assert paths == ["/api/folders", "/api/dashboards/db", "/api/dashboards/db"]
    assert {authorization for _, authorization, _ in grafana.seen} == {"Bearer t0ken"}
    expected = {"dashboard": {"uid": "a"}, "folderUid": "gridwarden", "overwrite": True}
    assert grafana.seen[1][2] == expected


def test_a_refusal_is_an_error(grafana: Recorder) -> None:
    grafana.folder_status = 403
    with pytest.raises(GrafanaClientError, match="403"):
        publish(HttpGrafana(grafana.url, "t0ken"), TEXTS)


def test_the_command_publishes_both_pages(
    grafana: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    assert main([grafana.url, "--token-file", str(token)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"published {grafana.url}/d/gridwarden-community-en",
        f"published {grafana.url}/d/gridwarden-community-zh",
    ]
