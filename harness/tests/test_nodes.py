"""The money of a gateway of two nodes on PostgreSQL and Redis: calls go to both in turn, and nodes are killed in the midst of them."""

import socket
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from harness.case import Case, Client
from harness.conformance import Live
from harness.embedded import EmbeddedGateway
from harness.exchange import Exchange, value
from harness.plan import cases_of, judge, rules_of, suite_modules, unserved
from harness.runfile import read_run
from harness.services import Postgres, Redis, ServiceMissing
from harness.settings import Settings, Storage
from harness.target import Target
from harness.tests.absent import missing
from harness.tests.commands import wireproof
from harness.verdict import Errored, Failed, Passed

MONEY = ("billing", "limits", "auth", "tasks", "images", "errors")
MODEL = "gpt-5-4"
STORM = "billing/killed"
OF_OTHER_MODELS = ("billing/cache-costs-alike", "billing/row-cache-tokens", "billing/free-calls")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """URLs of PostgreSQL and Redis. A machine without them skips these tests; under CI it fails them."""
    try:
        postgres = Postgres()
    except ServiceMissing as error:
        missing(str(error))
    try:
        try:
            redis = Redis()
        except ServiceMissing as error:
            missing(str(error))
        try:
            yield postgres.empty(), redis.fresh()
        finally:
            redis.close()
    finally:
        postgres.close()


def money_cases() -> tuple[Case, ...]:
    """Those of the suites of the money that the raw client drives: what SDKs make of it is a consequence."""
    modules = [module for module in suite_modules() if module.__name__.split(".")[1] in MONEY]
    return tuple(case for case in cases_of(modules) if case.client is Client.RAW)


def hosts(exchange: Exchange) -> Counter[str | None]:
    """Where its calls went."""
    hops = [hop for step in exchange.steps for hop in step.calls] or [exchange.client]
    return Counter(value(hop.request.headers, "host") for hop in hops)


def test_the_money_of_two_nodes_is_as_that_of_one(servers: tuple[str, str]) -> None:
    postgres, redis = servers
    settings = Settings(
        storage=Storage.POSTGRES, nodes=2, postgres_url=postgres, redis_url=redis, models=(MODEL, "gpt-image-2"), storm_calls=150
    )
    rules = [rule for rule in rules_of(suite_modules()) if rule.requirement.id.split("/")[0] in MONEY]
    live = Live(settings, money_cases())
    wrong: list[str] = []
    passed: Counter[str] = Counter()
    met: Counter[str | None] = Counter()
    try:
        planned = [one for one in live.planned if live.lacks(one) is None]
        live.begin(planned)
        for one in planned:
            exchange = live.exchange(one)
            met += hosts(exchange)
            for rule in rules:
                if one.case.surface not in rule.given.surfaces or not rule.given.holds(one.case) or unserved(rule, one):
                    continue
                match judge(rule, exchange):
                    case Failed(findings=findings):
                        wrong.append(f"{rule.requirement.id} on {one.id}: {findings[0]}")
                    case Errored(reason=reason):
                        wrong.append(f"{rule.requirement.id} on {one.id}: {reason}")
                    case Passed():
                        passed[rule.requirement.id] += 1
            if one.case.id == STORM:
                assert len(exchange.step("storm").kills) >= 2
                assert {call.node for call in exchange.step("storm").storm} == {0, 1}
    finally:
        live.close()
    assert wrong == []
    proving = {rule.requirement.id for rule in rules if rule.requirement.invariants}
    unmet = {name for name in proving if not passed[name]}
    assert unmet <= set(OF_OTHER_MODELS)
    assert len(met) == 2
    assert min(met.values()) > sum(met.values()) / 4


@pytest.fixture
def gateway() -> Iterator[tuple[int, Target]]:
    """A gateway of somebody else's, whose vendors are where a run's upstream witness will listen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    started = EmbeddedGateway(f"http://127.0.0.1:{port}")
    try:
        yield port, started.ready()
    finally:
        started.stop()


def test_nodes_of_somebody_else_are_asked_in_turn_and_killed_by_his_command(gateway: tuple[int, Target], tmp_path: Path) -> None:
    """One process, which two names lead to."""
    port, target = gateway
    assert target.bases is not None
    own = urlsplit(target.bases.root).port
    keys = {f"WP_NODES_KEY_{number}": key for number, key in enumerate(target.good_keys[:3])}
    file = tmp_path / "target.toml"
    file.write_text(
        f'[target]\nname = "twins"\nbase_urls = ["http://127.0.0.1:{own}", "http://localhost:{own}"]\nupstream_port = {port}\n'
        f"[keys]\ngood = {list(keys)!r}\n"
        '[account]\ndialect = "wireproof"\nmade_group = "default"\n'
        f'[process]\nrestart = "echo again >> {tmp_path}/killed-{{node}}"\nsweep_ms = 2000\n'
    )
    words = ("--target", file, "--models", MODEL, "--storm-calls", "60", "-k", "killed or no-overspend", "--out", "out", "-q")
    done = wireproof("run", *words, cwd=tmp_path, **keys)
    assert done.returncode == 0, done.stdout + done.stderr
    run = read_run(tmp_path / "out" / "run.jsonl")
    assert {verdict.requirement for verdict in run.verdicts if isinstance(verdict.verdict, Passed)} >= {
        "billing/killed-books-agree",
        "billing/killed-bills-once",
        "billing/killed-holds-return",
        "billing/killed-within-quota",
        "limits/no-overspend",
    }
    assert [(tmp_path / f"killed-{node}").read_text() for node in (1, 2)] == ["again\n"] * 2
    burst = next(exchange for exchange in run.exchanges.values() if exchange.case.id == "limits/quota").step("burst")
    assert Counter(value(hop.request.headers, "host") for hop in burst.calls) == {f"127.0.0.1:{own}": 6, f"localhost:{own}": 6}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--nodes", "2"), "several nodes cannot share one SQLite file: give --storage postgres too"),
        (("--storage", "mysql"), "--storage is one of sqlite, postgres, not 'mysql'"),
        (("--storage", "postgres"), "neither Valkey nor Redis is installed here: install one, or give a server's URL by --redis-url"),
        (
            ("--storage", "postgres", "--redis-url", "redis://127.0.0.1:1", "--postgres-url", "postgresql://127.0.0.1:1/x"),
            "PostgreSQL cannot be used",
        ),
    ],
    ids=["sqlite", "unknown", "missing", "away"],
)
def test_what_cannot_be_started_is_said_in_a_sentence(words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = wireproof("run", *words, "-q", cwd=tmp_path, PATH=str(Path(sys.executable).parent))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in (done.stdout + done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
