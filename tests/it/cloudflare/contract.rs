//! The promises of the port `Kv`, held against every form of it: the virtual KV, Cloudflare's own runtime
//! behind the bridge, and the REST form. Where a form is known to keep a promise not, a table says so
//! with the reason (`tests/data/contract_differences.toml`); a difference that is not in it fails,
//! and so does one that is there no more.

use super::workerd::{Workerd, in_real_time};
use kvplan::cloud::kv::KvStore;
use kvplan::models::load;
use kvplan::sim::executor::Executor;
use kvplan::telemetry::ports::{
    Clock, Kv, KvError, ListPage, ListedKey, PutOptions, ReadOptions, Value,
};
use kvplan::units::Timestamp;
use kvplan_remote::Values;
use kvplan_remote::clock::SystemClock;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// What the port promises.
const PROMISES: [&str; 24] = [
    "an absent key is none",
    "what is put is got",
    "an empty value is a value",
    "text with a byte order mark stays whole",
    "a later value takes the place of an earlier",
    "a second write within a second is refused",
    "a deleted key is none",
    "an absent key can be deleted",
    "a bulk read is in the order of its keys",
    "a bulk read of none or 101 keys is refused",
    "a list is in the order of bytes",
    "a list has the prefix's keys only",
    "a list goes on at its cursor",
    "a page may be as short as one key",
    "a page of none or 1,001 keys is refused",
    "a key of 512 bytes is taken, a longer one refused",
    "an empty key is refused",
    "a key of one or two dots is refused",
    "a value over 25 MiB is refused",
    "an expirationTtl below 60 s is refused",
    "metadata is listed as it was put",
    "metadata over 1,024 bytes is refused",
    "a cacheTtl below 30 s is refused",
    "any character may stand in a key",
];

/// Longer than the pace at which one key may be written.
const PACE: Duration = Duration::from_millis(1_100);

type Seen = Result<(), String>;

/// An error that tells what was seen, unless it is so.
fn ensure(is_so: bool, seen: impl FnOnce() -> String) -> Seen {
    if is_so { Ok(()) } else { Err(seen()) }
}

fn equal<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Seen {
    let same = found == expected;
    ensure(same, || {
        format!("{found:.300?} instead of {expected:.300?}")
    })
}

/// Refused as what cannot be done at all, in contrast to what may be done later.
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, KvError>) -> Seen {
    let is_refused = matches!(&result, Err(e) if e.cause() == "invalid");
    ensure(is_refused, || format!("{what}: {result:.300?}"))
}

async fn put<K: Kv>(kv: &K, key: &str, value: impl AsRef<[u8]>) -> Seen {
    let put = kv.put(key, value.as_ref().to_vec(), PutOptions::default());
    put.await.map_err(|e| format!("put {key:.60}: {e}"))
}

async fn bulk<K: Kv>(kv: &K, keys: &[&str]) -> Result<Vec<Option<Value>>, String> {
    let read = kv.read(keys, ReadOptions::default());
    read.await.map_err(|e| format!("read: {e}"))
}

