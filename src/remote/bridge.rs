//! A namespace behind a bridge: a Worker that hands out its KV binding over HTTP.
//!
//! The Worker is `examples/bridge`. Behind it an operation is what it is in a Worker, with its read
//! cache, its place and its limits, which the REST API does not have. On the wire:
//!
//! ```text
//! GET    /value?key=K[&cacheTtl=S]                     200 and the bytes; 204 if absent
//! POST   /values {"keys": [K, ..], "cacheTtl": S}      200 {"values": [text or null, ..]}
//! PUT    /value?key=K[&expirationTtl=S][&metadata=J]   204; the body is the value
//! DELETE /value?key=K                                  204
//! GET    /keys?prefix=P&limit=N[&cursor=C]             200 {"keys": [{name, metadata}], "cursor": C or null}
//! else                                                 the service's status, {"error": its message}
//! ```

use crate::failure::Failure;
use crate::http::{BadAddress, Body, Http, Reply, Secret};
use crate::values::{KeyOfList, Values, check_put, one_by_one, seconds};
use kvplan_telemetry::ports::{Kv, KvError, ListPage, PutOptions, ReadOptions, Value};
use reqwest::Method;
use serde::{Deserialize, Serialize};
use std::rc::Rc;
use std::str;
use std::time::Duration;

/// The environment variable with the secret that a deployed bridge asks for.
pub const SECRET: &str = "KVPLAN_BRIDGE_SECRET";
/// The header that carries it.
const HEADER: &str = "x-bridge-secret";

/// What a client is made from.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// Where the Worker is.
    pub root: String,
    /// Only a bridge on the same machine works without.
    pub secret: Option<Secret>,
    /// What the values are.
    pub values: Values,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

impl BridgeConfig {
    /// The bridge at `root`, with the secret from the environment ([`SECRET`]) if there is one.
    pub fn from_environment(root: impl Into<String>) -> Self {
        BridgeConfig {
            root: root.into(),
            secret: Secret::from_environment(SECRET),
            values: Values::Text,
            timeout: Duration::from_secs(30),
        }
    }
}

/// A namespace; cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    http: Rc<Http>,
    values: Values,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    keys: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_ttl: Option<u64>,
}

#[derive(Deserialize)]
struct Texts {
    values: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Page {
    keys: Vec<KeyOfList>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Bridge {
    /// A client for a bridge; nothing is sent yet.
    ///
    /// # Errors
    /// If the address is none, or the secret cannot be sent.
    pub fn new(config: &BridgeConfig) -> Result<Self, BadAddress> {
        let auth = config.secret.as_ref().map(|s| (HEADER, "", s));
        Ok(Bridge {
            http: Rc::new(Http::new(&config.root, auth, config.timeout)?),
            values: config.values,
        })
    }

    /// The last operation that failed, in the service's own words.
    pub fn last_failure(&self) -> Option<Failure> {
        self.http.last_failure()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Body>,
    ) -> Result<Reply, Failure> {
        let reply = self.http.send(method, path, query, body).await?;
        if reply.is_success() {
            return Ok(reply);
        }
        Err(match reply.json::<Refusal>() {
            Ok(refusal) => reply.failure(None, refusal.error),
            Err(_) => reply.unreadable("no answer of a bridge"),
        })
    }

    async fn value(&self, key: &str, options: ReadOptions) -> Result<Option<Vec<u8>>, Failure> {
        let ttl = seconds(options.cache_ttl);
        let mut query = vec![("key", key)];
        query.extend(ttl.iter().map(|t| ("cacheTtl", t.as_str())));
        let reply = self.send(Method::GET, "/value", &query, None).await?;
        Ok((reply.status != 204).then_some(reply.body))
    }

    async fn bulk(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, Failure> {
        let body = Body::json(&Question {
            keys,
            cache_ttl: options.cache_ttl.map(|t| t.as_secs()),
        })?;
        let reply = self.send(Method::POST, "/values", &[], Some(body)).await?;
        let texts: Texts = reply.json()?;
        if texts.values.len() != keys.len() {
            return Err(reply.unreadable("another number of values than of keys"));
        }
        let value = |text: Option<String>| text.map(|t| Rc::from(t.into_bytes()));
        Ok(texts.values.into_iter().map(value).collect())
    }

    async fn write(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), Failure> {
        let ttl = seconds(options.expiration_ttl);
        let mut query = vec![("key", key)];
        query.extend(ttl.iter().map(|t| ("expirationTtl", t.as_str())));
        // It has been seen to be JSON and so is text.
        let metadata = options.metadata.as_deref();
        let metadata = metadata.and_then(|m| str::from_utf8(m).ok());
        query.extend(metadata.map(|m| ("metadata", m)));
        let body = Some(Body::bytes(value));
        self.send(Method::PUT, "/value", &query, body).await?;
        Ok(())
    }

    async fn page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, Failure> {
        let limit = limit.to_string();
        let mut query = vec![("prefix", prefix), ("limit", limit.as_str())];
        query.extend(cursor.map(|c| ("cursor", c)));
        let reply = self.send(Method::GET, "/keys", &query, None).await?;
        let page: Page = reply.json()?;
        Ok(ListPage {
            keys: page.keys.into_iter().map(Into::into).collect(),
            cursor: page.cursor,
        })
    }
}

impl Kv for Bridge {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        if keys.len() == 1 || self.values == Values::Bytes {
            let read = async |key: &str| {
                let value = self.value(key, options).await;
                value.map_err(|f| self.http.note(f))
            };
            return one_by_one(keys, read).await;
        }
        let values = self.bulk(keys, options).await;
        values.map_err(|f| self.http.note(f))
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        check_put(self.values, &value, &options)?;
        let written = self.write(key, value, options).await;
        written.map_err(|f| self.http.note(f))
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let query = [("key", key)];
        let deleted = self.send(Method::DELETE, "/value", &query, None).await;
        deleted.map(|_| ()).map_err(|f| self.http.note(f))
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        // The runtime takes 0 for a limit that is not given.
        if limit == 0 {
            return Err(KvError::Invalid("list limit outside 1 to the page size"));
        }
        let page = self.page(prefix, cursor, limit).await;
        page.map_err(|f| self.http.note(f))
    }
}
