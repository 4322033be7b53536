"""nginx as a reverse proxy: what people call fast, and the mark that ratios are taken against."""

import shutil
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

# `master_process off`: one process, so that its CPU clock is the whole of it.
_CONFIG: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 100000000;
    client_body_buffer_size 512k;
    client_max_body_size 64m;
    upstream vendor {{
        server {vendor};
        keepalive 256;
        keepalive_requests 100000000;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location / {{
            proxy_pass http://vendor;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""


def find() -> str | None:
    """The program, or None where it is not installed. Debian keeps it where only root looks."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")


def command(program: str, vendor_url: str, folder: Path) -> tuple[tuple[str, ...], str]:
    """The words that start it, and the URL that it will serve."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, vendor=urlsplit(vendor_url).netloc, port=port), encoding="utf-8")
    return (program, "-p", str(folder), "-e", "stderr", "-c", str(config)), f"http://127.0.0.1:{port}"
