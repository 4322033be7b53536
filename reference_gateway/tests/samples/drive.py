"""Runs samples in this interpreter's environment, for whoever has started it: python drive.py, the jobs as JSON on standard input.

Stands alone: the environments of older SDKs have nothing of ours. A job is `{"name", "file", "replace": {from: to}, "environ": {}}`; the
answer, one JSON object on standard output, has for each name what the sample's `r` is, or the error that ended it.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any


def run(job: "dict[str, Any]") -> "dict[str, Any]":
    text = Path(job["file"]).read_text(encoding="utf-8")
    for old, new in job["replace"].items():
        text = text.replace(old, new)
    os.environ.update(job["environ"])
    names: dict[str, Any] = {"__name__": "__main__"}
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(text, job["file"], "exec"), names)
    except Exception as error:  # whatever it is, the test is to see it
        body = getattr(error, "body", None)
        return {"error": type(error).__name__, "status": getattr(error, "status_code", None), "body": body, "said": str(error)}
    result = names["r"]
    return {"r": result if isinstance(result, list) else json.loads(result.model_dump_json()), "said": said.getvalue()}


if __name__ == "__main__":
    jobs = json.load(sys.stdin)
    versions = {}
    for module in sorted({job["file"].rpartition("/")[2].partition("_")[0] for job in jobs}):
        versions[module] = __import__(module).__version__
    json.dump({"versions": versions, "results": {job["name"]: run(job) for job in jobs}}, sys.stdout)
