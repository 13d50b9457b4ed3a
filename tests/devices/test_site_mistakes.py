"""Every mistake in a site folder: one problem, with its line and hint."""

import pytest

from tests.devices.site_files import SOUND, changed, problems_of


@pytest.mark.parametrize(
    ("section", "text", "problem"),
    [
        (
            "site",
            "time_zone: Asia/Shanghai\n",
            (
                "site.yaml:1: 'name' is missing"
                " (write e.g. 'name: {zh: 绿园社区, en: Lvyuan community}')"
            ),
        ),
        (
            "site",
            "name: x\ntime_zone: Asia/Shanghia\n",
            (
                "site.yaml:2: 'time_zone' is 'Asia/Shanghia', which is no time zone"
                " (did you mean 'Asia/Shanghai'?)"
            ),
        ),
        (
            "site",
            "name: x\ntimezone: UTC\ntime_zone: UTC\n",
            "site.yaml:2: unknown key 'timezone' (did you mean 'time_zone'?)",
        ),
        (
            "site",
            "name: {zh: 绿园}\ntime_zone: UTC\n",
            "site.yaml:1: 'name' has no text in 'en' (write {zh: …, en: …}, or one text)",
        ),
        (
            "site",
            "name: {zh: 绿园, en: L, fr: L}\ntime_zone: UTC\n",
            "site.yaml:1: 'name' has a text in 'fr' (one of 'en', 'zh')",
        ),
        (
            "site",
            "name: ''\ntime_zone: UTC\n",
            "site.yaml:1: 'name' is empty or longer than 200 characters (write a short text)",
        ),
        (
            "site",
            'name: "a\\0b"\ntime_zone: UTC\n',
            (
                r"site.yaml:1: 'name' is 'a\x00b', with a control character in it"
                " (write it on one line)"
            ),
        ),
        (
            "duties",
            "- {member: li, area: lvyuan, role: r, to: 9999-12-31}\n",
            (
                "duties.yaml:1: 'to' is '9999-12-31', not between 1970 and 2200"
                " (leave it out if the duty has no such limit)"
            ),
        ),
        (
            "site",
            "- name\n",
            "site.yaml:1: an entry is not a mapping (write 'key: value' pairs, e.g. {code: …, …})",
        ),
        (
            "members",
            "wang: x\n",
            "members.yaml:1: entries are expected here as a list (begin each entry with '- ')",
        ),
        (
            "members",
            "- {code: wang, name: x}\n- {code: li, name: true}\n",
            "members.yaml:2: 'name' is true, not text (put it in quotes)",
        ),
        (
            "members",
            "- {code: wang, name: x}\n- {code: li, name: x, phone: none}\n",
            (
                "members.yaml:2: 'phone' is 'none', not a phone number"
                " (write digits, e.g. '+86 138 0000 0000')"
            ),
        ),
        (
            "members",
            "- {code: wang, name: x}\n- {code: li, name: x, language: fr}\n",
            "members.yaml:2: 'language' is 'fr' (one of 'en', 'zh')",
        ),
        (
            "members",
            "- {code: wang, name: x}\n- {code: li, name: x}\n- {code: wang, name: y}\n",
            "members.yaml:3: code 'wang' is given twice (the first is at members.yaml:1)",
        ),
        (
            "areas",
            SOUND["areas.yaml"] + "- {code: a b, kind: grid, name: x}\n",
            (
                "areas.yaml:12: 'code' is 'a b', which cannot be a code (use up to 64 letters a-z,"
                " digits, '-', '_' and '.', the first a letter or a digit)"
            ),
        ),
        (
            "areas",
            SOUND["areas.yaml"] + "- {code: ext, kind: grid, name: x}\n",
            "areas.yaml:12: 'code' is 'ext', a word that topics need (choose another code)",
        ),
        (
            "areas",
            SOUND["areas.yaml"] + "- {code: x, kind: Grid One, name: x}\n",
            (
                "areas.yaml:12: 'kind' is 'Grid One', not a word"
                " (write one word in small letters a-z, digits and '_')"
            ),
        ),
        (
            "areas",
            SOUND["areas.yaml"] + "- {code: x, kind: grid, name: x, parent: grid1}\n",
            "areas.yaml:12: 'parent' names 'grid1', which is not in areas (did you mean 'grid-1'?)",
        ),
        (
            "areas",
            SOUND["areas.yaml"].replace("name: Grid 2", "name: Grid 2, parent: city"),
            (
                "areas.yaml:10: a nested area has a 'parent' of its own"
                " (leave it out, or do not nest the area)"
            ),
        ),
        (
            "areas",
            SOUND["areas.yaml"]
            + "- {code: x, kind: k, name: x, parent: z}\n- {code: y, kind: k, name: y, parent: x}\n"
            + "- {code: z, kind: k, name: z, parent: y}\n",
            (
                "areas.yaml:12: area 'x' lies within itself: x → z → y → x"
                " (correct the parent of one of them)"
            ),
        ),
        (
            "areas",
            SOUND["areas.yaml"] + "- {code: x, kind: community, name: x, areas: 5}\n",
            "areas.yaml:12: entries are expected here as a list (begin each entry with '- ')",
        ),
        (
            "households",
            "- {code: b1-101, area: building-1}\n- {code: h, area: building-2}\n",
            (
                "households.yaml:2: 'area' names 'building-2', which is not in areas"
                " (did you mean 'building-1'?)"
            ),
        ),
        (
            "households",
            "- {code: b1-101, area: building-1, care: yes}\n",
            "households.yaml:1: 'care' is 'yes' (write true or false)",
        ),
        (
            "devices",
            "- code: d\n  area: city\n  kind: door\n",
            (
                "devices.yaml:2: area 'city' lies in no community"
                " (put it below an area of 'kind: community')"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: door}\n",
            (
                "devices.yaml:1: neither 'area' nor 'household' is given"
                " (say where the device is, e.g. 'area: grid-1' or 'household: b1-101')"
            ),
        ),
        (
            "devices",
            "- code: d\n  kind: door\n  household: b1-101\n  area: grid-1\n",
            (
                "devices.yaml:4: both 'area' and 'household' are given"
                " (leave out 'area': it is the household's)"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: sos_buton, area: grid-1}\n",
            (
                "devices.yaml:1: 'kind' is 'sos_buton', which is no kind of device"
                " (did you mean 'sos_button'?)"
            ),
        ),
        (
            "devices",
            "- code: d\n  kind: door\n  area: grid-1\n  interval: 10\n",
            (
                "devices.yaml:4: 'interval' is 10, not a duration"
                " (write a number and ms, s, m, h, d or w, e.g. '10m')"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1, interval: 0s}\n",
            "devices.yaml:1: 'interval' is '0s' (write more than 0s and at most 366d)",
        ),
        (
            "devices",
            "- code: d\n  kind: door\n  area: grid-1\n  metrics:\n    - battery\n    - dooropen\n",
            (
                "devices.yaml:6: 'metrics.1' is 'dooropen', which is no metric"
                " (did you mean 'door_open'?)"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1, metrics: []}\n",
            (
                "devices.yaml:1: 'metrics' is an empty list"
                " (write a list with at least one word, or leave it out)"
            ),
        ),
        (
            "devices",
            "- code: d\n  kind: door\n  area: grid-1\n  attributes:\n    capacity: many\n",
            (
                "devices.yaml:5: 'attributes.capacity' is 'many', not a number"
                " (write a number, e.g. 60)"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1, attributes: [1]}\n",
            "devices.yaml:1: 'attributes' is a list (write e.g. {capacity: 60})",
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1}\n- {code: d, kind: door, area: grid-2}\n",
            "devices.yaml:2: code 'd' is given twice (the first is at devices.yaml:1)",
        ),
        (
            "devices",
            (
                "- {code: d, kind: door, area: grid-1, address: 'A1'}\n"
                "- {code: e, kind: door, area: grid-2, address: a1}\n"
            ),
            ("devices.yaml:2: address 'a1' is given twice (device 'd' has it, at devices.yaml:1)"),
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1, gateway: g-1}\n",
            ("devices.yaml:1: 'gateway' names 'g-1', which is not in devices (one of 'd')"),
        ),
        (
            "devices",
            (
                "- {code: d, kind: door, area: grid-1, gateway: e}\n"
                "- {code: e, kind: door, area: grid-1}\n"
            ),
            (
                "devices.yaml:1: 'gateway' names 'e', whose kind is 'door'"
                " (name a device of 'kind: gateway')"
            ),
        ),
        (
            "devices",
            (
                "- {code: g, kind: gateway, area: grid-1}\n"
                "- {code: h, kind: gateway, area: grid-1, gateway: g}\n"
            ),
            (
                "devices.yaml:2: gateway 'h' is behind 'g'"
                " (leave it out: gateways are not behind each other)"
            ),
        ),
        (
            "devices",
            "- {code: d, kind: door, area: grid-1, address: 12e10}\n",
            "devices.yaml:1: 'address' is 120000000000.0, not text (put it in quotes)",
        ),
        (
            "duties",
            "- member: wnag\n  area: lvyuan\n  role: r\n",
            "duties.yaml:1: 'member' names 'wnag', which is not in members (did you mean 'wang'?)",
        ),
        (
            "duties",
            "- {member: li, area: lvyuan, role: r, from: 31.1.2026}\n",
            (
                "duties.yaml:1: 'from' is '31.1.2026', not a date (write a date, '2026-01-31',"
                " or a time with its offset, '2026-01-31T08:00+08:00')"
            ),
        ),
        (
            "duties",
            "- {member: li, area: lvyuan, role: r, from: 2026-01-31T08:00}\n",
            (
                "duties.yaml:1: 'from' is '2026-01-31T08:00', a time without its offset"
                " (write '2026-01-31T08:00+08:00' or a date)"
            ),
        ),
        (
            "duties",
            "- member: li\n  area: lvyuan\n  role: r\n  from: 2026-02-01\n  to: 2026-01-31\n",
            (
                "duties.yaml:5: the duty ends before it begins"
                " (a date in 'to' is the last day of the duty)"
            ),
        ),
        (
            "duties",
            (
                "- {member: li, area: city, role: r, to: 2026-02-01}\n"
                "- {member: li, area: city, role: r, from: 2026-02-01}\n"
            ),
            (
                "duties.yaml:2: member 'li' has this duty twice at the same time"
                " (the first is at duties.yaml:1)"
            ),
        ),
        (
            "device",
            "[]",
            "device.yaml:1: a site has no such file (did you mean 'devices.yaml'?)",
        ),
        ("rules", "[]", "rules.yaml:1: a site has no such file (put it into the folder rules/)"),
    ],
)
def test_one_mistake_is_one_problem(section: str, text: str, problem: str) -> None:
    assert problems_of(changed(**{section: text})) == [problem]
