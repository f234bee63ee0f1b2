//! A part of a KV that is one's own: all keys have a prefix that nobody else's have.

use kvplan_telemetry::ports::{Kv, KvError, ListPage, ListedKey, PutOptions, ReadOptions, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// Puts a prefix before every key and takes it off what is listed, so that nothing else is seen or
/// touched; keeps in mind what was written. Clones share that.
#[derive(Debug, Clone)]
pub struct Prefixed<K> {
    kv: K,
    prefix: Rc<str>,
    written: Rc<RefCell<BTreeSet<String>>>,
}

impl<K> Prefixed<K> {
    /// The part of `kv` whose keys begin with `prefix`.
    pub fn new(kv: K, prefix: &str) -> Self {
        Prefixed {
            kv,
            prefix: prefix.into(),
            written: Rc::default(),
        }
    }

    /// Keys, without the prefix, that have been written and not deleted since; those whose write
    /// failed among them, as it may have been done all the same.
    pub fn written(&self) -> Vec<String> {
        self.written.borrow().iter().cloned().collect()
    }

    fn whole(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

impl<K: Kv> Kv for Prefixed<K> {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let keys: Vec<String> = keys.iter().map(|k| self.whole(k)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.kv.read(&keys, options).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        self.written.borrow_mut().insert(key.to_owned());
        self.kv.put(&self.whole(key), value, options).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        self.kv.delete(&self.whole(key)).await?;
        self.written.borrow_mut().remove(key);
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let page = self.kv.list(&self.whole(prefix), cursor, limit).await?;
        let own = |key: ListedKey| {
            let name = key.name.strip_prefix(&*self.prefix)?.into();
            Some(ListedKey { name, ..key })
        };
        Ok(ListPage {
            keys: page.keys.into_iter().filter_map(own).collect(),
            cursor: page.cursor,
        })
    }
}
