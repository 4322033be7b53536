"""What a start has to wait for: nothing that the first answers do not need."""

import subprocess
import sys

LATER = ("reference_gateway.translation.halves", "sqlalchemy", "alembic", "asyncpg", "redis", "opentelemetry")
ASK = f"import sys, reference_gateway.operations.serve; print(*[name for name in {LATER!r} if name in sys.modules])"


def test_what_native_routes_on_sqlite_do_not_need_is_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
