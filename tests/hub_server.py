"""A small Hugging Face Hub on the loopback interface, for tests: the real client talks to it over HTTP.

It keeps repositories in memory and implements the part of the Hub's API that publishing and downloading use: creation,
preupload, LFS upload, commits with an expected parent, tags, trees, file downloads with ranges. Tests can add accounts,
gated repositories, commits with a chosen id, and faults. It follows the Hub's own client, which defines what answers
must look like; the live Hub may do more.
"""

import base64
import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

LFS_NAMES = (".safetensors", ".parquet", ".gguf", ".bin")
ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


@dataclass
class Repo:
    """A repository: commits in order, each `{path: content}`, and tags."""

    name: str
    kind: str
    private: bool = False
    gated: bool = False
    commits: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)

    @property
    def head(self):
        """The id of the newest commit."""
        return list(self.commits)[-1]

    def commit(self, files, oid=None):
        """Add a commit of `files`; a test may choose its id, to serve a pinned revision."""
        stamp = (
            f"{self.name} {len(self.commits)} {sorted((p, hashlib.sha256(c).hexdigest()) for p, c in files.items())}"
        )
        oid = oid or hashlib.sha1(stamp.encode()).hexdigest()
        self.commits[oid] = files
        return oid

    def resolve(self, revision):
        """The id of the commit that a branch, tag or commit id refers to."""
        oid = self.head if revision == "main" else self.tags.get(revision, revision)
        if oid not in self.commits:
            raise Refused(404, f"{revision} is no revision of {self.name}", "RevisionNotFound")
        return oid


class Refused(Exception):
    """An answer that is not 2xx."""

    def __init__(self, status, message, code=None, **stated):
        super().__init__(message)
        self.status, self.message, self.code, self.stated = status, message, code, stated


@dataclass
class Fault:
    """A fault of a request: "drop" closes the connection, "cut" closes it in the middle of the answer's body,
    "late drop" after handling the request; a number is the status to answer with; a callable is called first."""

    method: str
    path: str
    action: object
    times: int
    message: str


class Hub:
    """The server's state and the tests' interface to it. `with Hub() as hub:` serves it at `hub.url`."""

    def __init__(self):
        self.repos, self.objects, self.faults, self.requests = {}, {}, [], []
        self.writers = {"hf_writer": "me"}
        self.readers = {"hf_reader": "you"}
        self.lock = threading.RLock()

    def __enter__(self):
        hub = self

        class BoundHandler(Handler):
            pass

        BoundHandler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), BoundHandler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def add(self, name, folder, kind="model", revision=None, **marks):
        """Put the files of a folder (or a `{path: bytes}`) into a repository, as its next commit."""
        if not isinstance(folder, dict):
            paths = [p for p in sorted(Path(folder).rglob("*")) if p.is_file()]
            folder = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
        repo = self.repos.setdefault((kind, name), Repo(name, kind, **marks))
        return repo.commit(folder, revision)

    def repo(self, name, kind="model"):
        """A repository."""
        return self.repos[kind, name]

    def fail(self, method, path, action, times=1, message="the test says so"):
        """Make the next `times` requests with this method and path (a regular expression) fail."""
        self.faults.append(Fault(method, path, action, times, message))

    def fault(self, method, path):
        """The fault for this request, if one is due."""
        with self.lock:
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None


