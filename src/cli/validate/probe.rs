//! Whether a KV can be used at all, asked before anything is played.

use super::super::common::Failure;
use kvplan::telemetry::ports::Kv;
use kvplan_remote::account::{ACCOUNT, TOKEN};
use kvplan_remote::bridge::SECRET;
use kvplan_remote::failure::{Failure as NoResult, Reach};

/// Where a KV is, and how it is asked why something failed.
pub(super) struct Service {
    /// Without secrets.
    pub address: String,
    /// Else it is the REST API.
    pub is_bridge: bool,
    /// The last operation that failed, in the service's own words.
    pub last_failure: Box<dyn Fn() -> Option<NoResult>>,
}

/// A key that nobody writes.
const ABSENT: &str = "kvplan-validate/absent";
/// Most of what was found instead that is shown.
const SHOWN: usize = 60;

impl Service {
    /// Reads a key that is not there.
    pub(super) async fn probe<K: Kv>(&self, kv: &K) -> Result<(), Failure> {
        let address = &self.address;
        match kv.get(ABSENT).await {
            Ok(None) => Ok(()),
            Ok(Some(value)) => {
                let text = String::from_utf8_lossy(&value);
                let start: String = text.chars().take(SHOWN).collect();
                let start = start.split_whitespace().collect::<Vec<_>>().join(" ");
                Err(Failure::usage(format!(
                    "{address}: found a value under a key that nobody writes ({start}), expected {}",
                    self.expected()
                )))
            }
            Err(e) => Err(Failure::usage(match (self.last_failure)() {
                Some(failure) => format!("{address}: {}", self.advice(&failure)),
                None => format!("{address}: {e}"),
            })),
        }
    }

    fn expected(&self) -> &'static str {
        match self.is_bridge {
            true => "a bridge (examples/bridge) there",
            false => "the root of the REST API there",
        }
    }

    /// What a failure is, and what to do.
    fn advice(&self, failure: &NoResult) -> String {
        let Reach::Answered(status) = failure.reach else {
            return format!(
                "cannot be reached ({failure}); expected {}",
                self.expected()
            );
        };
        match status {
            401 | 403 => self.refused(failure),
            // Cloudflare tells a wrong token with 400 too.
            400 if failure.code == Some(10_000) => self.refused(failure),
            429 => {
                let when = failure.retry_after;
                let when = when.map_or("later".to_owned(), |d| format!("in {} s", d.as_secs()));
                format!("too many requests ({failure}); try again {when}, or with less traffic")
            }
            500.. => format!("the service has a fault ({failure}); try again later"),
            _ => format!("{failure}; expected {}", self.expected()),
        }
    }

    fn refused(&self, failure: &NoResult) -> String {
        match self.is_bridge {
            true => {
                format!(
                    "the secret was refused ({failure}); expected the bridge's BRIDGE_SECRET in {SECRET}"
                )
            }
            false => format!(
                "the token was refused ({failure}); expected {TOKEN} with Workers KV Storage Edit for {ACCOUNT}"
            ),
        }
    }
}
