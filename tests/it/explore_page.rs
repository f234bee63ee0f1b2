//! The page of `kvplan explore` in a browser, used as a reader does: by mouse, by keyboard, on a phone, on paper, in the
//! dark, without scripts, by a link, and as a screen reader is told of it.

use crate::browser::{Browser, DESK, PHONE, Screen, assert_quiet, harness, installed};
use crate::explore::{EXPLORED, GRID, IDLE_AT_3M, explore};
use crate::setup::rows;
use kvplan::models::parse_overrides;
use kvplan::models::quantity::Count;
use kvplan::run::metric::index_of;
use kvplan::run::scenario::Scenario;
use kvplan::study::replicate::Work;
use kvplan::study::sweep::{paired_difference, sweep};
use serde_json::{Value, json};

/// The page on a screen; none without a browser.
fn open(screen: Screen) -> Option<Browser> {
    let mut browser = Browser::start(&installed()?);
    browser.open(&EXPLORED.1.join("explore.html"), screen);
    Some(browser)
}

const SAY: &str = "document.getElementById('say').textContent";
/// Where the sliders stand, as a screen reader is told.
const STOPS: &str = "[...document.querySelectorAll('input[type=range]')].map((s) => s.getAttribute('aria-valuetext'))";
/// The values of the point, as they are shown.
const VALUES: &str = "[...document.querySelectorAll('#figures .value')].map((v) => v.textContent)";
const DIFFERENCES: &str = "[...document.querySelectorAll('#figures .difference')].map((v) => v.hidden ? null : v.textContent)";
/// What stands in the fragment, once it is written.
const FRAGMENT: &str =
    "new Promise((r) => setTimeout(() => r(decodeURIComponent(location.hash)), 400))";

/// What the table has of a point.
fn in_table(browser: &mut Browser, point: usize) -> Value {
    browser.js(&format!(
        "[...document.querySelectorAll('#points tbody tr')[{point}].querySelectorAll('td.n')].map((c) => c.textContent)"
    ))
}

fn go(browser: &mut Browser, fragment: &str) {
    browser.js(&format!(
        "new Promise((r) => {{ addEventListener('hashchange', () => r(0), {{ once: true }}); location.hash = {}; }})",
        json!(fragment)
    ));
}

#[test]
fn it_fits_every_screen_in_light_and_dark() {
    for (screen, width) in [(DESK, 1280), (PHONE, 390)] {
        for is_dark in [false, true] {
            let Some(mut browser) = open(Screen { is_dark, ..screen }) else {
                return;
            };
            // With everything that may be shown: a bill that is not for the whole work, and differences.
            go(&mut browser, "traffic=3M&isolates=2&policy=shared-key");
            browser.click("document.getElementById('pin')");
            go(&mut browser, "traffic=100k");
            let view = harness(&mut browser, "look()");
            assert_eq!(view["width"], json!(width));
            assert_eq!(view["scrollWidth"], json!(width), "{view}");
            assert_eq!(view["dark"], json!(is_dark));
            assert!(view["texts"].as_u64() > Some(80), "{view}");
            for none in ["tablesOutsideBoxes", "headsWithoutScope", "requests"] {
                assert_eq!(view[none], json!(0), "{none}: {view}");
            }
            for none in ["duplicateIds", "brokenLinks", "dim"] {
                assert_eq!(view[none], json!([]), "{none}: {view}");
            }
            assert_eq!(view["outside"], json!(["data:,"]));
            let drawn = "[...document.querySelectorAll('.plot svg')].map((s) => { const r = s.getBoundingClientRect(); return [...s.querySelectorAll('text')].every((t) => { const b = t.getBoundingClientRect(); return b.left >= r.left - 1 && b.right <= r.right + 1; }) && r.width > 250; })";
            assert_eq!(
                browser.js(drawn),
                json!([true, true, true]),
                "a text is cut off"
            );
            assert_quiet(&browser);
        }
    }
}

#[test]
fn the_keyboard_moves_a_slider_and_all_that_is_shown() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let focused = "document.activeElement.id";
    browser.press("Tab");
    assert_eq!(browser.js(focused), json!("setting-0"));
    browser.press("Home");
    assert_eq!(browser.js(STOPS), json!(["100k", "1", "optimised"]));
    let shown = in_table(&mut browser, 0);
    assert_eq!(browser.js(VALUES), shown);
    browser.press("ArrowRight");
    assert_eq!(browser.js(STOPS), json!(["3M", "1", "optimised"]));
    let shown = in_table(&mut browser, 6);
    assert_eq!(browser.js(VALUES), shown);
    let said = browser.js(SAY);
    assert!(
        said.as_str().unwrap().starts_with(
            "traffic 3M, isolates 1, policy optimised: cost a month $5.00 ± 0.00, records lost "
        ),
        "{said}"
    );
    // Beyond the last stop there is nothing.
    browser.press("ArrowRight");
    assert_eq!(browser.js(STOPS), json!(["3M", "1", "optimised"]));
    browser.press("Tab");
    browser.press("Tab");
    assert_eq!(browser.js(focused), json!("setting-2"));
    browser.press("End");
    assert_eq!(browser.js(STOPS), json!(["3M", "1", "shared-key"]));
    assert_eq!(
        browser.js(FRAGMENT),
        json!("#traffic=3M&isolates=1&policy=shared-key")
    );
    assert_quiet(&browser);
}

