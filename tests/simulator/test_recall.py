"""A part of a simulated city: planted incidents are told of, and members not of much else."""

from devices.instant import HOUR
from gridwarden.demo_site import example_site
from gridwarden.rule_library import library_texts
from gridwarden.site import check, read_folder
from gridwarden.site_writer import with_copd
from rules.loader import load
from tests.real import city


def test_the_rules_find_what_was_planted_and_seldom_tell_of_what_was_not() -> None:
    site, _ = check(example_site())
    files = {p: t for p, t in read_folder(example_site()).items() if p.startswith("rules/")}
    rules = load(with_copd(files), library_texts())
    lived = city.days(city.city_site(site, 1, 150), rules, 20 * HOUR, seed=1)
    assert len(lived.incidents) >= 20
    assert lived.found >= 0.95 * len(lived.incidents), lived.figures
    assert lived.false_per_day <= 1, lived.figures
    by_kind = lived.figures["by_kind"]
    assert isinstance(by_kind, dict)
    for what in ("card_shared", "card_replaced", "wrong_cards"):
        assert by_kind[what][0] == by_kind[what][1] > 0, (what, by_kind)
