"""Writing reports: names, places, rights, and the index that survives whatever it finds."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rebalancer.report.files import ReportNotWritten, write_report
from rebalancer.report.index import RUNS_MAX, read_index, scan
from rebalancer.report.paths import report_name, run_name
from rebalancer.report.records import RunRecord

from .html_tree import parse
from .sample import START, STORIES, sample_record

SMALL = sample_record(STORIES[:3])


def run(cycle_id: str, at: datetime = START, mode: str = "paper") -> RunRecord:
    return SMALL._replace(
        snapshot=SMALL.snapshot._replace(cycle_id=cycle_id),
        started_at=at,
        mode=mode,  # type: ignore[arg-type]  # tests also pass modes that do not exist
    )


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_one_run(tmp_path: Path) -> None:
    written = write_report(run("2026-11-20T15:35Z"), tmp_path / "reports")
    base = tmp_path / "reports"
    name = "2026/2026-11-20_1035_paper_20261120T1535Z"
    assert written == (base / f"{name}.html", base / f"{name}.json")
    assert files_in(base) == [f"{name}.html", f"{name}.json", "index.html", "index.json", "latest.html"]
    assert (base / "latest.html").read_bytes() == written.html_path.read_bytes()
    assert not (base / "latest.html").is_symlink()
    modes = {stat.S_IMODE(path.stat().st_mode) for path in base.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((base / "2026").stat().st_mode) == 0o700


def test_writing_twice_is_writing_once(tmp_path: Path) -> None:
    write_report(run("c-1"), tmp_path)
    before = {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)}
    write_report(run("c-1"), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in files_in(tmp_path)} == before


def test_day_and_year_are_new_yorks(tmp_path: Path) -> None:
    new_year = datetime(2027, 1, 1, 3, 30, tzinfo=UTC)
    assert write_report(run("c", new_year), tmp_path).html_path == tmp_path / "2026/2026-12-31_2230_paper_c.html"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cycle_id=st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            ["../../etc/passwd", "..", "/abs", "a/b", "a\x00b", "%2e%2e", ".", "", "~", "-rf", "con", "\ud800"]
        ),
    ),
    mode=st.sampled_from(["simulated", "paper", "live", "dry_run"]),
    at=st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)),
)
def test_names_stay_inside(tmp_path: Path, cycle_id: str, mode: str, at: datetime) -> None:
    record = run(cycle_id, at, mode)
    name = report_name(record)
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}_[0-9]{4}_(simulated|paper|live|dry_run)_[A-Za-z0-9-]{1,40}", name)
    base = tmp_path / "in" / "reports"
    written = write_report(record, base)
    assert written.html_path.name == f"{name}.html"
    assert written.html_path.resolve().is_relative_to(base.resolve())
    assert all(file.startswith("in/reports/") for file in files_in(tmp_path))


NAMED = ("cycle-1", "cycle-2", "x-1", "2026-11-20T15:35Z", "2026-11-20T15:35:00Z", "20261120T1535Z", "20261120t1535z")
IDS = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,44}", fullmatch=True),
    st.datetimes().map(lambda at: f"{at:%Y-%m-%dT%H:%M}Z"),
    st.sampled_from(NAMED),
)


@given(IDS, IDS)
def test_different_runs_have_different_names(one: str, other: str) -> None:
    assert (run_name(one) == run_name(other)) == (one == other)


def test_similar_runs_have_different_names() -> None:
    assert [run_name(name) for name in NAMED[:2]] == ["cycle-1", "cycle-2"]
    assert len({run_name(name) for name in NAMED}) == len(NAMED)


@pytest.mark.parametrize("mode", ["../x", "PAPER", "", "paper/..", "paper\n"])
def test_no_other_mode_gets_a_name(mode: str) -> None:
    with pytest.raises(ValueError, match="is not a mode"):
        report_name(run("c", START, mode))


def test_a_linked_year_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    base = tmp_path / "reports"
    base.mkdir()
    (base / "2026").symlink_to(outside)
    with pytest.raises(ReportNotWritten, match="symbolic link"):
        write_report(run("c"), base)
    assert files_in(outside) == []


def test_a_linked_file_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    base = tmp_path / "reports"
    base.mkdir()
    for name in ("latest.html", "index.html", ".latest.html.new"):
        (base / name).symlink_to(precious)
    write_report(run("c"), base)
    assert precious.read_text() == "mine"
    assert not any(path.is_symlink() for path in base.iterdir())


def test_what_a_crash_left_does_not_stop_the_next_run(tmp_path: Path) -> None:
    (tmp_path / "2026").mkdir()
    (tmp_path / "2026/.2026-11-20_1035_paper_c.html.new").write_text("half")
    write_report(run("c"), tmp_path)
    assert not [name for name in files_in(tmp_path) if name.endswith(".new")]


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file stands here")
    with pytest.raises(ReportNotWritten) as caught:
        write_report(run("c"), tmp_path / "reports")
    assert "cannot be written: File exists" in str(caught.value)
    assert "hint:" in str(caught.value)


def test_index_is_newest_first_and_grows(tmp_path: Path) -> None:
    for k in (2, 0, 1):
        write_report(run(f"c-{k}", START + timedelta(minutes=5 * k)), tmp_path)
    known = read_index(tmp_path)
    assert known is not None
    assert [r.cycle_id for r in known] == ["c-2", "c-1", "c-0"]
    links = [a.attributes["href"] for a in parse((tmp_path / "index.html").read_text()).all("a")]
    assert links == [r.page for r in known]
    assert all((tmp_path / str(link)).is_file() for link in links)


@pytest.mark.parametrize(
    "damage",
    [
        "", "{", "[]", '{"schema":"other"}', '{"schema":"rebalancer.report-index/1"}', "\xff", "null",
        '{"schema":"rebalancer.report-index/1","runs":[{"page":"../../x"}]}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_index_is_rebuilt_from_the_reports(tmp_path: Path, damage: str) -> None:
    write_report(run("c-0"), tmp_path)
    (tmp_path / "index.json").write_text(damage, encoding="latin-1")
    write_report(run("c-1", START + timedelta(minutes=5)), tmp_path)
    known = read_index(tmp_path)
    assert known is not None
    assert [r.cycle_id for r in known] == ["c-1", "c-0"]


def test_an_index_entry_that_points_outside_is_dropped(tmp_path: Path) -> None:
    write_report(run("c-0"), tmp_path)
    document = json.loads((tmp_path / "index.json").read_text())
    outside = tmp_path.with_name(tmp_path.name + "-outside.html")
    outside.write_text("a page that is not ours")
    (tmp_path / "2026/other.html").write_text("nor this one")
    document["runs"].append(document["runs"][0] | {"page": f"../{outside.name}"})
    document["runs"].append(document["runs"][0] | {"page": str(outside)})
    document["runs"].append(document["runs"][0] | {"page": "2026/other.html"})
    document["runs"].append(document["runs"][0] | {"page": "2026/2026-11-20_1040_paper_gone.html"})
    (tmp_path / "index.json").write_text(json.dumps(document))
    known = read_index(tmp_path)
    assert known is not None
    assert [r.cycle_id for r in known] == ["c-0"]


def test_broken_reports_are_listed_as_unreadable(tmp_path: Path) -> None:
    good = write_report(run("good"), tmp_path)
    for k, text in enumerate(["", "{}", '{"schema":"rebalancer.report/1"}', good.json_path.read_text()[:-200], "\x00"]):
        broken = tmp_path / f"2026/2026-11-20_1036_paper_broken-{k}"
        broken.with_name(broken.name + ".html").write_text("page")
        broken.with_name(broken.name + ".json").write_text(text)
    (tmp_path / "2026/notes.txt").write_text("not ours")
    (tmp_path / "index.json").unlink()
    runs, unreadable = scan(tmp_path)
    assert [r.cycle_id for r in runs] == ["good"]
    assert unreadable == tuple(f"2026/2026-11-20_1036_paper_broken-{k}.html" for k in (4, 3, 2, 1, 0))
    write_report(run("next", START + timedelta(minutes=9)), tmp_path)
    assert (tmp_path / "index.html").read_text().count("cannot be read") == 5


def test_index_keeps_the_newest_and_counts_the_rest(tmp_path: Path) -> None:
    write_report(run("first"), tmp_path)
    document = json.loads((tmp_path / "index.json").read_text())
    old = document["runs"][0]
    page = tmp_path / old["page"]
    document["runs"] = []
    for k in range(RUNS_MAX):
        name = f"2026/2026-11-20_1035_paper_n{k}.html"
        (tmp_path / name).write_bytes(b"")
        document["runs"].append(old | {"cycle_id": f"n{k}", "page": name})
    (tmp_path / "index.json").write_text(json.dumps(document))
    assert page.is_file()
    write_report(run("last", START + timedelta(minutes=5)), tmp_path)
    known = read_index(tmp_path)
    assert known is not None
    assert (len(known), known[0].cycle_id) == (RUNS_MAX, "last")
    assert "2 older pages" in (tmp_path / "index.html").read_text()
