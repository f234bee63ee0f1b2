//! An account of Cloudflare's as the environment names it, and its API beside the KV.

use crate::failure::Failure;
use crate::http::{BadAddress, Body, Http, Reply, Secret, encode};
use reqwest::Method;
use serde::Serialize;
use std::env;
use std::fmt;
use std::time::Duration;

/// Where the API is, unless the environment says otherwise.
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";
/// The environment variable that says otherwise.
pub const API: &str = "KVPLAN_CLOUDFLARE_API";
/// The environment variable with the token.
pub const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
/// The environment variable with the account.
pub const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";

/// A variable that the environment should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unset(pub &'static str);

impl fmt::Display for Unset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0;
        write!(
            f,
            "{name}: found nothing in the environment, expected it there"
        )
    }
}

impl std::error::Error for Unset {}

/// An account with a token for it.
#[derive(Debug, Clone)]
pub struct Account {
    api: String,
    id: String,
    token: Secret,
}

impl Account {
    /// That of the environment.
    ///
    /// # Errors
    /// If [`TOKEN`] or [`ACCOUNT`] is not set.
    pub fn from_environment() -> Result<Self, Unset> {
        let set = |name| env::var(name).ok().map(|v| v.trim().to_owned());
        let set = |name| set(name).filter(|v| !v.is_empty());
        let api = set(API).unwrap_or_else(|| CLOUDFLARE.to_owned());
        Ok(Account {
            api: api.trim_end_matches('/').to_owned(),
            token: Secret::from_environment(TOKEN).ok_or(Unset(TOKEN))?,
            id: set(ACCOUNT).ok_or(Unset(ACCOUNT))?,
        })
    }

    /// Where the API is.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where its part of the API is, below the API's own address.
    pub fn path(&self) -> String {
        format!("/accounts/{}", encode(&self.id))
    }

    /// Its part of the API.
    pub(crate) fn root(&self) -> String {
        format!("{}{}", self.api, self.path())
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }
}

/// What the API answers, whatever the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// When to ask again, as the service would have it.
    pub retry_after: Option<Duration>,
    /// The body.
    pub text: String,
}

/// The API as a whole, for what is no operation of the KV.
pub struct Api(Http);

impl Api {
    /// The API, asked with the account's token.
    ///
    /// # Errors
    /// If the address is none, or the token cannot be sent.
    pub fn new(account: &Account, timeout: Duration) -> Result<Self, BadAddress> {
        let auth = Some(("authorization", "Bearer ", account.token()));
        Ok(Api(Http::new(account.api(), auth, timeout)?))
    }

    /// Asks for what is at `path`, which begins with a slash and is encoded; `query` is not.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Failure> {
        let reply = self.0.send(Method::GET, path, query, None).await?;
        Ok(reply.into())
    }

    /// Sends `body` as JSON to `path`.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, Failure> {
        let body = Some(Body::json(body)?);
        let reply = self.0.send(Method::POST, path, &[], body).await?;
        Ok(reply.into())
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Answer {
            status: reply.status,
            retry_after: reply.retry_after,
            text: String::from_utf8_lossy(&reply.body).into_owned(),
        }
    }
}
