"""A hub on 127.0.0.1 that speaks what creating a repository, listing, one commit and one download ask of it."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c" * 40


class FakeHub:
    """Repositories by name, each a dict of contents; ``commits`` are messages; ``refuses`` answers all with 403."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.stored: dict[str, bytes] = {}  # of large files, by hash
        self.commits: list[str] = []
        self.tokens: set[str | None] = set()
        self.refuses = False

    def __enter__(self) -> "FakeHub":
        handler = type("Handler", (_Handler,), {"hub": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Status and content, JSON or bytes."""
        path = path.split("?")[0]
        if self.refuses:
            return 403, {"error": "you may not write here"}
        for pattern, act in _ROUTES.items():
            if found := re.fullmatch(pattern, f"{method} {path}"):
                return act(self, body, *found.groups())
        return 404, {"error": f"this hub knows no {method} {path}"}

    def _whoami(self, _: bytes) -> tuple[int, Any]:
        return 200, {"name": "someone", "type": "user", "auth": {"type": "access_token"}}

    def _create(self, body: bytes) -> tuple[int, Any]:
        asked = json.loads(body)
        name = f"{asked.get('organization') or 'someone'}/{asked['name']}"
        status = 409 if name in self.repositories else 200
        self.repositories.setdefault(name, {".gitattributes": b""})
        return status, {"url": f"{self.address}/{name}"}

    def _info(self, _: bytes, name: str) -> tuple[int, Any]:
        if name not in self.repositories:
            return 404, {"error": "no such repository"}
        files = [{"rfilename": file} for file in sorted(self.repositories[name])]
        return 200, {"id": name, "sha": COMMIT, "siblings": files, "private": False, "tags": []}

    def _tree(self, _: bytes, name: str) -> tuple[int, Any]:
        files = self.repositories[name].items()
        return 200, [{"type": "file", "path": f, "size": len(c), "oid": "0" * 40} for f, c in sorted(files)]

    def _card(self, body: bytes) -> tuple[int, Any]:
        content = json.loads(body)["content"]
        good = content.startswith("---\n") and "model-index" in content
        return (200 if good else 400), {
            "errors": [] if good else [{"message": "no metadata"}],
            "warnings": [],
        }

    def _preupload(self, body: bytes, name: str) -> tuple[int, Any]:
        files = json.loads(body)["files"]
        modes = {True: "lfs", False: "regular"}
        return 200, {
            "files": [
                {
                    "path": f["path"],
                    "uploadMode": modes[f["path"].endswith(".safetensors")],
                    "shouldIgnore": False,
                }
                for f in files
            ]
        }

    def _batch(self, body: bytes, name: str) -> tuple[int, Any]:
        objects = json.loads(body)["objects"]
        actions = [
            {**o, "actions": {"upload": {"href": f"{self.address}/store/{o['oid']}"}}} for o in objects
        ]
        return 200, {"transfer": "basic", "objects": actions}

    def _store(self, body: bytes, sha256: str) -> tuple[int, Any]:
        assert hashlib.sha256(body).hexdigest() == sha256
        self.stored[sha256] = body
        return 200, {}

    def _commit(self, body: bytes, name: str) -> tuple[int, Any]:
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                self.commits.append(value["summary"])
            elif entry["key"] == "file":
                self.repositories[name][value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                self.repositories[name][value["path"]] = self.stored[value["oid"]]
        url = f"{self.address}/{name}/commit/{COMMIT}"
        return 200, {"success": True, "commitOid": COMMIT, "commitUrl": url}

    def _file(self, _: bytes, name: str, file: str) -> tuple[int, Any]:
        content = self.repositories.get(name, {}).get(file)
        return (200, content) if content is not None else (404, {"error": "no such file"})


_NAME = r"([\w.-]+/[\w.+=-]+)"
_ROUTES = {
    r"GET /api/whoami-v2": FakeHub._whoami,
    r"POST /api/repos/create": FakeHub._create,
    rf"GET /api/models/{_NAME}": FakeHub._info,
    rf"GET /api/models/{_NAME}/revision/main": FakeHub._info,
    rf"GET /api/models/{_NAME}/tree/main": FakeHub._tree,
    r"POST /api/validate-yaml": FakeHub._card,
    rf"POST /api/models/{_NAME}/preupload/main": FakeHub._preupload,
    rf"POST /{_NAME}\.git/info/lfs/objects/batch": FakeHub._batch,
    r"PUT /store/(\w+)": FakeHub._store,
    rf"POST /api/models/{_NAME}/commit/main": FakeHub._commit,
    rf"(?:GET|HEAD) /{_NAME}/resolve/main/(.+)": FakeHub._file,
}


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        self.hub.tokens.add(self.headers.get("Authorization"))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.hub.answer(self.command, self.path, body)
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.send_header("ETag", f'"{hashlib.sha1(payload).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def log_message(self, *_: Any) -> None:
        pass