def git_sha1(content):
    """Git's hash of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_lfs(path):
    """Whether the Hub keeps this file in its large file storage."""
    return path.endswith(LFS_NAMES)


def describe(path, content):
    """A file as tree and paths-info describe it."""
    entry = {"type": "file", "path": path, "size": len(content), "oid": git_sha1(content)}
    if is_lfs(path):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
    return entry


ROUTES = []


def route(method, pattern):
    """Register a handler: `pattern` must match the whole path, and its groups become arguments."""

    def register(function):
        ROUTES.append((method, re.compile(pattern), function))
        return function

    return register


API = r"/api/(?P<kind>model|dataset)s/(?P<name>[^/]+/[^/]+)"
FILES = r"/(?P<datasets>datasets/)?(?P<name>[^/]+/[^/]+)"


class Handler(BaseHTTPRequestHandler):
    """One connection; ROUTES handle its requests."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_request(self):
        parts = urlsplit(self.path)
        path, self.query = unquote(parts.path), parse_qs(parts.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = b"".join(iter(self.chunk, b""))
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        self.failing = self.hub.fault(self.command, path)
        action = self.failing.action if self.failing else None
        if callable(action):
            action()
        if action == "drop":
            return self.hang_up()
        try:
            self.account()  # like the Hub, refuse a wrong token everywhere
            if isinstance(action, int):
                raise Refused(action, self.failing.message)
            for method, pattern, function in ROUTES:
                match = pattern.fullmatch(path)
                if match and method == self.command:
                    with self.hub.lock:
                        result = function(self, **match.groupdict())
                    return self.hang_up() if action == "late drop" else self.answer(*result)
            raise Refused(404, f"no such address: {path}")
        except Refused as refused:
            headers = {"X-Error-Message": refused.message}
            if refused.code:
                headers["X-Error-Code"] = refused.code
            self.answer({"error": refused.message, **refused.stated}, refused.status, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_request

    def chunk(self):
        size = int(self.rfile.readline(), 16)
        content = self.rfile.read(size)
        self.rfile.readline()
        return content

    def hang_up(self):
        self.close_connection = True
        self.connection.shutdown(2)

    def answer(self, content=b"{}", status=200, headers=()):
        """Send an answer; JSON unless it is bytes already."""
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        fields = {"Content-Length": str(len(content)), "Content-Type": "application/json"} | dict(headers)
        for key, value in fields.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.failing and self.failing.action == "cut":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            return self.hang_up()
        if self.failing and self.failing.action == "slow":
            time.sleep(1)
        self.wfile.write(content)

    def account(self):
        """The name of the requesting account; None without a token."""
        given = self.headers.get("Authorization", "")
        if not given:
            return None
        token = given.removeprefix("Bearer ")
        accounts = self.hub.writers | self.hub.readers
        if token not in accounts:
            raise Refused(401, "Invalid credentials in Authorization header")
        return accounts[token]

    def writer(self, name):
        """Refuse the request unless the account may write to repositories of this name."""
        if self.account() is None:
            raise Refused(401, "Invalid username or password.")
        if self.account() not in self.hub.writers.values() or name.split("/")[0] != self.account():
            raise Refused(403, f"You don't have the rights to write to {name}")

    def find(self, kind, name):
        """The repository, if the account may see it."""
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and self.account() != name.split("/")[0]):
            raise Refused(401 if self.account() is None else 404, "Repository not found", "RepoNotFound")
        return repo


@route("GET", "/api/whoami-v2")
def whoami(self):
    if self.account() is None:
        raise Refused(401, "Invalid username or password.")
    return ({"type": "user", "name": self.account(), "orgs": [], "auth": {"type": "access_token"}},)


@route("POST", "/api/validate-yaml")
def validate_yaml(self):
    return ({"errors": [], "warnings": []},)


@route("POST", "/api/repos/create")
def create(self):
    asked = json.loads(self.body)
    owner = asked.get("organization") or self.account()
    name, kind = f"{owner}/{asked['name']}", asked.get("type") or "model"
    self.writer(name)
    if (kind, name) in self.hub.repos:
        raise Refused(409, "You already created this repo", url=f"{self.hub.url}/{name}")
    private = asked.get("private") or asked.get("visibility") == "private"
    repo = self.hub.repos[kind, name] = Repo(name, kind, private=bool(private))
    repo.commit({".gitattributes": ATTRIBUTES})
    return ({"url": f"{self.hub.url}/{name}", "name": name, "id": name},)


@route("POST", API + r"/preupload/(?P<revision>[^/]+)")
def preupload(self, kind, name, revision):
    self.writer(name)
    repo = self.find(kind, name)
    there = repo.commits[repo.resolve(revision)]
    files = []
    for asked in json.loads(self.body)["files"]:
        entry = {"path": asked["path"], "uploadMode": "lfs" if is_lfs(asked["path"]) else "regular"}
        entry["shouldIgnore"] = False
        if asked["path"] in there:
            known = describe(asked["path"], there[asked["path"]])
            entry["oid"] = known["lfs"]["oid"] if "lfs" in known else known["oid"]
        files.append(entry)
    return ({"files": files},)


@route("POST", FILES + r"\.git/info/lfs/objects/batch")
def lfs_batch(self, datasets, name):
    self.writer(name)
    objects = []
    for asked in json.loads(self.body)["objects"]:
        if asked["oid"] not in self.hub.objects:
            upload = {"href": f"{self.hub.url}/lfs/{asked['oid']}", "header": {}}
            verify = {"href": f"{self.hub.url}/lfs/{asked['oid']}/verify", "header": {}}
            asked = asked | {"actions": {"upload": upload, "verify": verify}}
        objects.append(asked)
    return ({"transfer": "basic", "objects": objects},)


@route("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})")
def lfs_put(self, oid):
    if hashlib.sha256(self.body).hexdigest() != oid:
        raise Refused(400, "the content is not what its name says")
    self.hub.objects[oid] = self.body
    return ()


@route("POST", r"/lfs/(?P<oid>[0-9a-f]{64})/verify")
def lfs_verify(self, oid):
    if len(self.hub.objects.get(oid, b"")) != json.loads(self.body)["size"]:
        raise Refused(404, "the object is not complete")
    return ()


@route("POST", API + r"/commit/(?P<revision>[^/]+)")
def commit(self, kind, name, revision):
    self.writer(name)
    repo = self.find(kind, name)
    lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
    (header,) = (line["value"] for line in lines if line["key"] == "header")
    if header.get("parentCommit") not in (None, repo.head):
        raise Refused(412, "A commit has happened since. Please refresh and try again.")
    files = dict(repo.commits[repo.head])
    for line in lines:
        value = line["value"]
        if line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        if line["key"] == "lfsFile":
            if value["oid"] not in self.hub.objects:
                raise Refused(400, f"{value['path']} points to an object that was not uploaded")
            files[value["path"]] = self.hub.objects[value["oid"]]
        if line["key"] == "deletedFile" and files.pop(value["path"], None) is None:
            raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
    oid = repo.commit(files)
    return ({"success": True, "commitOid": oid, "commitUrl": f"{self.hub.url}/{name}/commit/{oid}"},)


@route("POST", API + r"/tag/(?P<revision>[^/]+)")
def tag(self, kind, name, revision):
    self.writer(name)
    repo, wanted = self.find(kind, name), json.loads(self.body)["tag"]
    if wanted in repo.tags:
        raise Refused(409, f"tag {wanted} exists already")
    repo.tags[wanted] = repo.resolve(revision)
    return ()


@route("GET", API + "/refs")
def refs(self, kind, name):
    repo = self.find(kind, name)
    tags = [{"name": t, "ref": f"refs/tags/{t}", "targetCommit": oid} for t, oid in repo.tags.items()]
    main = {"name": "main", "ref": "refs/heads/main", "targetCommit": repo.head}
    return ({"branches": [main], "tags": tags, "converts": []},)


@route("GET", API + r"(?:/revision/(?P<revision>[^/]+))?")
def info(self, kind, name, revision):
    repo = self.find(kind, name)
    oid = repo.resolve(revision or "main")
    siblings = []
    for path, content in sorted(repo.commits[oid].items()):
        entry = {"rfilename": path}
        if self.query.get("blobs"):
            known = describe(path, content)
            entry |= {"size": known["size"], "blobId": known["oid"]}
            if "lfs" in known:
                entry["lfs"] = known["lfs"] | {"sha256": known["lfs"]["oid"]}
        siblings.append(entry)
    stated = {"id": name, "modelId": name, "sha": oid, "private": repo.private, "gated": repo.gated and "manual"}
    return (stated | {"disabled": False, "tags": [], "siblings": siblings, "downloads": 0, "likes": 0},)


@route("GET", API + r"/tree/(?P<revision>[^/]+)(?:/(?P<under>.*))?")
def tree(self, kind, name, revision, under):
    repo = self.find(kind, name)
    files = repo.commits[repo.resolve(revision)]
    under, deep = (under or "").strip("/"), self.query.get("recursive", ["false"])[0].lower() == "true"
    entries = {}
    for path, content in sorted(files.items()):
        if under and not path.startswith(f"{under}/"):
            continue
        for folder in reversed(PurePosixPath(path).parents):
            inside = str(folder) != "." and (not under or str(folder).startswith(f"{under}/"))
            if inside and (deep or folder.parent == PurePosixPath(under or ".")):
                digest = hashlib.sha1(str(folder).encode()).hexdigest()
                entries[str(folder)] = {"type": "directory", "path": str(folder), "oid": digest, "size": 0}
        if deep or PurePosixPath(path).parent == PurePosixPath(under or "."):
            entries[path] = describe(path, content)
    if under and not entries:
        raise Refused(404, f"there is no {under}", "EntryNotFound")
    return (list(entries.values()),)


@route("POST", API + r"/paths-info/(?P<revision>[^/]+)")
def paths_info(self, kind, name, revision):
    repo = self.find(kind, name)
    files = repo.commits[repo.resolve(revision)]
    try:
        asked = json.loads(self.body)["paths"]
    except ValueError:
        asked = parse_qs(self.body.decode())["paths"]
    entries = [describe(path, files[path]) for path in asked if path in files]
    folders = [path for path in asked if path not in files and any(f.startswith(f"{path}/") for f in files)]
    return ([*entries, *({"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in folders)],)


@route("HEAD", FILES + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
@route("GET", FILES + r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
def resolve(self, datasets, name, revision, path):
    repo = self.find("dataset" if datasets else "model", name)
    if repo.gated and self.account() is None:
        raise Refused(401, f"Access to model {name} is restricted.", "GatedRepo")
    oid = repo.resolve(revision)
    if path not in repo.commits[oid]:
        raise Refused(404, f"{path} is not there", "EntryNotFound")
    content = repo.commits[oid][path]
    known = describe(path, content)
    digest = known["lfs"]["oid"] if "lfs" in known else known["oid"]
    headers = {"ETag": f'"{digest}"', "X-Repo-Commit": oid, "Accept-Ranges": "bytes"}
    headers["Content-Type"] = "application/octet-stream"
    if "lfs" in known:
        headers |= {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
    if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
        start, end = int(asked[1]), int(asked[2] or len(content) - 1)
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return (content[start : end + 1], 206, headers)
    return (content, 200, headers)
