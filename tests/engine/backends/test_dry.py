from engine.backends.dry import DryBackend


def test_a_dry_run_starts_nothing_and_keeps_the_orders(make_order, tmp_path):
    backend = DryBackend(slots=1)
    order = make_order("echo x > made")
    backend.start(order)
    (end,) = backend.wait(None)
    assert end.exit_code == 0
    assert backend.orders == [order]
    assert list(tmp_path.iterdir()) == []
    backend.close()
