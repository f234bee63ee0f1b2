//! A namespace over Cloudflare's REST API.
//!
//! Source: <https://developers.cloudflare.com/api/resources/kv/subresources/namespaces/>. Operations
//! over it are billed like those of a Worker, and the API as a whole allows 1,200 requests in five
//! minutes: it is for looking and comparing, not for a gateway's traffic.

use crate::account::Account;
use crate::failure::Failure;
use crate::http::{BadAddress, Body, Http, Reply, Secret, encode};
use crate::values::{KeyOfList, Values, check_put, one_by_one, seconds};
use kvplan_telemetry::ports::{Kv, KvError, ListPage, PutOptions, ReadOptions, Value};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// Least `cacheTtl`: <https://developers.cloudflare.com/kv/api/read-key-value-pairs/>.
const MIN_CACHE_TTL: Duration = Duration::from_secs(30);
/// "key not found", in contrast to a namespace that is not.
const CODE_KEY_NOT_FOUND: u32 = 10_009;

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct RestConfig {
    /// What stands before `/storage/kv/`: the API with its account.
    pub root: String,
    /// The namespace's identifier.
    pub namespace: String,
    /// None where the service asks for none, as on a developer's own machine.
    pub token: Option<Secret>,
    /// What the values are.
    pub values: Values,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl RestConfig {
    /// A namespace of an account, whose token needs the permission "Workers KV Storage".
    pub fn of_account(account: &Account, namespace: impl Into<String>) -> Self {
        RestConfig {
            root: account.root(),
            namespace: namespace.into(),
            token: Some(account.token().clone()),
            values: Values::Text,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A namespace; cheap to clone.
#[derive(Clone)]
pub struct Rest {
    http: Rc<Http>,
    values: Values,
}

/// What every answer in JSON begins with.
#[derive(Deserialize)]
struct Verdict {
    success: bool,
    #[serde(default)]
    errors: Vec<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    code: Option<u32>,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Found<T> {
    result: T,
    #[serde(default)]
    result_info: Info,
}

#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Serialize)]
struct BulkGet<'a> {
    keys: &'a [&'a str],
    r#type: &'static str,
}

#[derive(Deserialize)]
struct BulkValues {
    values: HashMap<String, Option<String>>,
}

impl Rest {
    /// A client for a namespace; nothing is sent yet.
    ///
    /// # Errors
    /// If the address is none, or the token cannot be sent.
    pub fn new(config: &RestConfig) -> Result<Self, BadAddress> {
        let token = config.token.as_ref();
        let auth = token.map(|t| ("authorization", "Bearer ", t));
        let namespace = encode(&config.namespace);
        let root = format!("{}/storage/kv/namespaces/{namespace}", config.root);
        Ok(Rest {
            http: Rc::new(Http::new(&root, auth, config.timeout)?),
            values: config.values,
        })
    }

    /// The last operation that failed, in the service's own words.
    pub fn last_failure(&self) -> Option<Failure> {
        self.http.last_failure()
    }

    /// One value as bytes.
    async fn value(&self, key: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = format!("/values/{}", encode(key));
        let reply = self.http.send(Method::GET, &path, &[], None).await?;
        if reply.is_success() {
            return Ok(Some(reply.body));
        }
        match refusal(&reply) {
            f if f.code == Some(CODE_KEY_NOT_FOUND) => Ok(None),
            f => Err(f),
        }
    }

    async fn bulk(&self, keys: &[&str]) -> Result<Vec<Option<Value>>, Failure> {
        let question = BulkGet {
            keys,
            r#type: "text",
        };
        let body = Some(Body::json(&question)?);
        let reply = self.http.send(Method::POST, "/bulk/get", &[], body).await?;
        let found: Found<BulkValues> = result(&reply)?;
        let values = found.result.values;
        // A key that was asked for twice has one entry.
        let value = |key: &&str| {
            values
                .get(*key)?
                .as_ref()
                .map(|v| Rc::new(v.as_bytes().to_vec()))
        };
        Ok(keys.iter().map(value).collect())
    }

    async fn write(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), Failure> {
        let path = format!("/values/{}", encode(key));
        let ttl = seconds(options.expiration_ttl);
        let query: Vec<_> = ttl.iter().map(|t| ("expiration_ttl", t.as_str())).collect();
        let body = match options.metadata {
            None => Body::bytes(value),
            Some(metadata) => form(&value, &metadata),
        };
        let reply = self
            .http
            .send(Method::PUT, &path, &query, Some(body))
            .await?;
        verdict(&reply)
    }

    async fn remove(&self, key: &str) -> Result<(), Failure> {
        let path = format!("/values/{}", encode(key));
        let reply = self.http.send(Method::DELETE, &path, &[], None).await?;
        match verdict(&reply) {
            Err(f) if f.code == Some(CODE_KEY_NOT_FOUND) => Ok(()),
            other => other,
        }
    }

    async fn page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, Failure> {
        let limit = limit.to_string();
        let mut query = vec![("limit", limit.as_str()), ("prefix", prefix)];
        query.extend(cursor.map(|c| ("cursor", c)));
        let reply = self.http.send(Method::GET, "/keys", &query, None).await?;
        let found: Found<Vec<KeyOfList>> = result(&reply)?;
        Ok(ListPage {
            keys: found.result.into_iter().map(Into::into).collect(),
            cursor: found.result_info.cursor.filter(|c| !c.is_empty()),
        })
    }
}

impl Kv for Rest {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        // There is no cache on this way and so no `cacheTtl`; the port promises its check all the same.
        if options.cache_ttl.is_some_and(|ttl| ttl < MIN_CACHE_TTL) {
            return Err(KvError::Invalid("cacheTtl below the minimum"));
        }
        if keys.len() == 1 || self.values == Values::Bytes {
            let read = async |key: &str| {
                check_key(key)?;
                self.value(key).await.map_err(|f| self.http.note(f))
            };
            return one_by_one(keys, read).await;
        }
        self.bulk(keys).await.map_err(|f| self.http.note(f))
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        check_key(key)?;
        check_put(self.values, &value, &options)?;
        let written = self.write(key, value, options).await;
        written.map_err(|f| self.http.note(f))
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        check_key(key)?;
        self.remove(key).await.map_err(|f| self.http.note(f))
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let page = self.page(prefix, cursor, limit).await;
        page.map_err(|f| self.http.note(f))
    }
}

/// An address cannot hold these keys, encoded or not: `values/..` is the namespace itself, and to
/// delete that is to delete all.
fn check_key(key: &str) -> Result<(), KvError> {
    match key {
        "" => Err(KvError::Invalid("empty key")),
        "." | ".." => Err(KvError::Invalid("key is . or ..")),
        _ => Ok(()),
    }
}

/// The service's reason, from an answer that is a refusal.
fn refusal(reply: &Reply) -> Failure {
    match reply.json::<Verdict>() {
        Ok(verdict) => match verdict.errors.into_iter().next() {
            Some(e) => reply.failure(e.code, e.message),
            None => reply.unreadable("refused without a reason"),
        },
        Err(_) => reply.unreadable("not JSON"),
    }
}

/// Whether an answer says that it was done: some failures come with status 200.
fn verdict(reply: &Reply) -> Result<(), Failure> {
    if reply.is_success() && reply.json::<Verdict>()?.success {
        return Ok(());
    }
    Err(refusal(reply))
}

fn result<T: DeserializeOwned>(reply: &Reply) -> Result<Found<T>, Failure> {
    verdict(reply)?;
    reply.json()
}

/// Value and metadata as a form (RFC 7578), which is how the API takes them together.
fn form(value: &[u8], metadata: &[u8]) -> Body {
    let mut boundary = String::from("kvplan");
    let holds = |text: &[u8], b: &str| text.windows(b.len()).any(|w| w == b.as_bytes());
    while holds(value, &boundary) || holds(metadata, &boundary) {
        boundary.push('-');
        boundary.push_str("kvplan");
    }
    let mut bytes = Vec::with_capacity(value.len() + metadata.len() + 300);
    // A file name makes the value a file: as a field it would be taken for text.
    let value_name = "name=\"value\"; filename=\"value\"";
    for (name, part) in [(value_name, value), ("name=\"metadata\"", metadata)] {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; {name}\r\n\r\n");
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Body {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        bytes,
    }
}
