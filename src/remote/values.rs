//! Values and metadata in the form in which a real KV keeps them whole.

use kvplan_telemetry::load::join_all;
use kvplan_telemetry::ports::{KvError, ListedKey, PutOptions, Value};
use kvplan_telemetry::semaphore::Semaphore;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::future::Future;
use std::rc::Rc;
use std::str;
use std::time::Duration;

/// What the values of a namespace are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Values {
    /// Text: many keys are read by one operation.
    #[default]
    Text,
    /// Any bytes: each key is an operation of its own, as bulk reads only know text.
    Bytes,
}

/// Most keys of a bulk read: <https://developers.cloudflare.com/kv/api/read-key-value-pairs/>.
const BULK_READ_KEYS: usize = 100;
/// Connections that a Worker may hold open: <https://developers.cloudflare.com/workers/platform/limits/>.
const CONNECTIONS: u32 = 6;

const NOT_TEXT: KvError = KvError::Invalid(
    "a bulk read would give other bytes: the value is not UTF-8, or begins with a byte order mark",
);
const NOT_JSON: KvError = KvError::Invalid("metadata is not JSON");
const KEY_COUNT: KvError = KvError::Invalid("bulk read of no or too many keys");

/// Whether a real KV would give back what is put.
pub(crate) fn check_put(values: Values, value: &[u8], options: &PutOptions) -> Result<(), KvError> {
    // A bulk read decodes as UTF-8: it puts U+FFFD for what is none and takes a mark at the beginning
    // away. Records would be lost, and nobody would see it.
    let stays_whole = str::from_utf8(value).is_ok_and(|text| !text.starts_with('\u{FEFF}'));
    if values == Values::Text && !stays_whole {
        return Err(NOT_TEXT);
    }
    match &options.metadata {
        Some(m) if serde_json::from_slice::<serde::de::IgnoredAny>(m).is_err() => Err(NOT_JSON),
        _ => Ok(()),
    }
}

/// Whole seconds, as the service takes them; rounded down, so that what is too short stays so.
pub(crate) fn seconds(ttl: Option<Duration>) -> Option<String> {
    ttl.map(|t| t.as_secs().to_string())
}

/// A key of a list, in JSON.
#[derive(Deserialize)]
pub(crate) struct KeyOfList {
    name: String,
    #[serde(default)]
    metadata: Option<Box<RawValue>>,
}

impl From<KeyOfList> for ListedKey {
    fn from(key: KeyOfList) -> Self {
        ListedKey {
            name: key.name.into(),
            metadata: key.metadata.map(|m| Rc::new(m.get().as_bytes().to_vec())),
        }
    }
}

/// Reads keys by single reads, 6 at a time; the values are in the order of the keys.
pub(crate) async fn one_by_one<'a, F>(
    keys: &[&'a str],
    read: impl Fn(&'a str) -> F,
) -> Result<Vec<Option<Value>>, KvError>
where
    F: Future<Output = Result<Option<Vec<u8>>, KvError>>,
{
    // No service sees the keys together, so nobody else holds the port's promise.
    if keys.is_empty() || keys.len() > BULK_READ_KEYS {
        return Err(KEY_COUNT);
    }
    let connections = Semaphore::new(CONNECTIONS);
    let reads = keys.iter().map(|key| {
        let (connections, read) = (&connections, &read);
        async move {
            let _connection = connections.acquire().await;
            read(key).await
        }
    });
    let answers = join_all(reads).await;
    let value = |a: Result<Option<Vec<u8>>, KvError>| a.map(|v| v.map(Rc::from));
    answers.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bulk_read_would_destroy_is_refused() {
        let none = PutOptions::default();
        assert_eq!(check_put(Values::Text, "ключ".as_bytes(), &none), Ok(()));
        assert_eq!(check_put(Values::Text, &[200, 0], &none), Err(NOT_TEXT));
        let marked = "\u{FEFF}x".as_bytes();
        assert_eq!(check_put(Values::Text, marked, &none), Err(NOT_TEXT));
        assert_eq!(check_put(Values::Bytes, &[200, 0], &none), Ok(()));
        let bad = PutOptions {
            metadata: Some(b"{a:1}".to_vec().into()),
            ..none
        };
        assert_eq!(check_put(Values::Bytes, b"", &bad), Err(NOT_JSON));
    }

    #[test]
    fn a_ttl_that_is_too_short_stays_so() {
        let ttl = seconds(Some(Duration::from_millis(59_999)));
        assert_eq!(ttl.as_deref(), Some("59"));
    }
}
