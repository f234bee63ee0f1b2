//! What a service answers instead of a result, and what that is to the metrics system.

use kvplan_telemetry::ports::KvError;
use std::fmt;
use std::time::Duration;

/// An operation that gave no result, as the service or the way to it put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// How far the operation came.
    pub reach: Reach,
    /// The service's own number of the error, where it gives one.
    pub code: Option<u32>,
    /// What the service, or else the client, says about it.
    pub message: String,
    /// When to try again, as the service would have it.
    pub retry_after: Option<Duration>,
}

/// How far an operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// There was no connection, or it broke.
    Unreachable,
    /// No answer in time.
    TimedOut,
    /// An answer with this HTTP status.
    Answered(u16),
}

impl Failure {
    /// A failure without an answer that says more.
    pub(crate) fn new(reach: Reach, message: impl Into<String>) -> Self {
        Failure {
            reach,
            code: None,
            message: message.into(),
            retry_after: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reach {
            Reach::Unreachable => write!(f, "no connection: {}", self.message)?,
            Reach::TimedOut => write!(f, "no answer in time: {}", self.message)?,
            Reach::Answered(status) => write!(f, "HTTP {status}: {}", self.message)?,
        }
        match self.code {
            Some(code) => write!(f, " (code {code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// "your account has reached the free usage limit for this operation for today".
const CODE_DAILY_LIMIT: u32 = 10_048;
/// "Authentication error", which also comes with 400.
const CODE_AUTHENTICATION: u32 = 10_000;

/// What a failure is to the metrics system, in the service's words.
pub fn kv_error(failure: &Failure) -> KvError {
    match (failure.reach, failure.code) {
        (Reach::TimedOut, _) => KvError::Timeout,
        (Reach::Unreachable, _) => KvError::Unavailable,
        (_, Some(CODE_DAILY_LIMIT)) => KvError::QuotaExceeded,
        // Told with 400 too. The local runtime has this code for all that it does not know, with 500.
        (Reach::Answered(400..=499), Some(CODE_AUTHENTICATION)) => {
            KvError::answered(401, &failure.message)
        }
        (Reach::Answered(status), _) => KvError::answered(status, &failure.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: Option<u32>, message: &str) -> KvError {
        kv_error(&Failure {
            code,
            ..Failure::new(Reach::Answered(status), message)
        })
    }

    #[test]
    fn what_may_succeed_later_is_told_from_what_cannot() {
        let cause = |status, code| answered(status, code, "").cause();
        assert_eq!(cause(429, None), "rate_limited");
        assert_eq!(answered(429, Some(10_048), ""), KvError::QuotaExceeded);
        let said = "KV put() limit exceeded for the day.";
        assert_eq!(answered(500, None, said), KvError::QuotaExceeded);
        let said = "Too many API requests by single Worker invocation.";
        assert_eq!(answered(500, None, said), KvError::InvocationLimit);
        assert_eq!(cause(500, Some(10_000)), "unavailable");
        for (status, code) in [(400, Some(10_000)), (401, None), (404, None), (414, None)] {
            assert_eq!(cause(status, code), "invalid", "{status}");
            assert!(!answered(status, code, "").is_retryable());
        }
        for status in [200, 301, 500, 503, 520] {
            assert_eq!(cause(status, None), "unavailable", "{status}");
            assert!(answered(status, None, "").is_retryable());
        }
        for status in [408, 504, 524] {
            assert_eq!(cause(status, None), "timeout");
        }
    }

    #[test]
    fn the_words_of_the_service_stay() {
        let said = answered(400, Some(10_000), "Authentication error");
        assert_eq!(said.to_string(), "401: Authentication error");
    }
}
