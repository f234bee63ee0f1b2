//! Schemas of model files, shell completions and manual pages, as a user gets them.

use assert_cmd::Command;
use jsonschema::Validator;
use kvplan::models::quantity::{self, Bytes, Count, Probability, Rate, parse_duration};
use kvplan::models::{embedded_names, source_text};
use kvplan::pricing::Money;
use kvplan::study::schema::KINDS;
use proptest::prelude::*;
use schemars::JsonSchema;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

fn kvplan(args: &[&str]) -> String {
    let output = Command::cargo_bin("kvplan")
        .unwrap()
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn validator(kind: &str) -> Validator {
    let schema: Value = serde_json::from_str(&kvplan(&["schema", kind])).unwrap();
    assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::validator_for(&schema).unwrap()
}

/// The file of a model that comes along, as an editor sees it.
fn model(folder: &str, name: &str) -> Value {
    let (_, text, _) = source_text(folder, name, None).unwrap();
    toml::from_str(&text).unwrap()
}

fn errors(schema: &Validator, file: &Value) -> Vec<String> {
    schema
        .iter_errors(file)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect()
}

#[test]
fn every_model_file_that_comes_along_fits_its_schema() {
    for kind in KINDS {
        let schema = validator(kind.name);
        let names = embedded_names(kind.folder);
        assert!(!names.is_empty(), "{}", kind.name);
        for name in names {
            let found = errors(&schema, &model(kind.folder, &name));
            assert!(found.is_empty(), "{}/{name}: {found:?}", kind.folder);
        }
    }
}

/// Nobody has to write a model file without help.
#[test]
fn every_folder_of_models_has_a_schema() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let entries = fs::read_dir(models).unwrap().map(|e| e.unwrap());
    let names = entries.map(|e| e.file_name().into_string().unwrap());
    let mut folders: Vec<String> = names.collect();
    folders.sort();
    let mut known: Vec<&str> = KINDS.iter().map(|k| k.folder).collect();
    known.sort_unstable();
    assert_eq!(folders, known);
}

/// What an option of a search may set are the paths of a policy, those of optional tables among them.
#[test]
fn the_schema_of_a_search_names_the_fields_of_a_policy() {
    let search = validator("search");
    let mut file = model("searches", "default");
    for (field, value, fits) in [
        ("tiers.shared_ttl", json!("30 s"), true),
        ("cache.prewarm.lead", json!("1 s"), true),
        ("breaker.failure_threshold", json!(3), true),
        ("tiers.shared_tll", json!("30 s"), false),
        ("cache", json!("30 s"), false),
        ("ttl", json!("30 s"), false),
    ] {
        file["dimension"][0]["option"][0]["set"] = json!({ field: value });
        assert_eq!(search.is_valid(&file), fits, "{field}");
    }
}

