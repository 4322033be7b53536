from reference_gateway.routing.health import Health, HealthRule

RULE = HealthRule(failures=3, cooldown_s=2.0, max_cooldown_s=30.0)


def failing(health: Health, now: float, times: int) -> None:
    for _ in range(times):
        health.begin()
        health.failed(now)


def test_failures_in_a_row_close_and_one_success_between_them_does_not_count() -> None:
    health = Health(RULE)
    failing(health, 0.0, 2)
    health.begin()
    health.succeeded()
    failing(health, 0.0, 2)
    assert health.ready(0.0)
    failing(health, 0.0, 1)
    assert not health.ready(1.9)
    assert health.ready(2.0)


def test_half_open_lets_one_request_through_at_a_time() -> None:
    health = Health(RULE)
    failing(health, 0.0, 3)
    assert health.ready(2.0)
    health.begin()
    assert not health.ready(2.1)
    health.abandoned()  # its caller left: the next one may try
    assert health.ready(2.2)
    health.begin()
    health.succeeded()
    health.begin()
    assert health.ready(2.3)


def test_the_pause_doubles_while_the_probe_fails_up_to_a_bound() -> None:
    health = Health(RULE)
    failing(health, 0.0, 3)
    now, pauses = 0.0, []
    for _ in range(7):
        now = health.closed_until
        failing(health, now, 1)
        pauses.append(health.closed_until - now)
    assert pauses == [4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0]
    now = health.closed_until
    health.begin()
    health.succeeded()
    failing(health, now, 3)
    assert health.closed_until - now == 2.0


def test_what_was_under_way_when_it_closed_does_not_make_the_pause_longer() -> None:
    health = Health(RULE)
    failing(health, 0.0, 20)
    assert health.closed_until == 2.0


def test_an_upstream_that_says_how_long_is_left_alone_for_so_long() -> None:
    health = Health(RULE)
    health.begin()
    health.failed(0.0, 12.0)
    assert not health.ready(11.9)
    assert health.ready(12.0)
    health.begin()
    health.failed(12.0, 86_400.0)
    assert health.closed_until == 42.0  # never longer than the bound


def test_without_a_number_of_failures_nothing_closes() -> None:
    health = Health(HealthRule(failures=0, cooldown_s=2.0, max_cooldown_s=30.0))
    failing(health, 0.0, 50)
    health.failed(0.0, 60.0)
    assert health.ready(0.0)
