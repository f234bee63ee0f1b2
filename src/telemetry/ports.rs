//! The ports through which the metrics system reaches the world.

use crate::units::Timestamp;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Where the time comes from, and how to wait.
#[allow(async_fn_in_trait)]
pub trait Clock {
    /// The time now.
    fn now(&self) -> Timestamp;
    /// Completes when `delay` has passed.
    async fn sleep(&self, delay: Duration);
}

/// How an invocation goes on after its response.
pub trait WaitUntil {
    /// Starts `work` beside the caller. The platform lets it go on for some time after the response, and
    /// then drops it; Workers call that `ctx.waitUntil`.
    fn wait_until(&self, work: impl Future<Output = ()> + 'static);
}

/// The kinds of operation a KV namespace offers; each has its own price and quota.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum OpKind {
    /// `get`, of one key or in bulk.
    Read,
    /// `put`.
    Write,
    /// `delete`.
    Delete,
    /// `list`.
    List,
}

impl OpKind {
    /// All kinds, in the order in which reports show them.
    pub const ALL: [OpKind; 4] = [OpKind::Read, OpKind::Write, OpKind::Delete, OpKind::List];

    /// Lower-case plural used in column names: `reads`, `writes`, ...
    pub fn plural(self) -> &'static str {
        match self {
            OpKind::Read => "reads",
            OpKind::Write => "writes",
            OpKind::Delete => "deletes",
            OpKind::List => "lists",
        }
    }
}

/// Why a KV operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KvError {
    /// 429: more than one write per second to the same key, or refused by the service's own choice.
    RateLimited,
    /// The plan's daily quota for this kind of operation is used up.
    QuotaExceeded,
    /// No answer in time. The operation may or may not have been applied.
    Timeout,
    /// The service answered with an error (5xx); nothing was applied.
    Unavailable,
    /// The invocation has used up its allowance of operations.
    InvocationLimit,
    /// The caller's circuit breaker is open; the service was not asked.
    CircuitOpen,
    /// Key, value, metadata, TTL or cursor outside the documented limits.
    Invalid(&'static str),
    /// What a real service answered, in its own words.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The service's message.
        message: Arc<str>,
    },
}

impl KvError {
    /// What a real service's status and words are.
    ///
    /// Sources: <https://developers.cloudflare.com/kv/platform/limits/> (429),
    /// <https://developers.cloudflare.com/workers/observability/errors/> (limits of an invocation).
    pub fn answered(status: u16, message: &str) -> KvError {
        let says = |words| message.contains(words);
        // A binding gives the limits of plan and invocation in words only.
        if says("limit exceeded for the day") {
            KvError::QuotaExceeded
        } else if says("by single Worker invocation") || says("Too many subrequests") {
            KvError::InvocationLimit
        } else {
            KvError::Answered {
                status,
                message: message.into(),
            }
        }
    }

    /// A short name for column headers and counters.
    pub fn cause(&self) -> &'static str {
        match self {
            KvError::RateLimited => "rate_limited",
            KvError::QuotaExceeded => "quota_exceeded",
            KvError::Timeout => "timeout",
            KvError::Unavailable => "unavailable",
            KvError::InvocationLimit => "invocation_limit",
            KvError::CircuitOpen => "circuit_open",
            KvError::Invalid(_) => "invalid",
            KvError::Answered { status, .. } => match status {
                // A gateway that waited in vain cannot say either whether it was done.
                408 | 504 | 524 => "timeout",
                429 => "rate_limited",
                400..=499 => "invalid",
                // 5xx, and answers that are none: a page of a proxy, a failure told with 200.
                _ => "unavailable",
            },
        }
    }

    /// Whether the same operation may succeed when tried again soon.
    pub fn is_retryable(&self) -> bool {
        ["rate_limited", "timeout", "unavailable"].contains(&self.cause())
    }
}

impl fmt::Display for KvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KvError::Invalid(what) => write!(f, "invalid KV operation: {what}"),
            KvError::Answered { status, message } => write!(f, "{status}: {message}"),
            other => f.write_str(other.cause()),
        }
    }
}

impl std::error::Error for KvError {}

/// A stored value; cheap to clone, and made of what was put without a copy.
pub type Value = Rc<Vec<u8>>;

/// Options of a read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// How long the point of presence may answer from its cache; the service's own default, and
    /// no less than it allows, if not given.
    pub cache_ttl: Option<Duration>,
}

/// Options of a `put`.
#[derive(Debug, Clone, Default)]
pub struct PutOptions {
    /// Time to live; the service refuses less than 60 s.
    pub expiration_ttl: Option<Duration>,
    /// Metadata returned by `list`; at most 1,024 bytes.
    pub metadata: Option<Value>,
}

/// A key as `list` returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// The key; cheap to clone, as a list has a thousand.
    pub name: Rc<str>,
    /// What was put with it as metadata.
    pub metadata: Option<Value>,
}

/// One page of a `list`: at most 1,000 keys in lexicographic order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// The keys.
    pub keys: Vec<ListedKey>,
    /// Where to go on; `None` when the list is complete.
    pub cursor: Option<String>,
}

/// A cache that all isolates share, such as a Durable Object.
#[allow(async_fn_in_trait)]
pub trait SharedCache {
    /// The value under a key if it is alive.
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError>;
    /// Keeps a value for `ttl`.
    async fn put(&self, key: &str, value: Vec<u8>, ttl: Duration) -> Result<(), KvError>;
}

/// A store for what is seldom read, such as R2.
#[allow(async_fn_in_trait)]
pub trait Archive {
    /// The object under a key.
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError>;
    /// Writes an object.
    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), KvError>;
}

/// No shared cache: every lookup is a miss.
impl SharedCache for () {
    async fn get(&self, _: &str) -> Result<Option<Value>, KvError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: Vec<u8>, _: Duration) -> Result<(), KvError> {
        Ok(())
    }
}

/// No archive: nothing is found in it, and nothing can be put there.
impl Archive for () {
    async fn get(&self, _: &str) -> Result<Option<Value>, KvError> {
        Ok(None)
    }

    async fn put(&self, _: &str, _: Vec<u8>) -> Result<(), KvError> {
        Err(KvError::Invalid("there is no archive"))
    }
}

/// A Workers KV namespace as seen from one Worker invocation.
#[allow(async_fn_in_trait)]
pub trait Kv {
    /// Reads 1 to 100 keys at once: one operation against the invocation limit, but each key is
    /// a billed read. `None` for an absent key (billed all the same).
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError>;
    /// Reads one key with default options.
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        let values = self.read(&[key], ReadOptions::default()).await?;
        Ok(values.into_iter().next().flatten())
    }
    /// Writes one key.
    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError>;
    /// Deletes one key; succeeds if it was absent.
    async fn delete(&self, key: &str) -> Result<(), KvError>;
    /// Lists the keys that start with `prefix`, from `cursor` on, at most `limit` (1 to 1,000).
    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError>;
}
