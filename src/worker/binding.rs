//! The KV binding and the bucket, as the metrics system's ports.

use crate::clock::Timers;
use crate::meter::Meter;
use kvplan_telemetry::ports::{
    Archive, Clock, Kv, KvError, ListPage, ListedKey, OpKind, PutOptions, ReadOptions, Value,
};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use worker::js_sys;
use worker::kv::KvStore;
use worker::wasm_bindgen::{JsCast, JsValue};

/// A namespace whose values are text, with its operations counted.
pub(crate) struct Binding {
    kv: KvStore,
    meter: Rc<RefCell<Meter>>,
}

impl Binding {
    pub(crate) fn new(kv: KvStore, meter: &Rc<RefCell<Meter>>) -> Self {
        Binding {
            kv,
            meter: Rc::clone(meter),
        }
    }

    async fn counted<T>(
        &self,
        kind: OpKind,
        keys: usize,
        operation: impl Future<Output = Result<T, KvError>>,
    ) -> Result<T, KvError> {
        self.meter.borrow_mut().begin(kind, keys);
        let start = Timers.now();
        let result = operation.await;
        let took = Timers.now().since(start);
        let meter = &mut *self.meter.borrow_mut();
        meter.end(kind, &result, took.as_millis() as u64);
        result
    }

    async fn texts(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let value = |text: String| Rc::from(text.into_bytes());
        let ttl = options.cache_ttl.map(|t| t.as_secs());
        if let [key] = keys {
            let get = self.kv.get(key);
            let get = match ttl {
                Some(ttl) => get.cache_ttl(ttl),
                None => get,
            };
            let text = get.text().await.map_err(refused)?;
            return Ok(vec![text.map(value)]);
        }
        let get = self.kv.get_bulk(keys);
        let get = match ttl {
            Some(ttl) => get.cache_ttl(ttl),
            None => get,
        };
        let mut texts = get.text().await.map_err(refused)?;
        let found = keys.iter().map(|k| texts.get_mut(*k)?.take().map(value));
        Ok(found.collect())
    }

    async fn write(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let text = String::from_utf8(value).map_err(|_| KvError::Invalid("a value is no text"))?;
        let mut put = self.kv.put(key, text.as_str()).map_err(refused)?;
        if let Some(ttl) = options.expiration_ttl {
            put = put.expiration_ttl(ttl.as_secs());
        }
        if let Some(metadata) = options.metadata {
            let json = serde_json::from_slice::<serde_json::Value>(&metadata);
            let json = json.map_err(|_| KvError::Invalid("metadata are no JSON"))?;
            put = put.metadata(json).map_err(refused)?;
        }
        put.execute().await.map_err(refused)
    }

    async fn page(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let list = self.kv.list().prefix(prefix.into()).limit(limit as u64);
        let list = match cursor {
            Some(cursor) => list.cursor(cursor.into()),
            None => list,
        };
        let page = list.execute().await.map_err(refused)?;
        let keys = page.keys.into_iter().map(|k| ListedKey {
            name: k.name.into(),
            metadata: k.metadata.map(|m| Rc::from(m.to_string().into_bytes())),
        });
        Ok(ListPage {
            keys: keys.collect(),
            cursor: page.cursor.filter(|_| !page.list_complete),
        })
    }
}

impl Kv for Binding {
    async fn read(
        &self,
        keys: &[&str],
        options: ReadOptions,
    ) -> Result<Vec<Option<Value>>, KvError> {
        let texts = self.texts(keys, options);
        self.counted(OpKind::Read, keys.len(), texts).await
    }

    async fn put(&self, key: &str, value: Vec<u8>, options: PutOptions) -> Result<(), KvError> {
        let written = self.write(key, value, options);
        self.counted(OpKind::Write, 1, written).await
    }

    async fn delete(&self, key: &str) -> Result<(), KvError> {
        let deleted = async { self.kv.delete(key).await.map_err(refused) };
        self.counted(OpKind::Delete, 1, deleted).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<ListPage, KvError> {
        let page = self.page(prefix, cursor, limit);
        self.counted(OpKind::List, 1, page).await
    }
}

/// A bucket of R2, or none.
pub(crate) struct Bucket(pub Option<worker::Bucket>);

impl Archive for Bucket {
    async fn get(&self, key: &str) -> Result<Option<Value>, KvError> {
        let Some(bucket) = &self.0 else {
            return Ok(None);
        };
        let object = bucket.get(key).execute().await.map_err(refused_js)?;
        let Some(body) = object.as_ref().and_then(|o| o.body()) else {
            return Ok(None);
        };
        let bytes = body.bytes().await.map_err(refused_js)?;
        Ok(Some(Rc::from(bytes)))
    }

    async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), KvError> {
        let Some(bucket) = &self.0 else {
            return Err(KvError::Invalid("no bucket is bound as ARCHIVE"));
        };
        let written = bucket.put(key, value).execute().await;
        written.map(|_| ()).map_err(refused_js)
    }
}

fn refused_js(error: worker::Error) -> KvError {
    said(&error.to_string(), false)
}

/// What the binding threw.
fn refused(error: worker::kv::KvError) -> KvError {
    let thrown = JsValue::from(error);
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(e) => {
            let name = String::from(e.name());
            let is_refused = ["TypeError", "RangeError", "SyntaxError"].contains(&name.as_str());
            said(&String::from(e.message()), is_refused)
        }
        None => said(&thrown.as_string().unwrap_or_default(), false),
    }
}

/// "KV PUT failed: 429 Too Many Requests"; what the runtime refuses by itself has no status.
fn said(message: &str, is_refused: bool) -> KvError {
    let after = message.split("failed: ").nth(1);
    let status = after.and_then(|a| a.get(..3)?.parse().ok());
    let status = status.unwrap_or(if is_refused { 400 } else { 500 });
    KvError::answered(status, message)
}
