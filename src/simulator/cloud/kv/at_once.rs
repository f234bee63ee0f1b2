//! Puts without what an operation takes: what is put is there, nothing is issued, waits or fails.

use super::store::KvStore;
use crate::telemetry::ports::{Kv, KvError, ListPage, PutOptions, ReadOptions, Value};

/// See [`KvStore::at_once`].
pub struct AtOnce<'a>(&'a KvStore);

impl KvStore {
    /// Access that takes no time and uses nothing up, for what lies before a measurement.
    pub fn at_once(&self) -> AtOnce<'_> {
        AtOnce(self)
    }
}

/// What it answers to all but a put.
const ONLY_PUTS: KvError = KvError::Invalid("nothing but a put is done at once");

impl Kv for AtOnce<'_> {
    async fn read(&self, _: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        Err(ONLY_PUTS)
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.0.limits().check_put(key, &value, &options)?;
        self.0.place_value(key, value, options);
        Ok(())
    }

    async fn delete(&self, _: &str) -> Result<(), KvError> {
        Err(ONLY_PUTS)
    }

    async fn list(&self, _: &str, _: Option<&str>, _: usize) -> Result<ListPage, KvError> {
        Err(ONLY_PUTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::kv::KvLimits;
    use crate::models::load;
    use crate::sim::executor::Executor;
    use crate::units::Timestamp;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    fn now<T>(work: impl Future<Output = T>) -> T {
        match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => unreachable!("nothing waits"),
        }
    }

    #[test]
    fn what_is_put_at_once_is_there_until_it_expires_and_no_operation() {
        let executor = Executor::new(Timestamp::EPOCH);
        let limits: KvLimits = load("cloudflare", None, &[]).unwrap();
        let store = KvStore::counting(limits, executor.handle());
        let kv = store.at_once();
        for key in ["a/1", "a/2", "b/1"] {
            let options = PutOptions {
                expiration_ttl: Some(Duration::from_secs(60)),
                metadata: None,
            };
            now(kv.put(key, b"x".to_vec(), options)).unwrap();
        }
        let too_large = vec![0; store.limits().value.0 as usize + 1];
        assert!(now(kv.put("c", too_large, PutOptions::default())).is_err());
        assert!(now(kv.delete("a/1")).is_err());
        assert!(now(kv.list("a/", None, 1)).is_err());
        assert!(now(kv.read(&["a/1"], ReadOptions::default())).is_err());
        assert_eq!((store.key_count(), store.inspect("a/").len()), (3, 2));
        executor.run_until(Timestamp::from_secs(60));
        assert_eq!(store.key_count(), 0);
        assert_eq!(store.operation_count(), 0);
    }
}