#[test]
fn the_mouse_moves_a_slider_and_a_mark_of_a_chart_does_too() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    go(&mut browser, "traffic=100k&isolates=1&policy=optimised");
    // The right end of the slider of the policies.
    browser.js("document.getElementById('setting-2').scrollIntoView({ block: 'center' })");
    let end = "({ scrollIntoView() {}, getBoundingClientRect() { const r = document.getElementById('setting-2').getBoundingClientRect(); return { x: r.right - 10, y: r.y, width: 0, height: r.height }; } })";
    browser.click(end);
    assert_eq!(browser.js(STOPS), json!(["100k", "1", "shared-key"]));
    let mark = |chart: usize, stop: usize| {
        format!("document.querySelectorAll('#plot-{chart} .hit')[{stop}]")
    };
    browser.click(&mark(0, 1));
    browser.click(&mark(1, 1));
    assert_eq!(browser.js(STOPS), json!(["3M", "2", "shared-key"]));
    let shown = in_table(&mut browser, 11);
    assert_eq!(browser.js(VALUES), shown);
    // What is lost stands beside the cost.
    let warning = browser.js("document.getElementById('warning').textContent");
    let warning = warning.as_str().unwrap();
    assert!(
        warning.starts_with("The bill is not for the whole work: loses "),
        "{warning}"
    );
    assert_quiet(&browser);
}

#[test]
fn a_chart_has_a_mark_for_each_simulated_point_and_nothing_between() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    go(&mut browser, "traffic=3M&isolates=2&policy=shared-key");
    let marks = "[...document.querySelectorAll('.plot svg')].map((s) => [s.querySelectorAll('.dot').length, s.querySelectorAll('.dot.part').length, s.querySelectorAll('.dot.now').length])";
    // Of the policies one cannot be with two isolates, one looks back longer than is simulated and one loses.
    assert_eq!(browser.js(marks), json!([[2, 1, 1], [2, 1, 1], [2, 2, 1]]));
    let lines = "document.querySelectorAll('.plot path, .plot polyline').length";
    assert_eq!(browser.js(lines), json!(0));
    let legend = "document.getElementById('legend').textContent";
    let said = browser.js(legend);
    for part in ["×: cannot be", "hollow: the bill", "bars: 95%"] {
        assert!(said.as_str().unwrap().contains(part), "{said}");
    }
    // Another measure, which is not known everywhere, by the keyboard.
    browser.js("document.getElementById('show').focus()");
    let choose = "(() => { const s = document.getElementById('show'); s.value = 'query_p95_ms'; s.dispatchEvent(new Event('change')); })()";
    browser.js(choose);
    let told = browser.js("document.querySelector('#plot-0 svg').getAttribute('aria-label')");
    let told = told.as_str().unwrap();
    assert!(
        told.starts_with("query p95 along traffic, with isolates 2, policy shared-key: 100k "),
        "{told}"
    );
    assert!(told.contains("3M too few"), "{told}");
    let fragment = browser.js(FRAGMENT);
    assert!(
        fragment.as_str().unwrap().ends_with("&show=query_p95_ms"),
        "{fragment}"
    );
    assert_quiet(&browser);
}

/// Where a number of requests decides nothing, and `kvplan run` would refuse it, the page's command is without it, as
/// that of the table.
#[test]
fn the_command_is_that_of_the_table_at_every_point() {
    let dir = tempfile::TempDir::new().unwrap();
    let varied = ["--vary", "period.requests=5k,6k"];
    let output = explore(&[&IDLE_AT_3M[..], &varied].concat(), dir.path());
    assert!(output.status.success(), "{output:?}");
    let Some(program) = installed() else {
        return;
    };
    let mut browser = Browser::start(&program);
    browser.open(&dir.path().join("explore.html"), DESK);
    for point in rows(&dir.path().join("explore.csv")) {
        let traffic = match point["traffic_per_month"].as_str() {
            "3000000" => "3M",
            _ => "300M",
        };
        let requests = &point["period.requests"];
        go(
            &mut browser,
            &format!("traffic={traffic}&period.requests={requests}"),
        );
        let shown = browser.js("document.getElementById('command').textContent");
        assert_eq!(shown, json!(point["command"]));
    }
    assert_quiet(&browser);
}

