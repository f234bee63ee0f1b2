//! The page of `kvplan report` in a browser, used as a reader does: by mouse, by keyboard, on a phone, on paper, in the
//! dark, and as a screen reader is told of it.

use crate::browser::{Browser, DESK, PHONE, Screen, assert_quiet, harness, installed};
use crate::report::{CLAIMS, page, sweep_with};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::LazyLock;
use tempfile::TempDir;

/// A page of a sweep with claims.
static PAGE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = sweep_with(&[("claims.csv", CLAIMS)]);
    page(dir.path());
    let file = dir.path().join("report.html");
    (dir, file)
});

/// The page on a screen; none without a browser.
fn open(screen: Screen) -> Option<Browser> {
    let mut browser = Browser::start(&installed()?);
    browser.open(&PAGE.1, screen);
    Some(browser)
}

#[test]
fn it_fits_every_screen_in_light_and_dark() {
    for (screen, width) in [(DESK, 1280), (PHONE, 390)] {
        for is_dark in [false, true] {
            let Some(mut browser) = open(Screen { is_dark, ..screen }) else {
                return;
            };
            let view = harness(&mut browser, "look()");
            assert_eq!(view["width"], json!(width));
            assert_eq!(view["dark"], json!(is_dark));
            check_view(&view);
            assert_eq!(
                browser.js("document.documentElement.scrollWidth <= innerWidth"),
                json!(true)
            );
            assert_quiet(&browser);
        }
    }
}

/// All that must hold at any width.
fn check_view(view: &Value) {
    assert_eq!(
        view["scrollWidth"], view["width"],
        "the page is wider than the screen: {view}"
    );
    let charts = view["charts"].as_array().unwrap();
    assert_eq!(charts.len(), 9);
    for size in charts {
        assert!(
            size[0].as_f64() > Some(300.0) && size[1].as_f64() > Some(180.0),
            "{view}"
        );
    }
    assert_eq!(view["cropped"], json!(0), "{view}");
    assert!(view["smallestText"].as_f64() > Some(8.5), "{view}");
    assert!(view["values"].as_u64() > Some(20), "{view}");
    assert!(view["tables"].as_u64() >= Some(7), "{view}");
    assert!(view["texts"].as_u64() > Some(200), "{view}");
    for none in [
        "unnamedCharts",
        "tablesOutsideBoxes",
        "headsWithoutScope",
        "requests",
    ] {
        assert_eq!(view[none], json!(0), "{none}: {view}");
    }
    for none in ["duplicateIds", "brokenLinks", "dim"] {
        assert_eq!(view[none], json!([]), "{none}: {view}");
    }
    assert_eq!(view["outside"], json!(["data:,"]));
}

fn check_sorting(sorting: &Value) {
    let numbers = |of: &str| -> Vec<f64> {
        let cells = sorting[of]["cells"].as_array().unwrap();
        let number = |t: &str| {
            t.trim_start_matches('$')
                .split([' ', '%'])
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        cells
            .iter()
            .map(|c| c.as_str().unwrap())
            .filter(|t| !t.is_empty())
            .map(number)
            .collect()
    };
    assert!(numbers("costUp").is_sorted(), "{sorting}");
    assert!(numbers("costDown").iter().rev().is_sorted(), "{sorting}");
    assert_ne!(numbers("costUp"), numbers("costDown"));
    assert_eq!(sorting["costUp"]["states"], json!(["ascending"]));
    assert_eq!(sorting["costDown"]["states"], json!(["descending"]));
    // The naive policy has no cache: its cells are empty, and last both ways.
    assert!(
        numbers("hitRatioUp").is_sorted() && numbers("hitRatioUp").len() == 2,
        "{sorting}"
    );
    for of in ["hitRatioUp", "hitRatioDown"] {
        let cells = sorting[of]["cells"].as_array().unwrap();
        assert_eq!(cells[2..], [json!(""), json!("")], "{sorting}");
    }
    assert_eq!(
        sorting["policyUp"]["cells"],
        json!(["naive", "naive", "optimised", "optimised"])
    );
    assert_eq!(sorting["focusable"], json!(true));
    assert_eq!(sorting["shift"], json!([0, 0, 0]), "sorting moves things");
}

#[test]
fn a_click_on_a_head_sorts_the_table() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    check_sorting(&harness(&mut browser, "sorting()"));
    assert_quiet(&browser);
}

