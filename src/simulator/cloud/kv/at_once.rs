//! The namespace without what an operation takes: what is put is there, nothing is issued, waits or fails.

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

impl Kv for AtOnce<'_> {
    async fn read(&self, keys: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        Ok(keys.iter().map(|key| self.0.value_of(key)).collect())
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.0.limits().check_put(key, &value, &options)?;
        self.0.place_value(key, value, options);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.0.remove_value(key);
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        if cursor.is_some_and(|c| !c.starts_with(prefix)) {
            return Err(KvError::Invalid("cursor of another list"));
        }
        Ok(self.0.page(prefix, cursor, limit))
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
        let names = |cursor| {
            let page = now(kv.list("a/", cursor, 1)).unwrap();
            let names: Vec<String> = page.keys.iter().map(|k| k.name.to_string()).collect();
            (names, page.cursor)
        };
        let first = names(None);
        assert_eq!(first, (vec!["a/1".to_owned()], Some("a/1".to_owned())));
        assert_eq!(names(first.1.as_deref()), (vec!["a/2".to_owned()], None));
        assert!(now(kv.list("a/", Some("b/1"), 1)).is_err());
        now(kv.delete("a/2")).unwrap();
        let found = || {
            let values = now(kv.read(&["a/1", "a/2"], ReadOptions::default())).unwrap();
            values.iter().map(Option::is_some).collect::<Vec<_>>()
        };
        assert_eq!(found(), [true, false]);
        assert_eq!(store.key_count(), 2);
        executor.run_until(Timestamp::from_secs(60));
        assert_eq!(found(), [false, false]);
        assert_eq!(store.operation_count(), 0);
    }
}
