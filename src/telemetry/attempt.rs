//! Operations on the KV under the policy's breaker, retries and retry budget.

use super::collector::Collector;
use super::policy::RetryPolicy;
use super::ports::{Clock, KvError};
use super::resilience::is_trouble;

impl<C: Clock> Collector<C> {
    /// Makes attempts, numbered from 1, until one succeeds or the policy gives up.
    pub(super) async fn with_retries<T>(
        &self,
        retry: &RetryPolicy,
        mut attempt: impl AsyncFnMut(u32) -> Result<T, KvError>,
    ) -> Result<T, KvError> {
        let mut attempts = 0;
        if let Some(budget) = &retry.budget {
            self.state.borrow_mut().retry_tokens.earn(budget);
        }
        loop {
            if let Some(policy) = &self.policy.breaker {
                let s = &mut *self.state.borrow_mut();
                s.breaker.admit(policy, self.clock.now())?;
            }
            attempts += 1;
            let result = attempt(attempts).await;
            let pause = {
                let s = &mut *self.state.borrow_mut();
                if let Some(policy) = &self.policy.breaker {
                    let failed = result.as_ref().err().is_some_and(is_trouble);
                    s.breaker.settle(policy, failed, self.clock.now());
                }
                let Err(e) = result else {
                    return result;
                };
                let pause = match retry.pause_after(attempts, &mut s.rng) {
                    Some(pause) if e.is_retryable() => pause,
                    _ => return Err(e),
                };
                if retry.budget.is_some() && !s.retry_tokens.spend() {
                    return Err(e);
                }
                pause
            };
            self.clock.sleep(pause).await;
        }
    }
}
