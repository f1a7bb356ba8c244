"""Show a run's trainings while they run, in a browser: a page with their curves, which loads itself again.

python scripts/watch.py results/smollm2-135m-words                      # serves it on this machine alone
python scripts/watch.py results/smollm2-135m-words --html watch.html    # writes it once
"""

import argparse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from reporting.live import live_page
from stage.files import write_text
from stage.screen import run, say

TEMPLATE = Path(__file__).parents[1] / "workflow/report/watch.html.j2"


class Page(BaseHTTPRequestHandler):
    """Answers every request with the page as it is now."""

    def do_GET(self):
        content = live_page(TEMPLATE, self.server.results, self.server.seconds).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main(args):
    if not args.results.is_dir():
        raise SystemExit(f"error: there is no folder {args.results}: give a run's, such as results/smollm2-135m-words")
    if args.html:
        write_text(args.html, live_page(TEMPLATE, args.results, args.seconds))
        return
    with HTTPServer(("127.0.0.1", args.port), Page) as server:
        server.results, server.seconds = args.results, args.seconds
        say(f"http://127.0.0.1:{server.server_port} shows {args.results}; Ctrl-C ends this")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the run's folder")
    parser.add_argument("--html", type=Path, help="a file to write the page to, instead of serving it")
    parser.add_argument("--port", type=int, default=8000, help="0 takes any that is free")
    parser.add_argument("--seconds", type=int, default=10, help="after which a browser loads the page again")
    run(main, parser)