/// The difference on the page is the paired one, as `compare` states it.
#[test]
fn a_pinned_point_is_compared_by_paired_differences() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    go(&mut browser, "traffic=100k&isolates=1&policy=optimised");
    browser.js("document.getElementById('pin').focus()");
    browser.press("Enter");
    assert_eq!(browser.js("document.activeElement.id"), json!("unpin"));
    assert_eq!(browser.js(DIFFERENCES), json!(vec![Value::Null; 13]));
    go(&mut browser, "policy=shared-key");
    let set = [
        "period.requests=500".to_owned(),
        "fleet.isolates=1".to_owned(),
    ];
    let policies = ["optimised", "shared-key"].map(str::to_owned);
    let set = parse_overrides(&set).unwrap();
    let mut scenario = Scenario::load("default", &policies, None, &set).unwrap();
    let seed = GRID.last().unwrap().parse().unwrap();
    (scenario.replications, scenario.seed) = (3, seed);
    let cells = sweep(&scenario, &[Count(100_000)], &Work::unwatched()).unwrap();
    let told = browser.js(DIFFERENCES);
    for (k, name, scale) in [(5, "hit_ratio", 100.0), (6, "operations_per_request", 1.0)] {
        let expected = paired_difference(&cells[0], &cells[1], index_of(name).unwrap());
        let told = told[k].as_str().unwrap();
        if told == "the same" {
            assert!(
                expected.mean.abs() < 1e-6 && expected.half_width < 1e-6,
                "{expected:?}"
            );
            continue;
        }
        let word = |i: usize| -> f64 {
            let words: Vec<&str> = told.split_whitespace().filter(|w| *w != "points").collect();
            words[i].trim_end_matches(':').parse().unwrap()
        };
        let near =
            |found: f64, expected: f64| (found - expected).abs() <= 0.01 * expected.abs() + 1e-3;
        assert!(
            near(word(0), scale * expected.mean),
            "{name}: {told}, {expected:?}"
        );
        assert!(
            near(word(2), scale * expected.half_width),
            "{name}: {told}, {expected:?}"
        );
        // Of no difference nobody says that it may be chance.
        let is_chance = expected.mean != 0.0 && expected.low() <= 0.0 && expected.high() >= 0.0;
        assert_eq!(
            told.contains("may be chance"),
            is_chance,
            "{name}: {told}, {expected:?}"
        );
    }
    // Operations a request of two levels of traffic: no doubt about that.
    go(&mut browser, "traffic=3M&policy=optimised");
    let apart = browser.js("document.querySelectorAll('#figures .difference')[6].className");
    assert_eq!(apart, json!("difference told"));
    let told = browser.js(DIFFERENCES);
    assert!(told[6].as_str().unwrap().starts_with('-'), "{told}");
    assert_eq!(told[8], json!("not known at both"));
    browser.click("document.getElementById('back')");
    assert_eq!(browser.js(STOPS), json!(["100k", "1", "optimised"]));
    browser.click("document.getElementById('unpin')");
    assert_eq!(
        browser.js("document.querySelectorAll('.ring').length"),
        json!(0)
    );
    assert_quiet(&browser);
}

#[test]
fn the_command_and_the_link_are_copied_and_are_those_of_the_point() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let points = rows(&EXPLORED.1.join("explore.csv"));
    go(&mut browser, "traffic=3M&isolates=2&policy=shared-key");
    let command = browser.js("document.getElementById('command').textContent");
    assert_eq!(command, json!(points[11]["command"]));
    browser.call(
        "Browser.grantPermissions",
        json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] }),
    );
    browser.click("document.getElementById('copy')");
    let said =
        "new Promise((r) => setTimeout(() => r(document.getElementById('said').textContent), 300))";
    assert_eq!(browser.js(said), json!("The command is copied."));
    assert_eq!(browser.js("navigator.clipboard.readText()"), command);
    browser.click("document.getElementById('share')");
    assert_eq!(browser.js(said), json!("The link is copied."));
    let link = browser.js("navigator.clipboard.readText()");
    let link = link.as_str().unwrap();
    assert!(
        link.starts_with("file:///") && link.ends_with("#traffic=3M&isolates=2&policy=shared-key"),
        "{link}"
    );
    // Of a point that cannot be there is no command.
    go(&mut browser, "policy=optimised");
    assert_eq!(
        browser.js("document.getElementById('copy').disabled"),
        json!(true)
    );
    let told = browser.js(SAY);
    assert!(
        told.as_str()
            .unwrap()
            .contains("policy optimised: cannot be: "),
        "{told}"
    );
    assert_quiet(&browser);
}

