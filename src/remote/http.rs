//! HTTP as the REST API and the bridge use it: one request, one answer, within a time.

use crate::failure::{Failure, Reach, kv_error};
use kvplan_telemetry::ports::KvError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, Url, redirect};
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Longest answer that is taken, in bytes: a bulk read gives 25 MB at most
/// (<https://developers.cloudflare.com/kv/api/read-key-value-pairs/>), which JSON may double.
const LONGEST_ANSWER: usize = 64 << 20;

/// How long a connection to this machine may be idle and still be used.
const LOCAL_IDLE: Duration = Duration::from_secs(2);

/// A token or password; it is sent, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that the caller has read from where secrets are kept.
    pub fn new(secret: impl Into<String>) -> Self {
        Secret(secret.into())
    }

    /// The environment variable `name`, without blanks around it; none if it is not set or empty.
    pub fn from_environment(name: &str) -> Option<Self> {
        let text = std::env::var(name).ok()?;
        let text = text.trim();
        (!text.is_empty()).then(|| Secret::new(text))
    }

    /// The value of a header with `scheme` before the secret; none if it cannot stand in one.
    fn header(&self, scheme: &str) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("{scheme}{}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An address or secret with which no client can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadAddress(pub(crate) String);

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadAddress {}

/// An answer, whatever its status.
pub(crate) struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    pub retry_after: Option<Duration>,
}

impl Reply {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A failure with this answer's status.
    pub(crate) fn failure(&self, code: Option<u32>, message: impl Into<String>) -> Failure {
        Failure {
            code,
            retry_after: self.retry_after,
            ..Failure::new(Reach::Answered(self.status), message)
        }
    }

    /// A failure with the beginning of the body as its message: not the service's own words then.
    pub(crate) fn unreadable(&self, why: &str) -> Failure {
        let text = String::from_utf8_lossy(&self.body);
        let start: String = text.chars().take(200).collect();
        // On one line, as messages are.
        let start: Vec<&str> = start.split_whitespace().collect();
        self.failure(None, format!("{why}: {}", start.join(" ")))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|e| self.unreadable(&format!("not the expected JSON ({e})")))
    }
}

/// What is sent with a request.
pub(crate) struct Body {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Body {
    pub(crate) fn json(value: &impl serde::Serialize) -> Result<Self, Failure> {
        let bytes = serde_json::to_vec(value)
            .map_err(|e| Failure::new(Reach::Unreachable, format!("no JSON: {e}")))?;
        Ok(Body {
            content_type: "application/json".into(),
            bytes,
        })
    }