/// Pointers to all tables of a file.
fn tables(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(at.to_owned());
            for (name, v) in fields {
                tables(v, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (i, v) in items.iter().enumerate() {
                tables(v, &format!("{at}/{i}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn a_field_that_nobody_knows_is_wrong_in_every_table_of_every_model_file() {
    for kind in KINDS {
        let schema = validator(kind.name);
        for name in embedded_names(kind.folder) {
            let file = model(kind.folder, &name);
            let mut found = Vec::new();
            tables(&file, "", &mut found);
            for at in found {
                let mut wrong = file.clone();
                // In tables of named figures the name is free, and the value no figure.
                wrong.pointer_mut(&at).unwrap()["nonsense"] = json!(true);
                assert!(
                    !schema.is_valid(&wrong),
                    "{}/{name}: an unknown field at \"{at}\" is taken",
                    kind.folder
                );
            }
        }
    }
}

#[test]
fn wrong_values_do_not_fit() {
    for (kind, name, at, wrong) in [
        ("scenario", "default", "/traffic_per_month", json!("lots")),
        ("scenario", "default", "/billing", json!("paid")),
        ("policy", "optimised", "/cache/ttl", json!("5 parsecs")),
        ("policy", "optimised", "/cache/ttl", json!(5)),
        ("policy", "optimised", "/batch/max_records", json!(-1)),
        ("policy", "optimised", "/layout/keys", json!("heap")),
        ("workload", "gateway", "/providers/0/share", json!(1.5)),
        (
            "workload",
            "gateway",
            "/analytics_queries/rate",
            json!("-40/h"),
        ),
        (
            "latency",
            "kv-2025",
            "/read/parts/0/dist/kind",
            json!("normal"),
        ),
        (
            "catalog",
            "cloudflare",
            "/plan/1/monthly_fee",
            json!("5.00"),
        ),
        (
            "catalog",
            "cloudflare",
            "/plan/1/item/0/meter",
            json!("kv.peeks"),
        ),
        ("search", "default", "/plans", json!("free")),
        (
            "search",
            "default",
            "/dimension/0/option/1/set/cache.ttl",
            json!("5 parsecs"),
        ),
        (
            "search",
            "default",
            "/dimension/5/option/1/set/retry.backoff",
            json!("patience"),
        ),
        ("sensitivity", "default", "/input/0/low", json!("10M")),
        ("sensitivity", "default", "/input/0/scale", json!("cubic")),
        ("store", "r2", "/service/kind", json!("floppy")),
    ] {
        let folder = KINDS.iter().find(|k| k.name == kind).unwrap().folder;
        let mut file = model(folder, name);
        *file.pointer_mut(at).unwrap() = wrong.clone();
        let found = errors(&validator(kind), &file);
        assert!(!found.is_empty(), "{kind} {at} = {wrong}");
        // The error stands at the field, or at the choice (of distributions) that holds it.
        let path = found[0].split(": ").next().unwrap();
        assert!(!path.is_empty() && at.starts_with(path), "{found:?}");
    }
    let mut incomplete = model("scenarios", "default");
    incomplete.as_object_mut().unwrap().remove("workload");
    assert!(errors(&validator("scenario"), &incomplete)[0].contains("\"workload\" is a required"));
}

/// A distribution with values of its own is a table within a table of the tag.
#[test]
fn an_empirical_distribution_fits() {
    let mut file = model("latency", "constant-10ms");
    file["read"] = json!({ "kind": "empirical", "values_ms": [1, 2.5] });
    file["write"] = json!({ "kind": "empirical", "csv": "x.csv" });
    assert_eq!(errors(&validator("latency"), &file), [""; 0]);
}

#[test]
fn a_schema_explains_the_fields() {
    let schema: Value = serde_json::from_str(&kvplan(&["schema", "policy"])).unwrap();
    let ttl = &schema["definitions"]["CachePolicy"]["properties"]["ttl"];
    assert_eq!(
        ttl["description"],
        "Life of an entry from the time it was filled; a hit does not renew it."
    );
    assert_eq!(ttl["default"], "5 s");
    assert!(!schema.to_string().contains("null"));
}

fn of_type<T: JsonSchema>() -> Validator {
    jsonschema::validator_for(&schemars::schema_for!(T).into()).unwrap()
}

/// Texts near what people write as quantities, none too large for its type: that no pattern can tell.
fn quantity_text() -> impl Strategy<Value = String> {
    "\\$? ?[-+]?[0-9_.]{0,4}(,[0-9]{2,3})?(\\.[05]|) ?([eE][-+]?[0-2]|) ?(ns|us|ms|s|min|h|d|day|month|B|KB|GB|KiB|MiB|k|K|M|G|%|e3|x|)(/ ?(s|h|month|y)|)"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What a schema takes, the program takes, and the other way round where no sign or underscore
    /// stands in a strange place; what the program writes fits the schema.
    #[test]
    fn schemas_and_program_agree_on_quantities(text in quantity_text(), n in 0_u64..10_u64.pow(15)) {
        let plain = !text.contains(['_', '-', '+']);
        let agree = |schema: Validator, taken: bool| {
            let fits = schema.is_valid(&json!(text));
            if plain { fits == taken } else { taken || !fits }
        };
        prop_assert!(agree(of_type::<quantity::duration>(), parse_duration(&text).is_ok()), "duration {}", text);
        prop_assert!(agree(of_type::<Rate>(), text.parse::<Rate>().is_ok()), "rate {}", text);
        prop_assert!(agree(of_type::<Bytes>(), text.parse::<Bytes>().is_ok()), "bytes {}", text);
        prop_assert!(agree(of_type::<Money>(), text.parse::<Money>().is_ok()), "money {}", text);
        // Whether a number with a unit is whole, or at most 100%, no pattern can tell.
        if plain && text.parse::<Count>().is_ok() {
            prop_assert!(of_type::<Count>().is_valid(&json!(text)), "count {}", text);
        }
        if plain && text.parse::<Probability>().is_ok() {
            prop_assert!(of_type::<Probability>().is_valid(&json!(text)), "probability {}", text);
        }
        prop_assert!(of_type::<Count>().is_valid(&json!(Count(n).to_string())));
        prop_assert!(of_type::<Bytes>().is_valid(&json!(Bytes(n).to_string())));
        prop_assert!(of_type::<Rate>().is_valid(&json!(Rate::per_second(n as f64).to_string())));
    }
}

#[test]
fn schemas_can_be_listed_and_written() {
    let list = kvplan(&["schema"]);
    let dir = TempDir::new().unwrap();
    kvplan(&["schema", "--out", dir.path().to_str().unwrap()]);
    for kind in KINDS {
        assert!(list.contains(kind.name));
        let file = dir.path().join(format!("{}.schema.json", kind.name));
        assert_eq!(
            fs::read_to_string(file).unwrap(),
            kvplan(&["schema", kind.name])
        );
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KINDS.len());
    let wrong = Command::cargo_bin("kvplan")
        .unwrap()
        .args(["schema", "car"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        String::from_utf8(wrong.stderr)
            .unwrap()
            .contains("workload")
    );
}

#[test]
fn completion_scripts_know_the_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = kvplan(&["completions", shell]);
        for word in ["sweep", "compare", "replications", "schema"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let wrong = Command::cargo_bin("kvplan")
        .unwrap()
        .args(["completions", "cmd"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

/// Bash reads the script, and completes with it.
#[cfg(unix)]
#[test]
fn bash_completes_with_its_script() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("kvplan.bash");
    fs::write(&file, kvplan(&["completions", "bash"])).unwrap();
    let bash = |args: &[&str]| {
        let run = std::process::Command::new("bash").args(args).output();
        run.expect("bash is there")
    };
    let path = file.to_str().unwrap();
    let checked = bash(&["-n", path]);
    assert!(checked.status.success(), "{checked:?}");
    let script = format!(
        "source {path}; COMP_WORDS=(kvplan sweep --rep); COMP_CWORD=2; _kvplan kvplan --rep sweep; echo \"${{COMPREPLY[@]}}\""
    );
    let completed = bash(&["-c", &script]);
    assert_eq!(
        String::from_utf8(completed.stdout).unwrap().trim(),
        "--replications"
    );
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = TempDir::new().unwrap();
    kvplan(&["man", "--out", dir.path().to_str().unwrap()]);
    let root = kvplan(&["man"]);
    assert!(root.contains(".TH kvplan 1"), "{root}");
    let mut names: Vec<String> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for wanted in ["kvplan.1", "kvplan-sweep.1", "kvplan-scenario-show.1"] {
        assert!(names.iter().any(|n| n == wanted), "{wanted} in {names:?}");
    }
    for name in &names {
        let page = fs::read_to_string(dir.path().join(name)).unwrap();
        let stem = name.trim_end_matches(".1");
        assert!(page.contains(&format!(".TH {stem} 1")), "{name}: {page}");
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH DESCRIPTION"));
        let words: Vec<&str> = stem.split('-').skip(1).collect();
        if words.len() < 2 {
            let printed = kvplan(&[&["man"], words.as_slice()].concat());
            assert_eq!(printed, page, "{name}");
        }
    }
    let sweep = kvplan(&["man", "sweep"]);
    assert!(sweep.contains("replications") && sweep.contains("Examples:"));
    let wrong = Command::cargo_bin("kvplan")
        .unwrap()
        .args(["man", "fly"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let message = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        message.starts_with("error: found \"fly\", expected one of: "),
        "{message}"
    );
}

/// One command puts pages and completions where man and the shells look, and nothing else anywhere; again, it replaces them.
#[cfg(unix)]
#[test]
fn pages_and_completions_are_installed_for_the_user() {
    let home = TempDir::new().unwrap();
    let data = home.path().join(".local/share");
    fs::create_dir_all(data.join("man/man1")).unwrap();
    let others = data.join("man/man1/other.1");
    fs::write(&others, "not ours").unwrap();
    let install = || {
        Command::cargo_bin("kvplan")
            .unwrap()
            .args(["man", "--install"])
            .env("HOME", home.path())
            .env_remove("XDG_DATA_HOME")
            .output()
            .unwrap()
    };
    for _ in 0..2 {
        let said = install();
        assert!(said.status.success(), "{said:?}");
        let said = String::from_utf8(said.stdout).unwrap();
        let end = format!("written to {}\n", data.display());
        assert!(said.ends_with(&end), "{said}");
        let script = |path: &str| fs::read_to_string(data.join(path)).unwrap();
        let bash = script("bash-completion/completions/kvplan");
        assert_eq!(bash, kvplan(&["completions", "bash"]));
        let fish = script("fish/vendor_completions.d/kvplan.fish");
        assert_eq!(fish, kvplan(&["completions", "fish"]));
        assert_eq!(
            script("zsh/site-functions/_kvplan"),
            kvplan(&["completions", "zsh"])
        );
        assert_eq!(script("man/man1/kvplan-sweep.1"), kvplan(&["man", "sweep"]));
        assert_eq!(fs::read_to_string(&others).unwrap(), "not ours");
    }
    let names = |dir: &std::path::Path| -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap()).collect()
    };
    assert_eq!(names(home.path()), [".local"]);
    let mut found = names(&data);
    found.sort();
    assert_eq!(found, ["bash-completion", "fish", "man", "zsh"]);
    // Nothing hidden is left behind.
    assert_eq!(names(&data.join("zsh/site-functions")), ["_kvplan"]);
}