/// A shape of the first chart over a value.
const VALUE: &str = "document.querySelector('#chart-1 svg.wide .hover circle')";
const TIP: &str =
    "document.getElementById('tip').hidden ? null : document.getElementById('tip').textContent";
const SAID: &str = "document.getElementById('said').textContent";

#[test]
fn the_crosshair_is_in_all_charts_of_an_axis_by_mouse_and_by_keys() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let (x, y) = browser.middle(VALUE);
    browser.point((x + 3.0, y));
    let tip = browser.js(TIP);
    assert!(
        tip.as_str().unwrap().starts_with("naive: 100k, $5.00 ± "),
        "{tip}"
    );
    let crossed =
        "[...document.querySelectorAll('.chart')].filter((c) => c.querySelector('.cross')).length";
    assert_eq!(browser.js(crossed), json!(9));
    let readout = |n: usize| format!("document.querySelectorAll('.readout')[{n}].textContent");
    let other = browser.js(&readout(1));
    // What is saved has no line of the first policy.
    assert!(
        other.as_str().unwrap().contains("optimised: 100k, "),
        "{other}"
    );
    browser.point((2.0, 2.0));
    assert_eq!(browser.js(TIP), Value::Null);
    assert_eq!(browser.js(crossed), json!(0));

    browser.js("document.querySelector('#chart-1 .chart').focus()");
    browser.press("ArrowRight");
    let first = browser.js(SAID);
    browser.press("ArrowRight");
    let second = browser.js(SAID);
    let of = |said: &Value, level: &str| {
        let said = said.as_str().unwrap();
        ["naive", "optimised"]
            .iter()
            .all(|p| said.contains(&format!("{p}: {level}, $")))
    };
    assert!(of(&first, "100k") && of(&second, "3M"), "{first} {second}");
    assert_eq!(browser.js(crossed), json!(9));
    let edges = browser.js("(() => { const r = document.getElementById('tip').getBoundingClientRect(); return r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight; })()");
    assert_eq!(edges, json!(true));
    browser.press("Escape");
    assert_eq!(browser.js(crossed), json!(0));
    assert_quiet(&browser);
}

#[test]
fn a_policy_is_hidden_in_all_charts_by_the_keyboard_alone() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let focused = "document.activeElement.textContent + '|' + document.activeElement.ariaPressed";
    for _ in 0..20 {
        browser.press("Tab");
        if browser.js(focused) == json!("naive|true") {
            break;
        }
    }
    assert_eq!(browser.js(focused), json!("naive|true"));
    let seen = "[...document.querySelectorAll('.line[data-name^=naive]')].filter((g) => g.getBoundingClientRect().width > 0).length";
    assert!(browser.js(seen).as_u64() > Some(7));
    browser.press(" ");
    assert_eq!(browser.js(focused), json!("naive|false"));
    assert_eq!(browser.js(seen), json!(0));
    browser.js("document.querySelector('#chart-1 .chart').focus()");
    browser.press("ArrowLeft");
    let said = browser.js(SAID);
    let said = said.as_str().unwrap();
    assert!(
        said.starts_with("optimised: 3M") && !said.contains("naive"),
        "{said}"
    );
    browser.click("document.querySelector('#policies button')");
    assert!(browser.js(seen).as_u64() > Some(7));
    assert_quiet(&browser);
}

#[test]
fn a_chart_has_two_scales_and_lines_that_can_be_left_out() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let button = |chart: &str, text: &str| {
        format!(
            "[...document.querySelectorAll('{chart} .tools button')].find((b) => b.textContent === '{text}')"
        )
    };
    let shown = "[...document.querySelectorAll('#chart-1 svg')].filter((s) => s.getBoundingClientRect().width > 0).map((s) => s.dataset.scale + ' ' + s.getAttribute('class'))";
    assert_eq!(browser.js(shown), json!(["log wide"]));
    browser.click(&button("#chart-1", "linear"));
    assert_eq!(browser.js(shown), json!(["linear wide"]));
    let pressed = format!("{}.ariaPressed", button("#chart-1", "log"));
    assert_eq!(browser.js(&pressed), json!("false"));
    browser.click(&button("#chart-1", "log"));
    assert_eq!(browser.js(shown), json!(["log wide"]));
    // Latencies have percentiles, which are toggled in their own chart.
    let chart = browser.js("[...document.querySelectorAll('figure')].find((f) => f.textContent.includes('latency_record.svg')).id");
    let chart = format!("#{}", chart.as_str().unwrap());
    let lines = format!(
        "[...document.querySelectorAll('{chart} svg.wide:not([data-off]) .line')].filter((g) => g.dataset.part === 'p99' && g.getBoundingClientRect().width > 0).length"
    );
    assert!(browser.js(&lines).as_u64() > Some(0));
    browser.click(&button(&chart, "p99"));
    assert_eq!(browser.js(&lines), json!(0));
    assert_quiet(&browser);
}