    pub(crate) fn bytes(bytes: Vec<u8>) -> Self {
        Body {
            content_type: "application/octet-stream".into(),
            bytes,
        }
    }
}

/// A client of one service.
pub(crate) struct Http {
    client: Client,
    root: String,
    last_failure: RefCell<Option<Failure>>,
}

impl Http {
    /// `root` is what all addresses begin with; `auth` a header that all requests carry, with
    /// what stands before the secret.
    pub(crate) fn new(
        root: &str,
        auth: Option<(&'static str, &str, &Secret)>,
        timeout: Duration,
    ) -> Result<Self, BadAddress> {
        let url = Url::parse(root).map_err(|e| BadAddress(format!("address `{root}`: {e}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            // It would be shown in messages.
            let message = "found an address with a user or password in it, expected none there";
            return Err(BadAddress(message.into()));
        }
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let message = format!("address `{root}`: expected http:// or https:// and a host");
            return Err(BadAddress(message));
        }
        let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if auth.is_some() && url.scheme() == "http" && !is_local {
            let message = "found http://, expected https:// for what carries a secret";
            return Err(BadAddress(format!("address `{root}`: {message}")));
        }
        let mut headers = HeaderMap::new();
        if let Some((name, scheme, secret)) = auth {
            let value = secret.header(scheme).ok_or_else(|| {
                BadAddress("the token or secret has characters that no HTTP header may have".into())
            })?;
            headers.insert(HeaderName::from_static(name), value);
        }
        // Reqwest takes the provider of the process; whoever came first has chosen it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .default_headers(headers)
            .timeout(timeout)
            .user_agent("kvplan")
            // The service redirects nothing; a redirect would carry values to another host.
            .redirect(redirect::Policy::none());
        if is_local {
            // The local Workers runtime closes a connection that was idle for 5 s; a request sent
            // on it at that moment would be lost with it.
            builder = builder.no_proxy().pool_idle_timeout(LOCAL_IDLE);
        }
        let client = builder
            .build()
            .map_err(|e| BadAddress(format!("no HTTP client: {}", chain(&e))))?;
        Ok(Http {
            client,
            root: root.trim_end_matches('/').to_owned(),
            last_failure: RefCell::default(),
        })
    }

    /// Sends one request to `path` (encoded) with `query` (which is not).
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Body>,
    ) -> Result<Reply, Failure> {
        let mut address = format!("{}{path}", self.root);
        for (i, (name, value)) in query.iter().enumerate() {
            address.push(if i == 0 { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            address.push_str(&encode(value));
        }
        let mut request = self.client.request(method, address);
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, body.content_type)
                .body(body.bytes);
        }
        let lost = |e: reqwest::Error| {
            let reach = if e.is_timeout() {
                Reach::TimedOut
            } else {
                Reach::Unreachable
            };
            // The address holds keys; it says nothing that the caller does not know.
            Failure::new(reach, chain(&e.without_url()))
        };
        let mut answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        // The other form of the header, a date, is not used by this service.
        let retry_after = answer.headers().get(RETRY_AFTER);
        let seconds = retry_after.and_then(|v| v.to_str().ok()?.parse().ok());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(lost)? {
            body.extend_from_slice(&part);
            if body.len() > LONGEST_ANSWER {
                let message = format!("the answer is longer than {LONGEST_ANSWER} bytes");
                return Err(Failure::new(Reach::Answered(status), message));
            }
        }
        Ok(Reply {
            status,
            body,
            retry_after: seconds.map(Duration::from_secs),
        })
    }

    /// Keeps a failure for whoever asks, and says what it is to the metrics system.
    pub(crate) fn note(&self, failure: Failure) -> KvError {
        let error = kv_error(&failure);
        *self.last_failure.borrow_mut() = Some(failure);
        error
    }

    pub(crate) fn last_failure(&self) -> Option<Failure> {
        self.last_failure.borrow().clone()
    }
}

/// An error with all that caused it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text
}

/// The characters that need encoding nowhere (RFC 3986, section 2.3) stay as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Percent-encodes a part of an address.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        assert!(!format!("{:?}", secret.header("Bearer ")).contains("hunter2"));
    }

    #[test]
    fn everything_that_means_something_in_an_address_is_encoded() {
        assert_eq!(encode("a/b?c#d%e f"), "a%2Fb%3Fc%23d%25e%20f");
        assert_eq!(encode("ключ.~_-"), "%D0%BA%D0%BB%D1%8E%D1%87.~_-");
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let new = |root| Http::new(root, None, Duration::from_secs(1)).err();
        assert!(new("example.com").is_some());
        assert!(new("file:///etc/passwd").is_some());
        assert!(new("https://example.com").is_none());
        let named = new("https://user:hunter2@example.com").unwrap();
        assert!(!named.to_string().contains("hunter2"));
        let secret = Secret::new("hunter2");
        let sent_to = |root| {
            let auth = Some(("authorization", "Bearer ", &secret));
            Http::new(root, auth, Duration::from_secs(1)).err()
        };
        assert!(sent_to("http://example.com").is_some());
        assert!(sent_to("http://127.0.0.1:8787").is_none());
        assert!(sent_to("https://example.com").is_none());
        let broken = Secret::new("a\nb");
        let auth = Some(("authorization", "Bearer ", &broken));
        let refused = Http::new("https://example.com", auth, Duration::from_secs(1));
        assert!(refused.is_err());
    }
}
