//! `kvplan report`: the page of a folder of results, as a reader and a browser find it.

use assert_cmd::Command;
use kvplan::models::parse_overrides;
use kvplan::report::artefacts;
use kvplan::report::html::csv_file::Csv;
use kvplan::report::html::figure::of_svg;
use kvplan::report::html::folder::{Folder, Run};
use kvplan::report::html::report;
use kvplan::report::output::OutputDir;
use kvplan::report::write::compare::comparison;
use kvplan::report::write::sweep;
use kvplan::run::metric::{METRICS, index_of};
use kvplan::run::scenario::Scenario;
use kvplan::study::answers::{
    Allowance, Answers, At, Cost, Ends, Level, LossUnknown, SavedAt, Saving, Trouble,
};
use kvplan::study::replicate::Work;
use kvplan::study::stats::{Estimate, Resolution};
use kvplan::study::sweep::Cell;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

pub(crate) fn kvplan() -> Command {
    Command::cargo_bin("kvplan").unwrap()
}

/// A small sweep, run once for all tests.
static SWEEP: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().unwrap();
    kvplan()
        .args(["sweep", "--traffic", "100k,3M", "-n", "3", "--seed", "7"])
        .args(["--set", "period.requests=\"2k\"", "--quiet", "--out"])
        .arg(dir.path())
        .assert()
        .success();
    dir
});

