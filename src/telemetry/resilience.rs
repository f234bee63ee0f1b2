//! What keeps failures from multiplying: a circuit breaker and a retry budget.

use super::policy::{BreakerPolicy, RetryBudget};
use super::ports::KvError;
use crate::units::Timestamp;

/// State of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerState {
    /// Operations go through.
    Closed,
    /// A few operations go through to see whether the service is back.
    HalfOpen,
    /// No operation goes through.
    Open,
}

/// Stops operations after so many failures in a row, and tries again after a pause.
#[derive(Debug, Clone)]
pub struct Breaker {
    state: BreakerState,
    /// Failures in a row while closed.
    failures: u32,
    opened: Timestamp,
    /// Probes under way and succeeded while half open.
    probing: u32,
    succeeded: u32,
    /// Changes of state since the start.
    pub changes: u64,
    /// Operations that were not let through.
    pub rejected: u64,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker {
            state: BreakerState::Closed,
            failures: 0,
            opened: Timestamp::EPOCH,
            probing: 0,
            succeeded: 0,
            changes: 0,
            rejected: 0,
        }
    }
}

impl Breaker {
    /// The state at the last operation.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    fn become_(&mut self, state: BreakerState) {
        self.state = state;
        self.changes += 1;
        (self.failures, self.probing, self.succeeded) = (0, 0, 0);
    }

    /// Whether an operation may go ahead now.
    pub fn admit(&mut self, policy: &BreakerPolicy, now: Timestamp) -> Result<(), KvError> {
        if self.state == BreakerState::Open && now.since(self.opened) >= policy.open_for {
            self.become_(BreakerState::HalfOpen);
            self.opened = now;
        }
        if self.state == BreakerState::HalfOpen && now.since(self.opened) >= policy.open_for {
            // Probes whose callers were cut short never report: make room for others.
            (self.probing, self.opened) = (0, now);
        }
        let admitted = match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => self.probing + self.succeeded < policy.half_open_probes,
        };
        if admitted {
            self.probing += u32::from(self.state == BreakerState::HalfOpen);
            Ok(())
        } else {
            self.rejected += 1;
            Err(KvError::CircuitOpen)
        }
    }

    /// Notes how an admitted operation ended.
    pub fn settle(&mut self, policy: &BreakerPolicy, failed: bool, now: Timestamp) {
        match (self.state, failed) {
            (BreakerState::Closed, false) => self.failures = 0,
            (BreakerState::Closed, true) => {
                self.failures += 1;
                if self.failures >= policy.failure_threshold {
                    self.become_(BreakerState::Open);
                    self.opened = now;
                }
            }
            (BreakerState::HalfOpen, true) => {
                self.become_(BreakerState::Open);
                self.opened = now;
            }
            (BreakerState::HalfOpen, false) => {
                self.probing = self.probing.saturating_sub(1);
                self.succeeded += 1;
                if self.succeeded >= policy.half_open_probes {
                    self.become_(BreakerState::Closed);
                }
            }
            // It began before the breaker opened.
            (BreakerState::Open, _) => {}
        }
    }
}

/// Whether an error says that the service is in trouble, rather than the caller.
pub fn is_trouble(e: &KvError) -> bool {
    e.is_retryable()
}

/// Tokens for retries: first attempts earn a share of one, each retry spends one. Retries are then
/// at most that share of the load, however much fails.
#[derive(Debug, Clone, Default)]
pub struct RetryTokens {
    tokens: f64,
    /// Retries that were not made for want of a token.
    pub denied: u64,
}

impl RetryTokens {
    /// As many as may be saved up.
    pub fn full(budget: Option<&RetryBudget>) -> Self {
        RetryTokens {
            tokens: budget.map_or(0.0, |b| f64::from(b.capacity)),
            denied: 0,
        }
    }

    /// Earns for a first attempt.
    pub fn earn(&mut self, budget: &RetryBudget) {
        self.tokens = (self.tokens + budget.per_attempt.get()).min(f64::from(budget.capacity));
    }

    /// Spends one if there is one.
    pub fn spend(&mut self) -> bool {
        // Earning 0.1 ten times gives a hair less than 1.
        if self.tokens >= 1.0 - 1e-9 {
            self.tokens -= 1.0;
            return true;
        }
        self.denied += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::quantity::Probability;
    use std::time::Duration;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    #[test]
    fn the_breaker_opens_probes_and_closes() {
        let policy = BreakerPolicy {
            failure_threshold: 3,
            open_for: Duration::from_secs(10),
            half_open_probes: 2,
        };
        let mut b = Breaker::default();
        let fail = |b: &mut Breaker, s| {
            b.admit(&policy, at(s)).unwrap();
            b.settle(&policy, true, at(s));
        };
        fail(&mut b, 0);
        fail(&mut b, 1);
        b.settle(&policy, false, at(1)); // a success starts the count anew
        for s in 2..5 {
            assert_eq!(b.state(), BreakerState::Closed);
            fail(&mut b, s);
        }
        assert_eq!(b.state(), BreakerState::Open);
        assert_eq!(b.admit(&policy, at(13)), Err(KvError::CircuitOpen));
        // Two probes at 14 s, no third; one fails and it opens again.
        b.admit(&policy, at(14)).unwrap();
        b.admit(&policy, at(14)).unwrap();
        assert_eq!(b.admit(&policy, at(14)), Err(KvError::CircuitOpen));
        b.settle(&policy, true, at(15));
        assert_eq!(b.state(), BreakerState::Open);
        b.settle(&policy, false, at(15));
        for _ in 0..2 {
            b.admit(&policy, at(25)).unwrap();
            b.settle(&policy, false, at(25));
        }
        assert_eq!(b.state(), BreakerState::Closed);
        assert_eq!((b.changes, b.rejected), (5, 2));
    }

    #[test]
    fn retries_are_a_share_of_the_first_attempts() {
        let budget = RetryBudget {
            per_attempt: Probability::new(0.1).unwrap(),
            capacity: 5,
        };
        let mut tokens = RetryTokens::full(Some(&budget));
        let mut retries = 0;
        for _ in 0..1_000 {
            tokens.earn(&budget);
            retries += u32::from(tokens.spend());
        }
        // What was saved up, and a tenth of the thousand.
        assert!((103..=105).contains(&retries), "{retries}");
        assert_eq!(tokens.denied, 1_000 - u64::from(retries));
    }
}
