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
        Ok(self.0.page(prefix, cursor, limit))
    }
}
