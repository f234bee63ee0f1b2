//! R2 as a store of keys and values.

use crate::Defect;
use crate::cloud::kv::{BillingRules, KvHandle, KvStore};
use crate::cloud::tally::Tally;
use crate::pricing::{MeterItem, Usage};
use crate::telemetry::load::join_all;
use crate::telemetry::ports::{Kv, KvError, ListPage, OpKind, PutOptions, ReadOptions, Value};
use std::rc::Rc;

/// A bucket with an object for each key. A finished write is seen by every read; expired objects
/// are deleted by a lifecycle rule, which is free, as are deletes.
pub struct ObjectStore {
    objects: Rc<KvStore>,
    tally: Tally,
}

impl ObjectStore {
    /// A bucket whose objects behave as those of `objects`.
    pub fn new(objects: Rc<KvStore>) -> Rc<Self> {
        Rc::new(ObjectStore {
            objects,
            tally: Tally::default(),
        })
    }

    /// Access for a Worker invocation whose operations on the objects go through `objects`.
    pub fn invocation_by(self: &Rc<Self>, objects: KvHandle) -> ObjectHandle {
        ObjectHandle {
            bucket: Rc::clone(self),
            objects,
        }
    }

    /// The objects themselves.
    pub fn objects(&self) -> &Rc<KvStore> {
        &self.objects
    }

    /// What was used so far, without storage: writes and lists are class A, reads class B.
    pub fn usage(&self, rules: BillingRules) -> Usage {
        let meter = self.objects.meter();
        let billed = |kind| u128::from(meter.billed(kind, rules));
        let mut usage = Usage::default();
        usage.add(
            MeterItem::R2ClassA,
            billed(OpKind::Write) + billed(OpKind::List),
        );
        usage.add(MeterItem::R2ClassB, billed(OpKind::Read));
        usage
    }

    /// The invariant: every operation is metered once.
    ///
    /// # Errors
    /// What does not agree.
    pub fn check(&self) -> Result<(), Defect> {
        let checked = self.tally.check(&self.objects.meter());
        checked.map_err(|e| e.within("R2"))
    }
}

/// A bucket as one Worker invocation sees it.
pub struct ObjectHandle {
    bucket: Rc<ObjectStore>,
    objects: KvHandle,
}

impl Kv for ObjectHandle {
    /// R2 has no bulk read: each key is a request.
    async fn read(&self, keys: &[&str], _: ReadOptions) -> Result<Vec<Option<Value>>, KvError> {
        let gets = keys.iter().map(|key| async move {
            let one = [*key];
            let get = self.objects.read(&one, ReadOptions::default());
            self.bucket.tally.count(OpKind::Read, 1, get).await
        });
        let mut values = Vec::with_capacity(keys.len());
        for got in join_all(gets).await {
            values.extend(got?);
        }
        Ok(values)
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let put = self.objects.put(key, value, options);
        self.bucket.tally.count(OpKind::Write, 1, put).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let delete = self.objects.delete(key);
        self.bucket.tally.count(OpKind::Delete, 1, delete).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let list = self.objects.list(prefix, cursor, limit);
        self.bucket.tally.count(OpKind::List, 1, list).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::kv::KvLimits;
    use crate::models::load;
    use crate::sim::executor::Executor;
    use crate::units::Timestamp;

    /// Two writes and a list are class A, the three keys of two reads class B, and a delete is free.
    #[test]
    fn writes_and_lists_are_class_a_and_each_key_that_is_read_class_b() {
        let executor = Executor::new(Timestamp::EPOCH);
        let limits: KvLimits = load("cloudflare", None, &[]).unwrap();
        let objects = KvStore::counting(limits, executor.handle());
        let bucket = ObjectStore::new(objects);
        let handle = bucket.invocation_by(bucket.objects().invocation());
        executor.block_on(async move {
            for key in ["a", "b"] {
                handle
                    .put(key, vec![1], PutOptions::default())
                    .await
                    .unwrap();
            }
            let none = ReadOptions::default();
            handle.read(&["a", "b"], none).await.unwrap();
            handle.read(&["c"], none).await.unwrap();
            handle.list("", None, 10).await.unwrap();
            handle.delete("c").await.unwrap();
        });
        assert_eq!(bucket.check(), Ok(()));
        let usage = bucket.usage(BillingRules::DONE);
        assert_eq!(usage.get(MeterItem::R2ClassA), 3);
        assert_eq!(usage.get(MeterItem::R2ClassB), 3);
    }
}