/// A folder of its own with the sweep's files and `others`.
pub(crate) fn sweep_with(others: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for entry in fs::read_dir(SWEEP.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    for (name, text) in others {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

pub(crate) fn page(dir: &Path) -> String {
    kvplan()
        .args(["report", "--quiet"])
        .arg(dir)
        .assert()
        .success();
    fs::read_to_string(dir.join("report.html")).unwrap()
}

pub(crate) const CLAIMS: &str = "id,section,quote,stated,verdict,right_value,evidence
writes,Costs,1000 recordings = ~200 writes,200,refuted,10,\"Ten batches of 100: <b> & \"\"more\"\"\"
cache,Cache,Hit rate: 90%,0.9,confirmed,,94.5% at 10M
vendors,Costs,faster than others,,not testable,,no workload is given
";

#[test]
fn the_page_of_a_sweep_answers_first_and_holds_everything() {
    let dir = sweep_with(&[("claims.csv", CLAIMS)]);
    let output = kvplan().arg("report").arg(dir.path()).output().unwrap();
    let path = dir.path().join("report.html");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{}: 3 claims, 9 charts, 3 tables\n", path.display())
    );
    let html = fs::read_to_string(&path).unwrap();
    let at = |text: &str| {
        html.find(text)
            .unwrap_or_else(|| panic!("{text} is not on the page"))
    };
    let order = [
        "<h1>LLM gateway, Poisson arrivals</h1>",
        "<p class=\"lead\">optimised costs less than naive ",
        "<figure id=\"chart-1\">",
        "Which policy costs least?",
        "Where is the allowance of plan &#34;paid&#34; used up?",
        "<h2 id=\"claims-title\">Claims</h2>",
        "<h2 id=\"charts-title\">Charts</h2>",
        "<figure id=\"chart-2\">",
        "<h2 id=\"tables-title\">Tables</h2>",
        "Cost per month in USD",
        "<h2 id=\"assumptions-title\">Assumptions and sources</h2>",
        "https://developers.cloudflare.com/kv/platform/pricing/",
        "<h2 id=\"reproduce-title\">How to reproduce</h2>",
    ];
    let places: Vec<usize> = order.iter().map(|t| at(t)).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(html.matches("<div class=\"chart").count(), 9);
    // Seven of the nine have both scales; all have a form for a phone.
    assert_eq!(html.matches("<svg class=\"wide\"").count(), 9 + 7);
    assert_eq!(html.matches("<svg class=\"narrow\"").count(), 9 + 7);
    assert_eq!(html.matches("<details class=\"claim\"").count(), 3);
    // The right value stands beside what was stated, without a fold to open.
    at(
        "<span class=\"stated\">stated <b>200</b></span> <span class=\"right\">right <b>10</b></span>",
    );
    at("Ten batches of 100: &#60;b&#62; &#38; &#34;more&#34;");
    at(
        "kvplan sweep --scenario default --set &#39;period.requests=&#34;2k&#34;&#39; --replications 3 --seed 7 --traffic 100000,3000000</pre>",
    );
}

/// Cost at a level as sweep.csv has it: mean and half-width.
fn cost(dir: &Path, traffic: &str, policy: &str) -> (f64, f64) {
    let mut reader = csv::Reader::from_path(dir.join("sweep.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let row = reader
        .records()
        .map(|r| r.unwrap())
        .find(|r| &r[at("traffic_per_month")] == traffic && &r[at("policy")] == policy)
        .unwrap();
    let number = |name: &str| row[at(name)].parse().unwrap();
    (number("cost_usd"), number("cost_usd_ci95"))
}

#[test]
fn the_figures_on_the_page_are_those_of_the_files() {
    let html = page(sweep_with(&[]).path());
    let (naive, half_width) = cost(SWEEP.path(), "3000000", "naive");
    assert!(naive > 10.0 && half_width > 0.0, "{naive} ± {half_width}");
    let told = format!("naive: 3M, ${naive:.2} ± ${half_width:.2}");
    assert!(html.contains(&format!("<title>{told}</title>")), "{told}");
    let cell = format!(
        "data-v=\"{}\">${naive:.2} ± {half_width:.2}</td>",
        trimmed(naive)
    );
    assert!(html.contains(&cell), "{cell}");
    assert!(html.contains(&format!("{} ± ", trimmed(naive))));
}

/// As CSV has it: six significant digits.
fn trimmed(x: f64) -> String {
    format!("{x:.4}")
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

#[test]
fn the_same_results_give_the_same_bytes_wherever_they_are() {
    let (one, two) = (
        sweep_with(&[("claims.csv", CLAIMS)]),
        sweep_with(&[("claims.csv", CLAIMS)]),
    );
    let first = page(one.path());
    assert!(first == page(two.path()));
    // The page itself is no input of the next one.
    assert!(first == page(one.path()));
    assert!(!first.contains(one.path().to_str().unwrap()));
}

/// The cells of the two policies of a scenario at a level, with the cost of each replication given and
/// nothing refused or lost.
fn cells_of(scenario: &Scenario, costs: [[f64; 3]; 2]) -> Vec<Cell> {
    let level = [scenario.traffic_per_month];
    let mut cells = kvplan::study::sweep::sweep(scenario, &level, &Work::unwatched()).unwrap();
    let at = index_of("cost_usd").unwrap();
    for (cell, costs) in cells.iter_mut().zip(costs) {
        for (i, cost) in costs.into_iter().enumerate() {
            cell.replications[i][at] = cost;
            cell.pooled.contributions[i][at] = cost;
        }
        cell.pooled.resolution[at] = Resolution::default();
        cell.pooled.estimates[at] = Estimate::of(costs);
        for bounded in kvplan::study::cheapest::BOUNDED {
            cell.pooled.estimates[index_of(bounded).unwrap()].mean = 0.0;
        }
    }
    assert_eq!(cells[0].pooled.estimates.len(), METRICS.len());
    cells
}

/// The page of these cells, through the files of a sweep, and what `compare` says of their costs.
fn page_and_verdict(costs: [[f64; 3]; 2]) -> (String, String) {
    let set = parse_overrides(&["period.requests=\"500\"".to_owned()]).unwrap();
    let mut scenario = Scenario::load("default", &[], None, &set).unwrap();
    scenario.replications = 3;
    let cells = cells_of(&scenario, costs);
    let table = comparison(&cells[0], &cells[1]).to_string();
    let verdict = table.lines().find(|l| l.contains("cost_usd")).unwrap();
    let dir = TempDir::new().unwrap();
    let out = OutputDir::prepare(dir.path()).unwrap();
    sweep::write(&scenario, &cells, &[], &out).unwrap();
    out.commit().unwrap();
    (page(dir.path()), verdict.to_owned())
}

#[test]
fn the_page_says_what_compare_says_though_intervals_overlap() {
    let (html, verdict) = page_and_verdict([[10.0, 20.0, 30.0], [10.9, 21.0, 31.1]]);
    let overlap = Estimate::of([10.0, 20.0, 30.0]).high() > Estimate::of([10.9, 21.0, 31.1]).low();
    assert!(
        overlap && verdict.contains("optimised is higher"),
        "{verdict}"
    );
    assert!(
        html.contains("naive costs less than optimised at "),
        "{html}"
    );
    // By hand: differences 0.9, 1.0 and 1.1, their half-width t(0.975, 2) * 0.1 / sqrt(3); 3 of 63 dollars.
    let less = "$1.00\u{a0}±\u{a0}0.25\u{a0}(4.76%\u{a0}±\u{a0}";
    assert_eq!(html.matches(less).count(), 2, "{html}");
    // The table holds it against the first policy, which costs less.
    assert!(html.contains("Saved against naive"), "{html}");
    assert!(html.contains(">-$1.00 ± 0.25</td>"), "{html}");
    assert!(!html.contains("no difference"), "{html}");
    let (html, verdict) = page_and_verdict([[10.0, 20.0, 30.0], [10.9, 19.0, 30.2]]);
    assert!(verdict.contains("no significant difference"), "{verdict}");
    assert!(html.contains("no difference that can be told between naive and optimised"));
    assert!(!html.contains("costs less than"), "{html}");
}

#[test]
fn without_answers_the_page_makes_none_up() {
    let dir = sweep_with(&[]);
    assert!(page(dir.path()).contains("Which policy costs least?"));
    fs::remove_file(dir.path().join(artefacts::ANSWERS_JSON)).unwrap();
    let html = page(dir.path());
    for told in ["<dl class=\"answers\">", "costs least", "used up?"] {
        assert!(!html.contains(told), "{told}");
    }
    assert!(html.contains("Key figures"));
}

#[test]
fn answers_are_the_same_bytes_on_any_number_of_threads() {
    let of = |threads: &str| {
        let dir = TempDir::new().unwrap();
        kvplan()
            .env("RAYON_NUM_THREADS", threads)
            .args(["sweep", "--traffic", "100k,3M", "-n", "3", "--seed", "7"])
            .args(["--set", "period.requests=\"500\"", "--quiet", "--out"])
            .arg(dir.path())
            .assert()
            .success();
        fs::read(dir.path().join(artefacts::ANSWERS_JSON)).unwrap()
    };
    assert!(of("1") == of("3"));
}

#[cfg(unix)]
#[test]
fn the_command_on_the_page_gives_the_results_again() {
    let html = page(sweep_with(&[]).path());
    let (_, rest) = html
        .split_once("<pre class=\"command\" tabindex=\"0\">")
        .unwrap();
    let (command, _) = rest.split_once("</pre>").unwrap();
    let command = command.replace("&#39;", "'").replace("&#34;", "\"");
    let again = TempDir::new().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_kvplan"));
    Command::new("/bin/sh")
        .args(["-c", &format!("{command} --quiet --out .")])
        .env("PATH", binary.parent().unwrap())
        .current_dir(again.path())
        .assert()
        .success();
    for file in [
        artefacts::SWEEP_CSV,
        artefacts::ANSWERS_JSON,
        artefacts::REPLICATIONS_CSV,
        artefacts::RUN_JSON,
    ] {
        let read = |dir: &Path| fs::read(dir.join(file)).unwrap();
        assert!(read(again.path()) == read(SWEEP.path()), "{file} differs");
    }
}

#[test]
fn another_place_and_ordinary_permissions() {
    let dir = sweep_with(&[]);
    let out = dir.path().join("deep/review.html");
    kvplan()
        .args(["report", "--quiet", "--out"])
        .arg(&out)
        .arg(dir.path())
        .assert()
        .success()
        .stdout("");
    assert!(
        fs::read_to_string(&out)
            .unwrap()
            .starts_with("<!doctype html>")
    );
    assert!(!dir.path().join("report.html").exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&out), mode(&SWEEP.path().join("sweep.csv")));
    }
}

#[test]
fn tables_that_nobody_foresaw_are_shown_and_long_ones_cut() {
    let rows: String = (0..250)
        .map(|i| format!("{i},x{i},{}\n", i * 1_000))
        .collect();
    let dir = sweep_with(&[
        ("my_own-thing.csv", &format!("step,name,size_bytes\n{rows}")),
        ("empty.csv", "a,b\n"),
    ]);
    let html = page(dir.path());
    for text in [
        "My own thing</b>",
        "250 rows, 3 columns",
        "The first 200 of 250 rows; the rest is in my_own-thing.csv.",
        "size (bytes)</button>",
        "<td class=\"n\">199,000</td>",
        "0 rows, 2 columns",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("<td>x200</td>"));
}

/// Makes a report that is refused; returns the message, with the folder's name taken out.
fn refused(dir: &Path) -> String {
    let earlier = dir.join("report.html");
    let exists = dir.is_dir();
    if exists {
        fs::write(&earlier, "earlier").unwrap();
    }
    let output = kvplan().arg("report").arg(dir).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    if exists {
        assert_eq!(fs::read_to_string(&earlier).unwrap(), "earlier");
        fs::remove_file(&earlier).unwrap();
    }
    let message = String::from_utf8(output.stderr).unwrap();
    message.replace(dir.to_str().unwrap(), "DIR")
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_place() {
    let dir = TempDir::new().unwrap();
    let path = dir.path();
    insta::assert_snapshot!(refused(&path.join("none")), @"error: DIR: cannot be read (no such folder); expected a folder that a command of kvplan wrote");
    insta::assert_snapshot!(refused(path), @"error: DIR: holds no results of kvplan (found report.html); expected run.json, sweep.csv or another file that a command of kvplan wrote");
    let write = |name: &str, text: &[u8]| fs::write(path.join(name), text).unwrap();
    write("holiday.csv", b"a,b\n1,2\n");
    insta::assert_snapshot!(refused(path), @"error: DIR: holds no results of kvplan (found holiday.csv, report.html); expected run.json, sweep.csv or another file that a command of kvplan wrote");
    write("sweep.csv", b"a,b\n1,2\n3\n");
    insta::assert_snapshot!(refused(path), @"error: DIR/sweep.csv:3: found 1 columns, expected 2");
    write("sweep.csv", b"a,b\n1,\xff\n");
    insta::assert_snapshot!(refused(path), @"error: DIR/sweep.csv:2: found bytes that are not UTF-8 text");
    write("sweep.csv", b"");
    insta::assert_snapshot!(refused(path), @"error: DIR/sweep.csv:1: found nothing, expected a header");
    write("sweep.csv", b"a,b\n1,2\n");
    write("run.json", b"{\n\"kvplan\": }");
    insta::assert_snapshot!(refused(path), @"error: DIR/run.json:2: expected value at line 2 column 11");
    fs::remove_file(path.join("run.json")).unwrap();
    write("answers.json", b"{\"plan\": \"paid\"}");
    insta::assert_snapshot!(refused(path), @"error: DIR/answers.json:1: missing field `policies` at line 1 column 16; expected the answers of a sweep");
    fs::remove_file(path.join("answers.json")).unwrap();
    write("sweep.csv", b"a,b\n1,2");
    insta::assert_snapshot!(refused(path), @"error: DIR/sweep.csv: found a last line without its end: the file is cut off, and a page of it would mislead");
    insta::assert_snapshot!(refused(&path.join("sweep.csv")), @"error: DIR: cannot be read (not a folder); expected a folder that a command of kvplan wrote");
}

#[test]
fn a_drawing_brings_nothing_but_shapes() {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"10\" height=\"5\" onload=\"boom()\">
<title>A &lt;title&gt;</title><style>* { fill: red }</style><script>boom()</script>
<foreignObject><div>boom</div></foreignObject><image xlink:href=\"http://a.example/boom.png\"/>
<a xlink:href=\"javascript:boom()\"><rect id=\"x\" width=\"1\" onclick=\"boom()\" style=\"fill: url(http://boom)\"/></a>
<g class=\"n boom\" fill=\"url(#boom)\"><text x=\"1\" opacity=\"0.5\">kept &amp; safe</text></g></svg>";
    let folder = Folder {
        name: "x".into(),
        tables: Vec::new(),
        figures: vec![of_svg("x.svg", svg).unwrap()],
        runs: vec![run(json!({"kvplan": "1"}))],
        answers: None,
        left_out: Vec::new(),
    };
    let html = report(&folder).html;
    let start = html.find("<svg ").unwrap();
    let end = html.find("</svg>").unwrap();
    insta::assert_snapshot!(&html[start..end], @r##"<svg class="wide" viewBox="0 0 10 5" role="img" aria-label="A &#60;title&#62;"><g><text x="1" opacity="0.5">kept &#38; safe</text></g>"##);
    assert!(!html.contains("boom"), "{html}");
}

/// `run.json` that says `said`.
fn run(said: Value) -> Run {
    Run {
        file: "run.json".into(),
        said,
    }
}

/// Text with characters that mean something in HTML.
fn hostile() -> impl Strategy<Value = String> {
    "[xy<>&\"']{1,8}"
}

/// The same with letters of their own in place of those characters.
fn tame(text: &str) -> String {
    let letter = |c| match c {
        '<' => 'p',
        '>' => 'q',
        '&' => 'r',
        '"' => 's',
        '\'' => 't',
        c => c,
    };
    text.chars().map(letter).collect()
}

/// A folder whose every text is given.
fn folder_of(texts: &[String], text: impl Fn(&str) -> String) -> Folder {
    let at = |i: usize| text(&texts[i % texts.len()]);
    let table = |file: &str, header: Vec<String>, rows: usize| Csv {
        file: file.into(),
        rows: (0..rows)
            .map(|r| (0..header.len()).map(|c| at(3 * r + c)).collect())
            .collect(),
        header,
        total_rows: rows,
    };
    let named = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    let mut sweep = table(
        "sweep.csv",
        named(&[
            "traffic_per_month",
            "policy",
            "plan",
            "cost_usd",
            "hit_ratio",
        ]),
        1,
    );
    for (column, number) in [(0, "1000"), (3, "5"), (4, "0.5")] {
        sweep.rows[0][column] = number.into();
    }
    Folder {
        name: at(0),
        tables: vec![
            sweep,
            table(
                "claims.csv",
                named(&["id", "section", "quote", "verdict", "evidence"]),
                3,
            ),
            table(&at(1), (0..12).map(&at).collect(), 4),
        ],
        figures: vec![of_svg(
            &at(2),
            &format!(
                "<svg viewBox='0 0 1 1'><title>{0}</title><desc>{0}</desc><text fill='({0}'>{0}</text></svg>",
                at(3)
                    .replace('&', "&amp;")
                    .replace('<', "&lt;")
                    .replace('\'', "&apos;")
            ),
        )
        .unwrap()],
        runs: vec![run(json!({
            "kvplan": at(4), "command": at(5), "seed": at(6), "scaling": at(7), "traffic_per_month": [at(8)],
            "scenario": {
                "name": at(9), "title": at(10), "plan": at(11), "replications": at(12), "fleet": {"title": at(13)},
                "latency": {"title": at(14), "read": {"kind": at(15)}}, "arguments": [at(0), at(1)],
                "catalog": {"title": at(16), "checked": at(17), "plan": [{
                    "name": at(11), "title": at(18), "monthly_fee": at(19), "item": [{"meter": at(20), "source": at(21)}]
                }]}
            }
        }))],
        answers: Some(answers_of(at)),
        left_out: Vec::new(),
    }
}

/// Answers whose every text is given.
fn answers_of(at: impl Fn(usize) -> String) -> Answers {
    let worst = At {
        traffic: 1_000,
        value: 0.5,
    };
    Answers {
        plan: at(0),
        policies: vec![at(1), at(2)],
        paired: true,
        levels: vec![Level {
            traffic: 1_000,
            least: vec![at(1)],
            costs: [1, 2].map(|i| cost_of(&at(i))).into(),
        }],
        savings: vec![Saving {
            policy: at(1),
            over: at(2),
            from: 1_000,
            to: 1_000,
            ends: Some([1, 2].map(|i| saved_of(&at(i)))),
        }],
        saved: [1, 2].map(|i| saved_of(&at(i))).into(),
        allowances: vec![Allowance {
            policy: at(1),
            of: at(3),
            used_up: None,
            most: worst,
        }],
        troubles: vec![Trouble {
            policy: at(4),
            measure: at(5),
            worst,
        }],
        loss_unknown: vec![LossUnknown {
            policy: at(6),
            from: 1_000,
        }],
        ends: vec![Ends {
            policy: at(7),
            measure: "hit_ratio".into(),
            first: worst,
            last: worst,
        }],
    }
}

fn saved_of(policy: &str) -> SavedAt {
    SavedAt {
        traffic: 1_000,
        policy: policy.to_owned(),
        over: policy.to_owned(),
        usd: 1.0,
        usd_half_width: None,
        share: Some(0.5),
        share_half_width: None,
    }
}

fn cost_of(policy: &str) -> Cost {
    Cost {
        policy: policy.to_owned(),
        usd: 5.0,
        half_width: Some(1.0),
        excluded: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the input says, the page has the same markup: each special character of the
    /// input is written as a reference.
    #[test]
    fn no_input_becomes_markup(texts in prop::collection::vec(hostile(), 22)) {
        let page = report(&folder_of(&texts, str::to_owned)).html;
        let tame = report(&folder_of(&texts, tame)).html;
        for c in ['<', '>', '"'] {
            prop_assert_eq!(page.matches(c).count(), tame.matches(c).count(), "{}", c);
        }
        let (body, _) = page.split_once("<script>").unwrap();
        let (_, body) = body.split_once("</head>").unwrap();
        for (i, _) in body.match_indices('&') {
            prop_assert!(body[i..].starts_with("&#"), "{}", &body[i..body.len().min(i + 20)]);
        }
    }
}

#[test]
fn two_folders_are_held_against_each_other_as_diff_does() {
    let (old, new) = (sweep_with(&[]), TempDir::new().unwrap());
    kvplan()
        .args(["sweep", "--traffic", "100k,3M", "-n", "3", "--seed", "7"])
        .args([
            "--set",
            "period.requests=\"2k\"",
            "--set",
            "latency=\"constant-10ms\"",
        ])
        .args(["--quiet", "--out"])
        .arg(new.path())
        .assert()
        .success();
    kvplan()
        .args(["report", "--quiet"])
        .args([old.path(), new.path()])
        .assert()
        .success();
    assert!(!old.path().join("report.html").exists());
    let html = fs::read_to_string(new.path().join("report.html")).unwrap();
    let told = kvplan()
        .arg("diff")
        .args([old.path(), new.path()])
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let (_, changes) = html.split_once("id=\"changes-title\">").unwrap();
    let (changes, _) = changes.split_once("</table>").unwrap();
    // Every row that people are shown of a difference is a row here, with the same words.
    let rows: Vec<Vec<&str>> = told
        .lines()
        .filter(|l| l.starts_with("| `"))
        .map(|l| l.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 20, "{told}");
    assert_eq!(changes.matches("<tr><th scope=\"row\"").count(), rows.len());
    for row in rows {
        for words in &row[1..] {
            assert!(
                changes.contains(&format!(">{words}<")),
                "{words}: {changes}"
            );
        }
    }
    for part in [
        "id=\"chart-of-old\"",
        "Paired by replication (3)",
        "href=\"#comparison\"",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!page(new.path()).contains("chart-of-old"));
}