async fn page<K: Kv>(
    kv: &K,
    prefix: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Result<ListPage, String> {
    let list = kv.list(prefix, cursor, limit);
    list.await.map_err(|e| format!("list: {e}"))
}

fn names(keys: &[ListedKey]) -> Vec<&str> {
    keys.iter().map(|k| &*k.name).collect()
}

fn value(bytes: impl AsRef<[u8]>) -> Option<Value> {
    Some(Rc::new(bytes.as_ref().to_vec()))
}

/// Whether `kv` keeps a promise; each has keys of its own.
async fn keeps<K: Kv>(promise: &str, kv: &K, clock: &impl Clock) -> Seen {
    let get = async |key: &str| kv.get(key).await.map_err(|e| format!("get {key:.60}: {e}"));
    let with_ttl = |seconds| PutOptions {
        expiration_ttl: Some(Duration::from_secs(seconds)),
        ..PutOptions::default()
    };
    let with_metadata = |json: &str| PutOptions {
        metadata: value(json),
        ..PutOptions::default()
    };
    match promise {
        "an absent key is none" => {
            equal(get("absent").await?, None)?;
            equal(bulk(kv, &["absent", "absent2"]).await?, vec![None, None])
        }
        "what is put is got" => {
            let text = "a\0b\r\nключ \u{FFFD} \u{1F600}";
            put(kv, "same", text).await?;
            equal(get("same").await?, value(text))?;
            equal(bulk(kv, &["same", "none"]).await?, vec![value(text), None])
        }
        "an empty value is a value" => {
            put(kv, "empty", "").await?;
            equal(get("empty").await?, value(""))?;
            equal(bulk(kv, &["empty", "none"]).await?, vec![value(""), None])
        }
        "text with a byte order mark stays whole" => {
            put(kv, "mark", "\u{FEFF}x").await?;
            equal(
                bulk(kv, &["mark", "none"]).await?,
                vec![value("\u{FEFF}x"), None],
            )
        }
        "a later value takes the place of an earlier" => {
            put(kv, "over", "long first").await?;
            clock.sleep(PACE).await;
            put(kv, "over", "second").await?;
            equal(get("over").await?, value("second"))
        }
        "a second write within a second is refused" => {
            put(kv, "pace", "1").await?;
            let soon = kv.put("pace", b"2".to_vec(), PutOptions::default());
            equal(soon.await.map_err(|e| e.cause()), Err("rate_limited"))
        }
        "a deleted key is none" => {
            put(kv, "deleted", "x").await?;
            clock.sleep(PACE).await;
            kv.delete("deleted").await.map_err(|e| e.to_string())?;
            equal(get("deleted").await?, None)?;
            equal(page(kv, "deleted", None, 10).await?, ListPage::default())
        }
        "an absent key can be deleted" => equal(kv.delete("never there").await, Ok(())),
        "a bulk read is in the order of its keys" => {
            for n in (0..100).step_by(3) {
                put(kv, &format!("bulk{n}"), format!("value {n}")).await?;
            }
            for size in [1, 2, 99, 100] {
                // Downwards, so that no order of the service's own is taken for that of the keys.
                let numbers: Vec<usize> = (0..size).rev().collect();
                let keys: Vec<String> = numbers.iter().map(|n| format!("bulk{n}")).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                let expected = numbers.iter().map(|n| match n % 3 {
                    0 => value(format!("value {n}")),
                    _ => None,
                });
                equal(bulk(kv, &keys).await?, expected.collect())?;
            }
            Ok(())
        }
        "a bulk read of none or 101 keys is refused" => {
            let keys = ["absent"; 101];
            refused("none", kv.read(&[], ReadOptions::default()).await)?;
            refused("101", kv.read(&keys, ReadOptions::default()).await)
        }
        "a list is in the order of bytes" => {
            // As UTF-16 the last two would change places.
            let order = ["order/", "order/A", "order/a", "order/b", "order/é"];
            let order = [&order[..], &["order/\u{FFFD}", "order/\u{1F600}"]].concat();
            for key in order.iter().rev() {
                put(kv, key, "x").await?;
            }
            let listed = page(kv, "order/", None, 100).await?;
            equal(names(&listed.keys), order)
        }
        "a list has the prefix's keys only" => {
            for key in ["pre", "pre%x", "pre_x", "prexx", "pRe"] {
                put(kv, key, "x").await?;
            }
            for (prefix, found) in [
                ("pre", vec!["pre", "pre%x", "pre_x", "prexx"]),
                ("pre_", vec!["pre_x"]),
                ("pre%", vec!["pre%x"]),
                ("prez", vec![]),
            ] {
                let listed = page(kv, prefix, None, 100).await?;
                equal(names(&listed.keys), found)?;
                equal(listed.cursor, None)?;
            }
            Ok(())
        }
        "a list goes on at its cursor" => {
            let keys: Vec<String> = (0..25).map(|n| format!("page/{n:02}")).collect();
            for key in &keys {
                put(kv, key, "x").await?;
            }
            let mut found = Vec::new();
            let (mut sizes, mut cursor) = (Vec::new(), None);
            loop {
                let page = page(kv, "page/", cursor.as_deref(), 10).await?;
                sizes.push(page.keys.len());
                found.extend(page.keys.into_iter().map(|k| k.name.to_string()));
                cursor = page.cursor;
                if cursor.is_none() || sizes.len() > 5 {
                    break;
                }
            }
            equal(sizes, vec![10, 10, 5])?;
            equal(found, keys)
        }
        "a page may be as short as one key" => {
            put(kv, "short/1", "x").await?;
            put(kv, "short/2", "x").await?;
            let first = page(kv, "short/", None, 1).await?;
            equal(names(&first.keys), vec!["short/1"])?;
            let next = page(kv, "short/", first.cursor.as_deref(), 1).await?;
            equal(names(&next.keys), vec!["short/2"])
        }
        "a page of none or 1,001 keys is refused" => {
            refused("none", kv.list("", None, 0).await)?;
            refused("1,001", kv.list("", None, 1_001).await)
        }
        "a key of 512 bytes is taken, a longer one refused" => {
            // Bytes count, not characters.
            let most = "é".repeat(256);
            put(kv, &most, "x").await?;
            equal(get(&most).await?, value("x"))?;
            let (long, wide) = ("k".repeat(513), "é".repeat(257));
            for key in [long.as_str(), wide.as_str()] {
                let options = PutOptions::default();
                refused("put", kv.put(key, b"x".to_vec(), options).await)?;
                refused("get", kv.get(key).await)?;
                let keys = [key, "absent"];
                refused("read", kv.read(&keys, ReadOptions::default()).await)?;
                refused("delete", kv.delete(key).await)?;
            }
            Ok(())
        }
        "an empty key is refused" => refuses_key(kv, "").await,
        "a key of one or two dots is refused" => {
            refuses_key(kv, ".").await?;
            refuses_key(kv, "..").await
        }
        "a value over 25 MiB is refused" => {
            let value = vec![b'x'; 25 * 1024 * 1024 + 1];
            refused("put", kv.put("large", value, PutOptions::default()).await)
        }
        "an expirationTtl below 60 s is refused" => {
            let short = kv.put("ttl59", b"x".to_vec(), with_ttl(59)).await;
            let least = kv.put("ttl60", b"x".to_vec(), with_ttl(60)).await;
            equal(least, Ok(()))?;
            refused("59 s", short)
        }
        "metadata is listed as it was put" => {
            for (n, json) in [r#"{"b":[1,2.5,null],"a":"é"}"#, r#""text""#, "7"]
                .into_iter()
                .enumerate()
            {
                let key = format!("meta/{n}");
                let put = kv.put(&key, b"x".to_vec(), with_metadata(json));
                put.await.map_err(|e| format!("put: {e}"))?;
                let listed = page(kv, &key, None, 10).await?;
                equal(get(&key).await?, value("x"))?;
                equal(listed.keys[0].metadata.clone(), value(json))?;
            }
            put(kv, "meta/none", "x").await?;
            let listed = page(kv, "meta/none", None, 10).await?;
            equal(listed.keys[0].metadata.clone(), None)
        }
        "metadata over 1,024 bytes is refused" => {
            let text = |n: usize| format!("\"{}\"", "m".repeat(n - 2));
            let most = with_metadata(&text(1_024));
            equal(kv.put("meta1024", b"x".to_vec(), most).await, Ok(()))?;
            let over = with_metadata(&text(1_025));
            refused("1,025", kv.put("meta1025", b"x".to_vec(), over).await)
        }
        "a cacheTtl below 30 s is refused" => {
            let ttl = |seconds| ReadOptions {
                cache_ttl: Some(Duration::from_secs(seconds)),
            };
            for keys in [&["absent"][..], &["absent", "absent2"]] {
                let least = kv.read(keys, ttl(30)).await;
                equal(least, Ok(vec![None; keys.len()]))?;
                refused("29 s", kv.read(keys, ttl(29)).await)?;
            }
            Ok(())
        }
        "any character may stand in a key" => {
            let keys = [
                "ch/a/b",
                "ch/?x=1&y",
                "ch/#f",
                "ch/100%",
                "ch/%2F",
                "ch/a b",
                "ch/a+b",
                "ch/../x",
                "ch/./",
                "ch//",
                "ch/\"\\",
                "ch/ключ",
                "ch/\u{1F600}",
                "ch/\n",
            ];
            for key in keys {
                put(kv, key, key).await?;
            }
            equal(bulk(kv, &keys).await?, keys.map(value).to_vec())?;
            for key in keys {
                equal(get(key).await?, value(key))?;
                let listed = page(kv, key, None, 10).await?;
                equal(names(&listed.keys), vec![key])?;
            }
            clock.sleep(PACE).await;
            for key in keys {
                kv.delete(key).await.map_err(|e| format!("{key}: {e}"))?;
            }
            equal(page(kv, "ch/", None, 100).await?, ListPage::default())
        }
        other => unreachable!("no such promise: {other}"),
    }
}

async fn refuses_key<K: Kv>(kv: &K, key: &str) -> Seen {
    let (what, none) = (format!("{key:?}"), ReadOptions::default());
    let put = kv.put(key, b"x".to_vec(), PutOptions::default()).await;
    refused(&format!("put {what}"), put)?;
    refused(&format!("get {what}"), kv.get(key).await)?;
    refused(&format!("read {what}"), kv.read(&[key, "x"], none).await)?;
    refused(&format!("delete {what}"), kv.delete(key).await)
}

async fn keeps_all<K: Kv>(kv: &K, clock: &impl Clock) -> BTreeMap<&'static str, Seen> {
    let mut seen = BTreeMap::new();
    for promise in PROMISES {
        seen.insert(promise, keeps(promise, kv, clock).await);
    }
    seen
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    difference: Vec<Difference>,
}

/// A promise that a form does not keep.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    form: String,
    promise: String,
    /// Part of what is seen instead.
    seen: String,
    reason: String,
}