#[test]
fn claims_are_left_out_by_their_verdict() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    let seen = "[...document.querySelectorAll('.claim')].filter((c) => c.getBoundingClientRect().height > 0).map((c) => c.dataset.verdict)";
    assert_eq!(
        browser.js(seen),
        json!(["refuted", "not testable", "confirmed"])
    );
    let button = |verdict: &str| {
        format!(
            "[...document.querySelectorAll('#verdicts button')].find((b) => b.textContent.startsWith('{verdict}'))"
        )
    };
    browser.click(&button("confirmed"));
    browser.click(&button("not testable"));
    assert_eq!(browser.js(seen), json!(["refuted"]));
    assert_eq!(browser.js(SAID), json!("1 claims are shown"));
    let headings = "[...document.querySelectorAll('.claims h3')].filter((h) => h.getBoundingClientRect().height > 0).map((h) => h.textContent)";
    assert_eq!(browser.js(headings), json!(["Costs"]));
    assert_quiet(&browser);
}

#[test]
fn charts_and_tables_are_downloaded() {
    let Some(mut browser) = open(PHONE) else {
        return;
    };
    browser.click("[...document.querySelectorAll('#chart-1 .tools button')].find((b) => b.textContent === 'PNG')");
    let png = browser.downloaded("cost.png");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (2400, 1440));
    browser.click("document.querySelector('#costs button.get')");
    let csv = String::from_utf8(browser.downloaded("costs.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "requests a month,naive,naive_ci95,optimised,optimised_ci95,costs least"
    );
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[2].starts_with("3000000,"), "{csv}");
    assert_quiet(&browser);
}

#[test]
fn paper_has_what_is_to_be_read_and_nothing_to_press() {
    let Some(mut browser) = open(DESK) else {
        return;
    };
    browser.media("print", "light");
    let seen = |selector: &str| {
        format!(
            "[...document.querySelectorAll('{selector}')].filter((e) => e.getBoundingClientRect().height > 0).length"
        )
    };
    for none in [".tools", "button.get", "nav", ".readout", "svg.narrow"] {
        assert_eq!(browser.js(&seen(none)), json!(0), "{none}");
    }
    assert_eq!(browser.js(&seen("svg.wide")), json!(9));
    browser.js("dispatchEvent(new Event('beforeprint'))");
    assert_eq!(browser.js(&seen(".claim[open]")), json!(3));
    browser.js("dispatchEvent(new Event('afterprint'))");
    assert_eq!(browser.js(&seen(".claim[open]")), json!(0));
    let pdf = browser.call("Page.printToPDF", json!({}));
    assert!(pdf["data"].as_str().unwrap().starts_with("JVBERi0"));
    assert_quiet(&browser);
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
        ("region", "The answer"),
        ("group", "Policies shown in all charts"),
        ("button", "naive"),
        ("group", "Monthly cost against traffic: "),
        ("image", "Monthly cost against traffic"),
        ("button", "linear scale"),
        ("button", "Download as PNG: Monthly cost against traffic"),
        ("group", "Verdicts shown"),
        ("button", "refuted (1)"),
        ("table", "Key figures"),
        ("columnheader", "hit ratio"),
        ("rowheader", "100k"),
        ("button", "Download as CSV: Key figures"),
    ] {
        assert!(has(role, name), "{role} {name}: {tree:#?}");
    }
    let unnamed = |(role, name): &&(String, String)| {
        ["button", "image", "table", "region", "link"].contains(&role.as_str()) && name.is_empty()
    };
    assert_eq!(tree.iter().find(unnamed), None);
    assert_quiet(&browser);
}
