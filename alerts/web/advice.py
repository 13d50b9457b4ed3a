"""What a rule advises whoever answers its alert. Pure."""

from collections.abc import Mapping

import yaml


def advice_of(rule_text: str) -> Mapping[str, str]:
    """The `advice` of a rule as written in YAML, by language; empty where it gives none."""
    try:
        written = yaml.safe_load(rule_text)
    except yaml.YAMLError:
        return {}
    rule = written[0] if isinstance(written, list) and written else written
    advice = rule.get("advice") if isinstance(rule, Mapping) else None
    return advice if isinstance(advice, Mapping) else {}