fn differences() -> Vec<Difference> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("tests/data/contract_differences.toml")).unwrap();
    toml::from_str::<Table>(&text).unwrap().difference
}

/// All that is not as the table says.
fn unexpected(form: &str, seen: &BTreeMap<&str, Seen>, table: &[Difference]) -> Vec<String> {
    let of = |promise: &str| {
        let mut all = table.iter();
        all.find(|d| d.form == form && d.promise == promise)
    };
    let wrong = seen
        .iter()
        .filter_map(|(promise, seen)| match (seen, of(promise)) {
            (Ok(()), None) => None,
            (Err(e), Some(d)) if e.contains(&d.seen) => None,
            (Ok(()), Some(_)) => Some(format!("{form}: {promise}: holds, against the table")),
            (Err(e), None) => Some(format!("{form}: {promise}: {e}")),
            (Err(e), Some(d)) => Some(format!("{form}: {promise}: {e}; the table has {}", d.seen)),
        });
    wrong.collect()
}

fn judge(form: &str, seen: &BTreeMap<&str, Seen>) {
    let wrong = unexpected(form, seen, &differences());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_virtual_kv_keeps_the_promises() {
    let executor = Executor::new(Timestamp::from_secs(1_793_577_600));
    let limits = load("cloudflare", None, &[]).unwrap();
    let kv = KvStore::counting(limits, executor.handle()).invocation();
    let clock = executor.handle();
    let seen = executor.block_on(async move { keeps_all(&kv, &clock).await });
    judge("virtual", &seen);
}

#[test]
fn workerd_behind_the_bridge_keeps_the_promises() {
    let Some(workerd) = Workerd::start(None) else {
        return;
    };
    let kv = workerd.bridge(Values::Text, None);
    judge("workerd", &in_real_time(keeps_all(&kv, &SystemClock)));
}

#[test]
fn the_rest_form_keeps_the_promises() {
    let Some(workerd) = Workerd::start(None) else {
        return;
    };
    let kv = workerd.rest(Values::Text);
    judge("rest", &in_real_time(keeps_all(&kv, &SystemClock)));
}

#[test]
fn bytes_that_are_no_text_stay_whole_where_they_are_read_as_bytes() {
    const BYTES: [u8; 4] = [200, 201, 0, 255];
    async fn check<K: Kv>(kv: &K, text: &K, key: &str) -> Seen {
        put(kv, key, BYTES).await?;
        let read = bulk(kv, &[key, "none", key]).await?;
        equal(read, vec![value(BYTES), None, value(BYTES)])?;
        // Why the default is to refuse them: nobody would see it.
        let destroyed = bulk(text, &[key, "none"]).await?;
        ensure(destroyed[0] != value(BYTES), || "kept in bulk".into())?;
        let none = PutOptions::default();
        refused("as text", text.put(key, BYTES.to_vec(), none).await)?;
        let keys = ["none"; 101];
        refused("101", kv.read(&keys, ReadOptions::default()).await)
    }
    let Some(w) = Workerd::start(None) else {
        return;
    };
    let (bytes, text) = (Values::Bytes, Values::Text);
    in_real_time(async {
        let bridges = [bytes, text].map(|v| w.bridge(v, None));
        check(&bridges[0], &bridges[1], "bridge").await.unwrap();
        let rests = [bytes, text].map(|v| w.rest(v));
        check(&rests[0], &rests[1], "rest").await.unwrap();
    });
}

#[test]
fn a_bridge_with_a_secret_opens_with_it_only() {
    let Some(workerd) = Workerd::start(Some("open sesame")) else {
        return;
    };
    in_real_time(async {
        for (secret, opens) in [
            (Some("open sesame"), true),
            (Some("open"), false),
            (None, false),
        ] {
            let kv = workerd.bridge(Values::Text, secret);
            let got = kv.get("absent").await;
            assert_eq!(got.is_ok(), opens, "{secret:?}: {got:?}");
            if !opens {
                assert_eq!(got.unwrap_err().cause(), "invalid");
                let said = kv.last_failure().unwrap().to_string();
                assert!(
                    said.contains("x-bridge-secret is missing or wrong"),
                    "{said}"
                );
            }
        }
    });
}

#[test]
fn the_table_of_differences_is_held_both_ways() {
    let table = differences();
    for d in &table {
        let is_known = PROMISES.contains(&d.promise.as_str());
        assert!(is_known, "no such promise: {}", d.promise);
        assert!(["virtual", "workerd", "rest"].contains(&d.form.as_str()));
        assert!(!d.reason.is_empty() && !d.seen.is_empty(), "{}", d.promise);
    }
    let one = [Difference {
        form: "f".into(),
        promise: "p".into(),
        seen: "s".into(),
        reason: "r".into(),
    }];
    let seen = |s: Seen| BTreeMap::from([("p", s)]);
    assert_eq!(unexpected("f", &seen(Err("s!".into())), &one).len(), 0);
    assert_eq!(unexpected("f", &seen(Err("other".into())), &one).len(), 1);
    assert_eq!(unexpected("f", &seen(Ok(())), &one).len(), 1);
    assert_eq!(unexpected("g", &seen(Err("s".into())), &one).len(), 1);
    assert_eq!(unexpected("g", &seen(Ok(())), &one).len(), 0);
}