#[test]
fn a_fragment_is_followed_and_a_bad_one_changes_nothing() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    go(
        &mut browser,
        "policy=shared-key&traffic=3M&isolates=2&show=hit_ratio&pin=traffic%3D100k%26isolates%3D1%26policy%3Doptimised",
    );
    let good = browser.js(STOPS);
    assert_eq!(good, json!(["3M", "2", "shared-key"]));
    let pinned = "document.getElementById('pinned').textContent";
    let told = browser.js(pinned);
    assert!(
        told.as_str()
            .unwrap()
            .contains("traffic 100k, isolates 1, policy optimised"),
        "{told}"
    );
    assert_eq!(
        browser.js("document.getElementById('show').value"),
        json!("hit_ratio")
    );
    for bad in [
        "traffic=2M",
        "main",
        "%E0%A4%A",
        "policy=<img src=x onerror=alert(1)>&traffic=__proto__",
        "show=constructor&pin=traffic%3D3M",
        "traffic=1&traffic=3M",
    ] {
        go(&mut browser, bad);
        assert_eq!(browser.js(STOPS), good, "{bad}");
        assert_eq!(
            browser.js("document.querySelectorAll('img').length"),
            json!(0)
        );
    }
    assert_eq!(
        browser.js("document.getElementById('show').value"),
        json!("hit_ratio")
    );
    assert_quiet(&browser);
}

#[test]
fn paper_has_the_point_its_charts_and_the_table() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    go(&mut browser, "traffic=3M&isolates=1&policy=shared-key");
    browser.media("print", "light");
    browser.js("dispatchEvent(new Event('beforeprint'))");
    let seen = |selector: &str| {
        format!(
            "[...document.querySelectorAll('{selector}')].filter((e) => e.getBoundingClientRect().height > 0).length"
        )
    };
    for none in [".controls", "button", "select", "#link"] {
        assert_eq!(browser.js(&seen(none)), json!(0), "{none}");
    }
    for (some, n) in [
        ("#say", 1),
        (".plot svg", 3),
        ("#figures .value", 13),
        ("#points tbody tr", 12),
        ("#command", 1),
    ] {
        assert_eq!(browser.js(&seen(some)), json!(n), "{some}");
    }
    let pdf = browser.call("Page.printToPDF", json!({}));
    assert!(pdf["data"].as_str().unwrap().starts_with("JVBERi0"));
    browser.js("dispatchEvent(new Event('afterprint'))");
    assert_eq!(
        browser.js("document.getElementById('all').open"),
        json!(false)
    );
    assert_quiet(&browser);
}

#[test]
fn without_scripts_all_points_stand_in_the_table() {
    let Some(mut browser) = open(PHONE) else {
        return;
    };
    browser.reload_without_scripts();
    let seen = |selector: &str| {
        format!(
            "[...document.querySelectorAll('{selector}')].filter((e) => e.getBoundingClientRect().height > 0).length"
        )
    };
    assert_eq!(browser.js(&seen("#points tbody tr")), json!(12));
    assert_eq!(browser.js(&seen("noscript p")), json!(1));
    for none in ["input", "button", ".plot"] {
        assert_eq!(browser.js(&seen(none)), json!(0), "{none}");
    }
    assert_eq!(
        browser.js("document.documentElement.scrollWidth <= innerWidth"),
        json!(true)
    );
}

#[test]
fn a_screen_reader_is_told_roles_and_names() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let tree = browser.tree();
    let has = |role: &str, name: &str| tree.iter().any(|(r, n)| r == role && n.starts_with(name));
    for (role, name) in [
        ("heading", "LLM gateway, Poisson arrivals"),
        ("region", "The point"),
        ("group", "Settings"),
        ("slider", "traffic"),
        ("slider", "isolates"),
        ("slider", "policy"),
        ("button", "Pin this point"),
        ("combobox", "Measure"),
        ("image", "cost a month along traffic, with isolates "),
        ("button", "Copy as command"),
        ("button", "Copy link"),
        ("textbox", "Link to this point"),
        ("region", "All points"),
    ] {
        assert!(has(role, name), "{role} {name}: {tree:#?}");
    }
    assert!(tree.iter().any(|(role, _)| role == "status"), "{tree:#?}");
    let unnamed = |(role, name): &&(String, String)| {
        [
            "button", "image", "table", "region", "slider", "textbox", "combobox",
        ]
        .contains(&role.as_str())
            && name.is_empty()
    };
    assert_eq!(tree.iter().find(unnamed), None);
    assert_quiet(&browser);
}
