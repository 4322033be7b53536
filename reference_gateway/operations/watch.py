"""Everything that looks at a running gateway, put together from its settings: journal, metrics, access log, traces, the admin listener."""

from __future__ import annotations

from reference_gateway.operations.access_log import AccessLog
from reference_gateway.operations.admin import Admin, Readiness
from reference_gateway.operations.journal import Journal
from reference_gateway.operations.metrics import Gauges, Metrics
from reference_gateway.operations.settings import NO_LOG, Operations
from reference_gateway.proxy.server import Server
from reference_gateway.storage.interface import Database
from reference_gateway.toml_lines import ConfigError


def url_of(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Watch:
    """Raises ConfigError where the settings ask for what is not installed, OSError where the log cannot be opened."""

    def __init__(self, settings: Operations, database: Database) -> None:
        self._settings = settings
        self._metrics = Metrics(self._gauges_now)
        self._gauges: Gauges = dict
        self.journal = Journal([self._metrics])
        self.readiness = Readiness(database)
        self.admin_url: str | None = None
        self._admin: Server | None = None
        self._log = AccessLog(settings.access_log) if settings.access_log != NO_LOG else None
        if self._log is not None:
            self.journal.readers.append(self._log)
        self._telemetry = None
        if settings.otel:
            try:
                from reference_gateway.operations.telemetry import Telemetry
            except ImportError:
                raise ConfigError("[operations] otel = true needs OpenTelemetry; install it with: pip install 'wireproof[otel]'") from None
            self._telemetry = Telemetry()
            self.journal.readers.append(self._telemetry)

    def _gauges_now(self) -> dict[str, tuple[str, float]]:
        dropped = self._log.dropped if self._log is not None else 0
        return {**self._gauges(), "access_log_dropped": ("Lines the access log left out.", dropped)}

    async def open(self, gauges: Gauges) -> None:
        """Raises OSError where the admin listener's address is taken."""
        self._gauges = gauges
        self.journal.start()
        if self._settings.admin_port is not None:
            self._admin = Server(Admin(self._metrics, self.journal, self.readiness.why_not))
            self.admin_url = url_of(*await self._admin.listen(self._settings.admin_host, self._settings.admin_port))

    async def close(self) -> None:
        if self._admin is not None:
            await self._admin.stop(0.0)
        self.journal.stop()
        if self._log is not None:
            self._log.close()
        if self._telemetry is not None:
            self._telemetry.close()
